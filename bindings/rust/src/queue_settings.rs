//! Settings, pauses and counts of a queue.

use serde::{Deserialize, Serialize};

use crate::connection::one;
use crate::error::Result;
use crate::queue::Queue;
use crate::row::{encode, parse};

/// The number of jobs that may start in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(i64, f64)", into = "(i64, f64)")]
pub struct Rate {
    /// Starts, 1 to 1,000,000.
    pub limit: i64,
    /// The seconds in which they are allowed, more than 0.
    pub per_s: f64,
}

impl From<(i64, f64)> for Rate {
    fn from((limit, per_s): (i64, f64)) -> Self {
        Self { limit, per_s }
    }
}

impl From<Rate> for (i64, f64) {
    fn from(rate: Rate) -> Self {
        (rate.limit, rate.per_s)
    }
}

/// The effect of a dead letter on the jobs behind it in an ordered queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDead {
    /// The jobs of its key wait until it is requeued or deleted. This is the default.
    Block,
    /// The next job of its key runs.
    Continue,
}

/// The settings of a queue, which every process and language obeys. None is no limit.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct QueueSettings {
    /// Jobs in flight at most, over all processes.
    pub concurrency: Option<i64>,
    /// Jobs of one key in flight at most, over all processes.
    pub concurrency_per_key: Option<i64>,
    /// True if the jobs of a key run one at a time, by priority and id.
    pub ordered: Option<bool>,
    /// The effect of a dead letter in an ordered queue.
    pub on_dead: Option<OnDead>,
    /// Starts of the queue, over all processes.
    pub rate: Option<Rate>,
    /// Starts of each key, over all processes.
    pub rate_per_key: Option<Rate>,
    /// Starts that may come at once.
    pub burst: Option<i64>,
    /// Seconds for which finished jobs are kept for inspection.
    pub keep_finished_s: Option<f64>,
}

/// Changes of the settings of a queue. A field that is none changes nothing; `Some(None)` removes a setting.
///
/// ```
/// use honker::{QueueUpdate, Rate};
///
/// let update = QueueUpdate {
///     concurrency: Some(Some(3)),
///     rate: Some(Some(Rate { limit: 100, per_s: 60.0 })),
///     burst: Some(None),
///     ..QueueUpdate::default()
/// };
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct QueueUpdate {
    /// Jobs in flight at most, over all processes: 1 to 1,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Option<i64>>,
    /// Jobs of one key in flight at most, over all processes: 1 to 1,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_per_key: Option<Option<i64>>,
    /// True to run the jobs of a key one at a time, by priority and id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordered: Option<Option<bool>>,
    /// The effect of a dead letter in an ordered queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_dead: Option<Option<OnDead>>,
    /// Starts of the queue, over all processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Option<Rate>>,
    /// Starts of each key, over all processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_key: Option<Option<Rate>>,
    /// Starts that may come at once, 1 to 1,000,000. It needs a rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<Option<i64>>,
    /// Seconds for which finished jobs are kept for inspection, more than 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_finished_s: Option<Option<f64>>,
}

/// Counts of the jobs of a queue, all of one moment. Each stops at 10,000 and is a lower bound then.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "StatsRow")]
pub struct QueueStats {
    /// Jobs that are due.
    pub ready: i64,
    /// Jobs that are not due yet.
    pub delayed: i64,
    /// Jobs that are leased.
    pub processing: i64,
    /// Leased jobs whose lease has expired; the next claim takes them back.
    pub lapsed: i64,
    /// Jobs that wait for others of their key.
    pub blocked: i64,
    /// Jobs that wait for the jobs after which they run.
    pub waiting: i64,
    /// Dead letters.
    pub dead: i64,
    /// False if a count has stopped.
    pub is_exact: bool,
    /// The age in seconds of the ready job that has been due for longest.
    pub oldest_ready_age_s: Option<f64>,
    /// The instant at which the first delayed job becomes due, in Unix seconds.
    pub next_due_at: Option<f64>,
    /// The instant of the pause, in Unix seconds; none if the queue runs.
    pub paused_at: Option<f64>,
}

/// The counts of a queue, as the SQL function returns them.
#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each count of the row has one")]
struct StatsRow {
    ready: i64,
    ready_is_exact: bool,
    delayed: i64,
    delayed_is_exact: bool,
    processing: i64,
    processing_is_exact: bool,
    lapsed: i64,
    lapsed_is_exact: bool,
    blocked: i64,
    blocked_is_exact: bool,
    waiting: i64,
    waiting_is_exact: bool,
    dead: i64,
    dead_is_exact: bool,
    oldest_ready_age_s: Option<f64>,
    next_due_at: Option<f64>,
    paused_at: Option<f64>,
}

impl From<StatsRow> for QueueStats {
    fn from(row: StatsRow) -> Self {
        Self {
            ready: row.ready,
            delayed: row.delayed,
            processing: row.processing,
            lapsed: row.lapsed,
            blocked: row.blocked,
            waiting: row.waiting,
            dead: row.dead,
            is_exact: row.ready_is_exact
                && row.delayed_is_exact
                && row.processing_is_exact
                && row.lapsed_is_exact
                && row.blocked_is_exact
                && row.waiting_is_exact
                && row.dead_is_exact,
            oldest_ready_age_s: row.oldest_ready_age_s,
            next_due_at: row.next_due_at,
            paused_at: row.paused_at,
        }
    }
}

impl Queue {
    /// Changes settings of the queue. Returns all settings. A lower limit stops nothing that runs.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = honker::Database::open(folder.path().join("app.db"))?;
    /// use honker::{QueueOpts, QueueUpdate};
    ///
    /// let emails = db.queue("emails", QueueOpts::default());
    /// let settings = emails.configure(&QueueUpdate { concurrency: Some(Some(3)), ..Default::default() })?;
    /// assert_eq!(settings.concurrency, Some(3));
    /// # Ok::<(), honker::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a setting outside its range, and errors of
    /// writing.
    pub fn configure(&self, update: &QueueUpdate) -> Result<QueueSettings> {
        const CONFIGURE: &str = "SELECT honker_queue_configure(?1, ?2)";
        let params = (self.name(), encode(update)?);
        parse(&self.db().shared().write(|conn| one::<String>(conn, CONFIGURE, params))?)
    }

    /// The settings of the queue.
    ///
    /// # Errors
    /// Errors of reading.
    pub fn settings(&self) -> Result<QueueSettings> {
        const SETTINGS: &str = "SELECT honker_queue_settings(?1)";
        parse(&self.db().shared().read(|conn| one::<String>(conn, SETTINGS, [self.name()]))?)
    }

    /// Stops claims in every process until [`Queue::resume`]. True if the queue was running.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn pause(&self) -> Result<bool> {
        self.db().shared().write(|conn| one(conn, "SELECT honker_queue_pause(?1)", [self.name()]))
    }

    /// Allows claims again. True if the queue was paused.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn resume(&self) -> Result<bool> {
        self.db().shared().write(|conn| one(conn, "SELECT honker_queue_resume(?1)", [self.name()]))
    }

    /// Counts the jobs of the queue by state.
    ///
    /// # Errors
    /// Errors of reading.
    pub fn stats(&self) -> Result<QueueStats> {
        const STATS: &str = "SELECT honker_queue_stats(?1)";
        parse(&self.db().shared().read(|conn| one::<String>(conn, STATS, [self.name()]))?)
    }
}
