//! Waiting for jobs.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::{ErrorKind, Result};
use crate::job::Job;
use crate::queue::Queue;
use crate::stop::Stop;
use crate::wait::{Look, Waited, Waiter};

/// The longest time between two looks for a job that no commit has announced, as one whose lease has lapsed elsewhere.
const FALLBACK: Duration = Duration::from_secs(5);

/// A worker's end of a queue, made by [`Queue::claim_waker`]. Several threads may use one.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let db = honker::Database::open(folder.path().join("app.db"))?;
/// # let emails = db.queue("emails", honker::QueueOpts::default());
/// # emails.enqueue("a", Default::default())?;
/// let waker = emails.claim_waker();
/// while let Some(job) = waker.next("worker-1")? {
///     println!("{}", job.payload_as::<String>()?);
///     job.ack()?;
/// #   break;
/// }
/// # Ok::<(), honker::Error>(())
/// ```
#[derive(Debug)]
pub struct ClaimWaker {
    queue: Queue,
    /// One for each thread that has waited at once; a wake goes to one of the threads of a subscription only.
    idle: Mutex<Vec<Waiter>>,
}

impl ClaimWaker {
    pub(crate) fn new(queue: Queue) -> Self {
        Self { queue, idle: Mutex::default() }
    }

    /// Waits for a job and leases it to the worker. It sleeps until a commit, or until the next job is due.
    ///
    /// None only if the watcher has ended because the file was replaced. A database that is busy is asked again.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the handle is closed meanwhile; otherwise as
    /// [`Queue::claim_batch`].
    pub fn next(&self, worker: &str) -> Result<Option<Job>> {
        self.wait(worker, None, &Stop::new())
    }

    /// As [`ClaimWaker::next`]; none once the stop comes. No job is leased then.
    ///
    /// # Errors
    /// As [`ClaimWaker::next`].
    pub fn next_until(&self, worker: &str, stop: &Stop) -> Result<Option<Job>> {
        self.wait(worker, None, stop)
    }

    /// As [`ClaimWaker::next`]; none after the timeout.
    ///
    /// # Errors
    /// As [`ClaimWaker::next`].
    pub fn next_timeout(&self, worker: &str, timeout: Duration) -> Result<Option<Job>> {
        self.wait(worker, Some(timeout), &Stop::new())
    }

    /// Leases the next due job, if there is one now.
    ///
    /// # Errors
    /// As [`Queue::claim_batch`].
    pub fn try_next(&self, worker: &str) -> Result<Option<Job>> {
        self.queue.claim_one(worker)
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Claims a job, or says how long to wait.
    pub(crate) fn look(&self, worker: &str) -> Result<Look<Job>> {
        if let Some(job) = self.queue.claim_one(worker)? {
            return Ok(Look::Found(job));
        }
        let until = self.queue.until_next_claim()?;
        Ok(Look::Nothing(until.map_or(FALLBACK, |until| until.min(FALLBACK))))
    }

    fn wait(&self, worker: &str, timeout: Option<Duration>, stop: &Stop) -> Result<Option<Job>> {
        let mut waiter = self.waiter()?;
        let outcome = match waiter.wait_for(timeout, stop, || self.look(worker)) {
            Err(error) if error.kind() == ErrorKind::Replaced => Waited::Gone,
            outcome => outcome?,
        };
        self.put_back(waiter);
        match outcome {
            Waited::Found(job) => Ok(Some(job)),
            Waited::TimedOut | Waited::Stopped | Waited::Gone => Ok(None),
        }
    }

    pub(crate) fn waiter(&self) -> Result<Waiter> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| Waiter::new(self.queue.db().shared()), Ok)
    }

    pub(crate) fn put_back(&self, waiter: Waiter) {
        if waiter.is_usable() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(waiter);
        }
    }
}
