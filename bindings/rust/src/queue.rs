//! Queues: enqueue, claim, inspect.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::claim::ClaimWaker;
use crate::connection::one;
use crate::database::Database;
use crate::error::Result;
use crate::job::{Claimed, Job, JobRow};
use crate::row::{self, encode, parse};
use crate::transaction::Transaction;

/// Options of a queue, for the jobs that this object enqueues and claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueOpts {
    /// Seconds for which a claim leases a job, 1 to 31,536,000; 300 by default.
    pub visibility_timeout_s: i64,
    /// Claims before a job is a dead letter, 1 to 1,000,000; 3 by default.
    pub max_attempts: i64,
}

impl Default for QueueOpts {
    fn default() -> Self {
        Self { visibility_timeout_s: 300, max_attempts: 3 }
    }
}

/// Options of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EnqueueOpts {
    /// Seconds from now until the job may be claimed.
    pub delay: Option<i64>,
    /// Unix seconds from which on the job may be claimed. `delay` goes first if both are given.
    pub run_at: Option<i64>,
    /// A larger priority is claimed sooner.
    pub priority: i64,
    /// Seconds from now after which the job is not claimed any more.
    pub expires: Option<i64>,
}

/// Options that relate a job to others; see [`Queue::enqueue_flow`]. Each one that is none is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FlowOpts {
    /// Jobs of one key share the limits per key of the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// One job of this key may exist in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// If a job of the unique key exists: `existing` (the default), `replace`, `rerun` or `raise`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_conflict: Option<String>,
    /// When the unique key is free again: `finished` (the default) or `started`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_until: Option<String>,
    /// Seconds for which the unique key stays taken after the job has succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_for_s: Option<i64>,
    /// Seconds after the last enqueue of the unique key at which the job starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debounce_s: Option<i64>,
    /// But no later than so many seconds after the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debounce_max_s: Option<i64>,
    /// The job waits until these have ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<i64>,
    /// If one of `after` fails: `cancel` (the default), `run` or `wait`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_parent_failure: Option<String>,
}

/// The outcome of [`Queue::enqueue_flow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct UniqueJob {
    /// The job's id.
    pub id: i64,
    /// True if the unique key was taken: the id is that of the job that has it.
    pub is_duplicate: bool,
}

/// A queue, made by [`Database::queue`]. Clones are cheap.
#[derive(Debug, Clone)]
pub struct Queue {
    db: Database,
    name: Arc<str>,
    opts: QueueOpts,
}

const ENQUEUE: &str = "SELECT honker_enqueue(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const ENQUEUE_UNIQUE: &str = "SELECT honker_enqueue_unique(?1, ?2, ?3)";
const ENQUEUE_MANY: &str = "SELECT honker_enqueue_many(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const CLAIM: &str = "SELECT honker_claim_batch(?1, ?2, ?3, ?4)";

impl Queue {
    pub(crate) fn new(db: &Database, name: &str, opts: QueueOpts) -> Self {
        Self { db: db.clone(), name: name.into(), opts }
    }

