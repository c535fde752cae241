//! Outboxes: calls to other systems that follow a commit.

use std::fmt::Display;

use serde::Serialize;

use crate::claim::ClaimWaker;
use crate::database::Database;
use crate::error::{Error, Result};
use crate::job::Job;
use crate::queue::{EnqueueOpts, Queue, QueueOpts};
use crate::stop::Stop;
use crate::transaction::Transaction;

/// Options of an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxOpts {
    /// Seconds that a delivery may take, 1 to 31,536,000; 60 by default.
    pub visibility_timeout_s: i64,
    /// Deliveries that are tried before a payload is a dead letter; 5 by default.
    pub max_attempts: i64,
    /// Seconds before the second delivery; doubled for each further one. 5 by default.
    pub base_backoff_s: i64,
}

impl Default for OutboxOpts {
    fn default() -> Self {
        Self { visibility_timeout_s: 60, max_attempts: 5, base_backoff_s: 5 }
    }
}

/// An outbox, made by [`Database::outbox`]: payloads commit with your rows, and are delivered afterwards.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let db = honker::Database::open(folder.path().join("app.db"))?;
/// use honker::{EnqueueOpts, OutboxOpts};
/// use serde_json::{Value, json};
///
/// let outbox = db.outbox("webhooks", OutboxOpts::default());
/// let tx = db.transaction()?;
/// outbox.enqueue_tx(&tx, &json!({"url": "https://example.com"}), EnqueueOpts::default())?;
/// tx.commit()?;
///
/// let mut sent = Vec::new();
/// let send = |payload: Value| -> Result<(), String> { sent.push(payload["url"].to_string()); Ok(()) };
/// assert!(outbox.run_once("worker-1", send)?);
/// assert_eq!(sent.len(), 1);
/// # Ok::<(), honker::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Outbox {
    name: String,
    queue: Queue,
    base_backoff_s: i64,
}

impl Outbox {
    /// As [`Database::outbox`].
    #[must_use]
    pub fn new(db: &Database, name: &str, opts: OutboxOpts) -> Self {
        let OutboxOpts { visibility_timeout_s, max_attempts, base_backoff_s } = opts;
        let queue = db.queue(&format!("_outbox:{name}"), QueueOpts { visibility_timeout_s, max_attempts });
        Self { name: name.to_owned(), queue, base_backoff_s }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The queue of the payloads, `_outbox:` and the name.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Records a payload to deliver. Returns the job's id.
    ///
    /// # Errors
    /// As [`Queue::enqueue`].
    pub fn enqueue<P: Serialize + ?Sized>(&self, payload: &P, opts: EnqueueOpts) -> Result<i64> {
        self.queue.enqueue(payload, opts)
    }

    /// As [`Outbox::enqueue`], as part of a transaction.
    ///
    /// # Errors
    /// As [`Queue::enqueue`].
    pub fn enqueue_tx<P: Serialize + ?Sized>(
        &self,
        tx: &Transaction<'_>,
        payload: &P,
        opts: EnqueueOpts,
    ) -> Result<i64> {
        self.queue.enqueue_tx(tx, payload, opts)
    }

    /// Delivers the next payload. False if none is due.
    ///
    /// A delivery that fails is retried after the backoff, and becomes a dead letter after the last attempt. A payload
    /// may be delivered more than once, if its lease ends meanwhile or the process is killed.
    ///
    /// # Errors
    /// [`Error::Core`] if the lease was lost during the delivery, and errors of writing. An error of `deliver` is none
    /// of these.
    pub fn run_once<F, E>(&self, worker: &str, deliver: F) -> Result<bool>
    where
        F: FnMut(serde_json::Value) -> std::result::Result<(), E>,
        E: Display,
    {
        let Some(job) = self.queue.claim_one(worker)? else { return Ok(false) };
        if self.deliver(&job, deliver)? {
            return Ok(true);
        }
        let message = "was lost during the delivery; another worker may deliver the payload again";
        Err(Error::Core(format!("the lease of job {} {message}", job.id)))
    }

    /// Delivers payloads until the stop comes.
    ///
    /// A lease that was lost during a delivery ends nothing: the payload is delivered again.
    ///
    /// # Errors
    /// As [`ClaimWaker::next`].
    pub fn run<F, E>(&self, worker: &str, stop: impl Into<Stop>, mut deliver: F) -> Result<()>
    where
        F: FnMut(serde_json::Value) -> std::result::Result<(), E>,
        E: Display,
    {
        let stop = stop.into();
        let waker: ClaimWaker = self.queue.claim_waker();
        while let Some(job) = waker.next_until(worker, &stop)? {
            let _is_settled = self.deliver(&job, &mut deliver)?;
        }
        if stop.is_stopped() { Ok(()) } else { Err(Error::UpdateClosed) }
    }

    fn deliver<F, E>(&self, job: &Job, mut deliver: F) -> Result<bool>
    where
        F: FnMut(serde_json::Value) -> std::result::Result<(), E>,
        E: Display,
    {
        let delivery = match job.payload_as() {
            Ok(payload) => Delivery::of(deliver(payload)),
            Err(error) => Delivery::Invalid(error.to_string()),
        };
        self.settle(job, &delivery)
    }

    /// Settles a job by its delivery. False if the lease was lost meanwhile.
    pub(crate) fn settle(&self, job: &Job, delivery: &Delivery) -> Result<bool> {
        match delivery {
            Delivery::Done => job.ack(),
            Delivery::Failed(error) => job.retry(self.backoff_s(job.attempts), error),
            Delivery::Invalid(problem) => job.fail(&format!("the payload is not JSON: {problem}")),
        }
    }

    fn backoff_s(&self, attempt: i64) -> i64 {
        let doublings = u32::try_from(attempt - 1).unwrap_or(0);
        let factor = 2_i64.saturating_pow(doublings);
        self.base_backoff_s.max(0).saturating_mul(factor).min(LONGEST_BACKOFF_S)
    }
}

/// The longest span that the SQL functions take: 100 years.
const LONGEST_BACKOFF_S: i64 = 3_155_760_000;

/// The outcome of a delivery.
pub enum Delivery {
    Done,
    /// To try again.
    Failed(String),
    /// Never to try again.
    Invalid(String),
}

impl Delivery {
    pub fn of<E: Display>(outcome: std::result::Result<(), E>) -> Self {
        match outcome {
            Ok(()) => Self::Done,
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}
