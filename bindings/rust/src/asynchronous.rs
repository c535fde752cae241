//! The feature `tokio`: waits that need no thread, and calls on the threads that tokio keeps for blocking calls.
//!
//! A wait is dropped to cancel it. A job that was claimed in that moment is given back.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use honker_watch::{Subscription as Subscribed, Wake};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::claim::ClaimWaker;
use crate::database::{Database, FALLBACK};
use crate::error::{Error, ErrorKind, Result};
use crate::job::Job;
use crate::notification::{Notification, Subscription};
use crate::outbox::{Delivery, Outbox};
use crate::scheduler::Scheduler;
use crate::stop::Stop;
use crate::stream::StreamEvent;
use crate::stream_subscription::StreamSubscription;
use crate::wait::{Look, Pauses, Waited, Waiter};

impl Database {
    /// Runs a function with this handle on a thread for blocking calls: the `async` form of everything that does not
    /// wait for others.
    ///
    /// Dropping the future does not end the function.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("app.db");
    /// use honker::{Database, EnqueueOpts, QueueOpts};
    ///
    /// let db = Database::open(path)?;
    /// let id = db.call(|db| db.queue("emails", QueueOpts::default()).enqueue("a", EnqueueOpts::default())).await?;
    /// assert_eq!(id, 1);
    /// # Ok::<(), honker::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// Those of the function.
    ///
    /// # Panics
    /// If the function panics, or the runtime ends meanwhile.
    pub async fn call<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T> + Send + 'static,
    {
        let db = self.clone();
        blocking(move || f(&db)).await
    }

    /// As [`Database::wait_result`], without blocking.
    ///
    /// # Errors
    /// As [`Database::wait_result`].
    pub async fn wait_result_async(&self, job_id: i64, timeout: Duration) -> Result<Option<String>> {
        let mut waiter = Waiter::new(self.shared())?;
        let look = || self.call(move |db| Ok(db.get_result(job_id)?.map_or(NOTHING, Look::Found)));
        let outcome = waiter.wait_for_async(Some(timeout), look).await?;
        if outcome == Waited::Gone { Err(Error::UpdateClosed) } else { Ok(found(outcome)) }
    }
}

const NOTHING: Look<String> = Look::Nothing(FALLBACK);

impl ClaimWaker {
    /// As [`ClaimWaker::next`], without blocking. Dropping the future ends the wait, and a job that was claimed in that
    /// moment is given back.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = honker::Database::open(folder.path().join("app.db"))?;
    /// # let emails = db.queue("emails", honker::QueueOpts::default());
    /// # emails.enqueue("a", Default::default())?;
    /// let waker = emails.claim_waker();
    /// while let Some(job) = waker.next_async("worker-1").await? {
    ///     println!("{}", job.payload_as::<String>()?);
    ///     job.ack_async().await?;
    /// #   break;
    /// }
    /// # Ok::<(), honker::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`ClaimWaker::next`].
    pub async fn next_async(&self, worker: &str) -> Result<Option<Job>> {
        let mut waiter = self.waiter()?;
        let look = || {
            let (queue, worker) = (self.queue().clone(), worker.to_owned());
            blocking(move || {
                Ok(match ClaimWaker::new(queue).look(&worker)? {
                    Look::Found(job) => Look::Found(Undelivered(Some(job))),
                    Look::Nothing(again) => Look::Nothing(again),
                })
            })
        };
        let outcome = match waiter.wait_for_async(None, look).await {
            Err(error) if error.kind() == ErrorKind::Replaced => Waited::Gone,
            outcome => outcome?,
        };
        self.put_back(waiter);
        Ok(found(outcome).and_then(|mut undelivered| undelivered.0.take()))
    }
}

/// A job on its way to the future that waits for it. It is given back if that future is gone.
struct Undelivered(Option<Job>);

impl Drop for Undelivered {
    fn drop(&mut self) {
        let Some(job) = self.0.take() else { return };
        let give_back = move || {
            // If this fails, the lease lapses and the job runs again.
            let _lapses_later = job.release();
        };
        // A drop must not wait for the database, since it may run on a thread of the event loop.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(give_back)),
            Err(_) => give_back(),
        }
    }
}