    pub(crate) fn db(&self) -> &Database {
        &self.db
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Enqueues a job. Returns its id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for options outside their ranges, [`Error::Json`](crate::Error::Json) for
    /// a payload that JSON cannot hold, and errors of writing.
    pub fn enqueue<P: Serialize + ?Sized>(&self, payload: &P, opts: EnqueueOpts) -> Result<i64> {
        let payload = encode(payload)?;
        self.db.shared().write(|conn| self.insert(conn, &payload, opts))
    }

    /// As [`Queue::enqueue`], as part of a transaction: the job exists if it commits.
    ///
    /// # Errors
    /// As [`Queue::enqueue`].
    pub fn enqueue_tx<P: Serialize + ?Sized>(
        &self,
        tx: &Transaction<'_>,
        payload: &P,
        opts: EnqueueOpts,
    ) -> Result<i64> {
        self.enqueue_on(tx.conn(), payload, opts)
    }

    /// As [`Queue::enqueue`], on a connection of yours, or a transaction of rusqlite on it.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("app.db");
    /// # let db = honker::Database::open(&path)?;
    /// let emails = db.queue("emails", honker::QueueOpts::default());
    /// let mut conn = honker::rusqlite::Connection::open(&path)?;
    /// honker::install(&conn)?;
    ///
    /// let tx = conn.transaction()?;
    /// emails.enqueue_on(&tx, "hello", honker::EnqueueOpts::default())?;
    /// tx.commit()?;
    /// assert!(emails.claim_one("w")?.is_some());
    /// # Ok::<(), honker::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Queue::enqueue`]. "no such function" if [`install`](crate::install) was not called.
    pub fn enqueue_on<P: Serialize + ?Sized>(&self, conn: &Connection, payload: &P, opts: EnqueueOpts) -> Result<i64> {
        self.insert(conn, &encode(payload)?, opts)
    }

    fn insert(&self, conn: &Connection, payload: &str, opts: EnqueueOpts) -> Result<i64> {
        let EnqueueOpts { delay, run_at, priority, expires } = opts;
        one(conn, ENQUEUE, (self.name(), payload, run_at, delay, priority, self.opts.max_attempts, expires))
    }

    /// Enqueues a job for each payload, all or none. Returns their ids, in order.
    ///
    /// # Errors
    /// As [`Queue::enqueue`].
    pub fn enqueue_many<P: Serialize>(&self, payloads: &[P], opts: EnqueueOpts) -> Result<Vec<i64>> {
        let payloads = encode(payloads)?;
        let EnqueueOpts { delay, run_at, priority, expires } = opts;
        let params = (self.name(), payloads, run_at, delay, priority, self.opts.max_attempts, expires, None::<String>);
        parse(&self.db.shared().write(|conn| one::<String>(conn, ENQUEUE_MANY, params))?)
    }

    /// Enqueues a job that is related to others: a unique one, one with a key, or one that runs after others.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = honker::Database::open(folder.path().join("app.db"))?;
    /// use honker::{EnqueueOpts, FlowOpts, QueueOpts};
    ///
    /// let reports = db.queue("reports", QueueOpts::default());
    /// let flow = FlowOpts { unique_key: Some("daily".into()), ..Default::default() };
    /// let first = reports.enqueue_flow("monday", EnqueueOpts::default(), &flow)?;
    /// let second = reports.enqueue_flow("monday", EnqueueOpts::default(), &flow)?;
    /// assert!(second.is_duplicate && second.id == first.id);
    /// # Ok::<(), honker::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Queue::enqueue`]; [`ErrorKind::UniqueKeyTaken`](crate::ErrorKind::UniqueKeyTaken) if `on_conflict` is
    /// `raise`; [`ErrorKind::UnknownParent`](crate::ErrorKind::UnknownParent) for an unknown job in `after`.
    pub fn enqueue_flow<P: Serialize + ?Sized>(
        &self,
        payload: &P,
        opts: EnqueueOpts,
        flow: &FlowOpts,
    ) -> Result<UniqueJob> {
        let payload = encode(payload)?;
        self.db.shared().write(|conn| self.insert_flow(conn, &payload, opts, flow))
    }

    /// As [`Queue::enqueue_flow`], as part of a transaction.
    ///
    /// # Errors
    /// As [`Queue::enqueue_flow`].
    pub fn enqueue_flow_tx<P: Serialize + ?Sized>(
        &self,
        tx: &Transaction<'_>,
        payload: &P,
        opts: EnqueueOpts,
        flow: &FlowOpts,
    ) -> Result<UniqueJob> {
        self.insert_flow(tx.conn(), &encode(payload)?, opts, flow)
    }

    fn insert_flow(&self, conn: &Connection, payload: &str, opts: EnqueueOpts, flow: &FlowOpts) -> Result<UniqueJob> {
        let EnqueueOpts { delay, run_at, priority, expires } = opts;
        let max_attempts = self.opts.max_attempts;
        if flow.unique_key.is_none() {
            // The form for several jobs is the one that takes relations without a unique key.
            let payloads = format!("[{payload}]");
            let params = (self.name(), payloads, run_at, delay, priority, max_attempts, expires, encode(flow)?);
            let ids: Vec<i64> = parse(&one::<String>(conn, ENQUEUE_MANY, params)?)?;
            return Ok(UniqueJob { id: ids.first().copied().unwrap_or_default(), is_duplicate: false });
        }
        let options = Unique { delay, run_at, priority, expires, max_attempts, flow };
        parse(&one::<String>(conn, ENQUEUE_UNIQUE, (self.name(), payload, encode(&options)?))?)
    }

    /// Leases up to `n` due jobs, 0 to 10,000: the highest priority first, then the oldest.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for an empty worker or a number outside the
    /// range, and errors of writing.
    pub fn claim_batch(&self, worker: &str, n: i64) -> Result<Vec<Job>> {
        let params = (self.name(), worker, n, self.opts.visibility_timeout_s);
        let claimed: Vec<Claimed> = parse(&self.db.shared().write(|conn| one::<String>(conn, CLAIM, params))?)?;
        Ok(claimed.into_iter().map(|each| Job::new(self.db.clone(), each)).collect())
    }

    /// Leases the next due job, if there is one.
    ///
    /// # Errors
    /// As [`Queue::claim_batch`].
    pub fn claim_one(&self, worker: &str) -> Result<Option<Job>> {
        Ok(self.claim_batch(worker, 1)?.pop())
    }

    /// Acknowledges jobs that the worker holds. Returns the number of them that it held.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn ack_batch(&self, ids: &[i64], worker: &str) -> Result<i64> {
        let ids = encode(ids)?;
        self.db.shared().write(|conn| one(conn, "SELECT honker_ack_batch(?1, ?2)", (ids, worker)))
    }

    /// Cancels a job, waiting or running. True if there was one; its worker then loses the lease.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn cancel(&self, id: i64) -> Result<bool> {
        self.db.shared().write(|conn| one(conn, "SELECT honker_cancel(?1, ?2)", (id, self.name())))
    }

    /// Puts a dead letter back among the waiting jobs, due at once, with all its attempts. True if there was one.
    ///
    /// # Errors
    /// [`ErrorKind::UniqueKeyTaken`](crate::ErrorKind::UniqueKeyTaken) if another job has its unique key, and errors of
    /// writing.
    pub fn requeue(&self, id: i64) -> Result<bool> {
        self.db.shared().write(|conn| one(conn, "SELECT honker_requeue(?1, ?2)", (id, self.name())))
    }

    /// A job of this queue that waits or runs; none for any other.
    ///
    /// # Errors
    /// Errors of reading.
    pub fn get_job(&self, id: i64) -> Result<Option<JobRow>> {
        let params = (id, self.name());
        let found: String = self.db.shared().read(|conn| one(conn, "SELECT honker_get_job(?1, ?2)", params))?;
        if found.is_empty() { Ok(None) } else { parse(&found).map(Some) }
    }

    /// Removes the jobs whose time to expire has come. Returns their number.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn sweep_expired(&self) -> Result<i64> {
        self.db.shared().write(|conn| one(conn, "SELECT honker_sweep_expired(?1)", [self.name()]))
    }

    /// A worker's end of the queue, which sleeps until there is a job.
    #[must_use]
    pub fn claim_waker(&self) -> ClaimWaker {
        ClaimWaker::new(self.clone())
    }

    /// The time until the next job can be claimed; none if no job waits.
    pub(crate) fn until_next_claim(&self) -> Result<Option<Duration>> {
        const UNTIL: &str = "SELECT nullif(honker_queue_next_claim_at(?1), 0) - honker_clock()";
        let seconds: Option<f64> = self.db.shared().read(|conn| one(conn, UNTIL, [self.name()]))?;
        Ok(seconds.map(row::until))
    }
}

/// The options of a unique job, as the SQL function takes them.
#[derive(Serialize)]
struct Unique<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_at: Option<i64>,
    priority: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    max_attempts: i64,
    #[serde(flatten)]
    flow: &'a FlowOpts,
}