impl Job {
    /// As [`Job::ack`], without blocking.
    ///
    /// # Errors
    /// As [`Job::ack`].
    pub async fn ack_async(&self) -> Result<bool> {
        self.settle(Self::ack).await
    }

    /// As [`Job::retry`], without blocking.
    ///
    /// # Errors
    /// As [`Job::retry`].
    pub async fn retry_async(&self, delay_s: i64, error: &str) -> Result<bool> {
        let error = error.to_owned();
        self.settle(move |job| job.retry(delay_s, &error)).await
    }

    /// As [`Job::fail`], without blocking.
    ///
    /// # Errors
    /// As [`Job::fail`].
    pub async fn fail_async(&self, error: &str) -> Result<bool> {
        let error = error.to_owned();
        self.settle(move |job| job.fail(&error)).await
    }

    /// As [`Job::heartbeat`], without blocking.
    ///
    /// # Errors
    /// As [`Job::heartbeat`].
    pub async fn heartbeat_async(&self, extend_s: i64) -> Result<bool> {
        self.settle(move |job| job.heartbeat(extend_s)).await
    }

    async fn settle(&self, settle: impl FnOnce(&Self) -> Result<bool> + Send + 'static) -> Result<bool> {
        let job = self.clone();
        self.db().call(move |_| settle(&job)).await
    }
}

impl Subscription {
    /// As [`Subscription::recv`], without blocking. Dropping the future loses no notification.
    pub async fn recv_async(&mut self) -> Option<Result<Notification>> {
        loop {
            if let Some(found) = self.log.pop() {
                return Some(found);
            }
            match blocking(self.log.reading()).await {
                Ok(page) => self.log.add(page),
                Err(error) => return self.outcome(Err(error)).transpose(),
            }
            if self.log.is_empty()
                && let Some(ended) = ended(self.waiter.wait_async(FALLBACK).await)
            {
                return self.outcome(ended).transpose();
            }
        }
    }
}

impl StreamSubscription {
    /// As [`StreamSubscription::recv`], without blocking. Dropping the future loses no event.
    pub async fn recv_async(&mut self) -> Option<Result<StreamEvent>> {
        self.log.confirm();
        loop {
            match blocking(self.log.reading()).await {
                Ok(page) => self.log.add(page),
                Err(error) => return self.outcome(Err(error)).transpose(),
            }
            if let Some(found) = self.log.pop() {
                return Some(found);
            }
            if let Some(ended) = ended(self.waiter.wait_async(FALLBACK).await) {
                return self.outcome(ended).transpose();
            }
        }
    }
}

impl Outbox {
    /// As [`Outbox::run`], with deliveries that are futures, until this future is dropped. A delivery that is under way
    /// then is dropped, too, and its payload is given back.
    ///
    /// # Errors
    /// As [`Outbox::run`].
    pub async fn run_async<F, D, E>(&self, worker: &str, mut deliver: F) -> Result<()>
    where
        F: FnMut(serde_json::Value) -> D,
        D: Future<Output = std::result::Result<(), E>>,
        E: std::fmt::Display,
    {
        let waker = self.queue().claim_waker();
        while let Some(job) = waker.next_async(worker).await? {
            let mut delivered = Undelivered(Some(job.clone()));
            let outcome = match job.payload_as() {
                Ok(payload) => Delivery::of(deliver(payload).await),
                Err(error) => Delivery::Invalid(error.to_string()),
            };
            delivered.0.take();
            let (outbox, settled) = (self.clone(), job.clone());
            // A lease that was lost meanwhile ends nothing: the payload is delivered again.
            let _is_settled = blocking(move || outbox.settle(&settled, &outcome)).await?;
        }
        Err(Error::UpdateClosed)
    }
}

impl Scheduler {
    /// As [`Scheduler::run`], on a thread for blocking calls. Dropping the future stops it.
    ///
    /// # Errors
    /// As [`Scheduler::run`].
    pub async fn run_async(&self, owner: &str) -> Result<()> {
        let (scheduler, owner, stop) = (self.clone(), owner.to_owned(), StopOnDrop(Stop::new()));
        let for_thread = stop.0.clone();
        blocking(move || scheduler.run(for_thread, &owner)).await
    }
}

struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn found<T>(waited: Waited<T>) -> Option<T> {
    if let Waited::Found(found) = waited { Some(found) } else { None }
}

/// The end of a subscription, if the wait was one.
fn ended<T>(waited: Result<Waited<()>>) -> Option<Result<Waited<T>>> {
    match waited {
        Ok(Waited::Found(()) | Waited::TimedOut | Waited::Stopped) => None,
        Ok(Waited::Gone) => Some(Ok(Waited::Gone)),
        Err(error) => Some(Err(error)),
    }
}

/// Runs a function on a thread for blocking calls.
async fn blocking<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match spawn_blocking(f).await {
        Ok(value) => value,
        Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        Err(failed) => panic!("honker: {failed}"),
    }
}

impl Waiter {
    /// As [`Waiter::wait_for`].
    async fn wait_for_async<T, F>(
        &mut self,
        timeout: Option<Duration>,
        mut look: impl FnMut() -> F,
    ) -> Result<Waited<T>>
    where
        F: Future<Output = Result<Look<T>>>,
    {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut pauses = Pauses::default();
        loop {
            let again = match look().await {
                Ok(Look::Found(found)) => return Ok(Waited::Found(found)),
                Ok(Look::Nothing(again)) => pauses.at_least(again),
                Err(error) if error.kind() == ErrorKind::Busy => Duration::from_millis(2),
                Err(error) => return Err(error),
            };
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
            match self.wait_async(again.min(left)).await? {
                Waited::TimedOut if again >= left => return Ok(Waited::TimedOut),
                Waited::Gone => return Ok(Waited::Gone),
                _ => {}
            }
        }
    }

    /// As [`Waiter::wait`], without blocking.
    async fn wait_async(&mut self, timeout: Duration) -> Result<Waited<()>> {
        let wait = wait_for_wake(Arc::clone(self.subscription()));
        let Ok(wake) = tokio::time::timeout(timeout, wait).await else { return Ok(Waited::TimedOut) };
        match wake? {
            Wake::Dead => {
                self.end();
                self.shared().check_open()?;
                Ok(Waited::Gone)
            }
            _ => Ok(Waited::Found(())),
        }
    }
}

/// Waits for the descriptor of a subscription.
#[cfg(unix)]
async fn wait_for_wake(subscription: Arc<Subscribed>) -> Result<Wake> {
    use std::os::fd::{AsRawFd, RawFd};
    use tokio::io::{Interest, unix::AsyncFd};

    struct Descriptor(Arc<Subscribed>, RawFd);

    impl AsRawFd for Descriptor {
        fn as_raw_fd(&self) -> RawFd {
            self.1
        }
    }

    let Some(fd) = subscription.descriptor() else { return Ok(Wake::Dead) };
    let unready = |error: std::io::Error| {
        Error::core(ErrorKind::Watcher, format!("the event loop cannot wait for a descriptor: {error}"))
    };
    // SAFETY: the subscription keeps its descriptor open, and the descriptor keeps the subscription.
    #[expect(unsafe_code, reason = "tokio has no other way to wait for a descriptor that another object owns")]
    let registered = unsafe { AsyncFd::register_with_interest(Descriptor(subscription, fd), Interest::READABLE) };
    let descriptor = registered.map_err(|error| unready(error.into()))?;
    loop {
        let mut ready = descriptor.readable().await.map_err(unready)?;
        match descriptor.get_ref().0.wait(Duration::ZERO) {
            Wake::Timeout => ready.clear_ready(),
            wake => return Ok(wake),
        }
    }
}

/// Looks at a subscription every few milliseconds: this system has no descriptors, and a thread that waits would take a
/// wake after the future is dropped.
#[cfg(not(unix))]
async fn wait_for_wake(subscription: Arc<Subscribed>) -> Result<Wake> {
    loop {
        match subscription.wait(Duration::ZERO) {
            Wake::Timeout => tokio::time::sleep(Duration::from_millis(5)).await,
            wake => return Ok(wake),
        }
    }
}
