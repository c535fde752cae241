//! Schedules, as they are added and as they are stored.

use serde::Deserialize;
use serde_json::Value;

use crate::row::whole;

/// A schedule to add: a job of a queue at each boundary of an expression.
///
/// ```
/// use honker::ScheduledTask;
///
/// let nightly = ScheduledTask {
///     name: "nightly".into(),
///     queue: "reports".into(),
///     schedule: "0 3 * * *".into(),
///     payload: serde_json::json!({"kind": "full"}),
///     priority: 0,
///     expires_s: None,
/// };
/// assert_eq!(nightly, ScheduledTask::cron("nightly", "reports", "0 3 * * *", serde_json::json!({"kind": "full"})));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScheduledTask {
    /// The name; adding another schedule of the same name replaces it.
    pub name: String,
    /// The queue of the jobs.
    pub queue: String,
    /// Five fields (minute, hour, day of month, month, day of week), six with the second first, `@every 90s`, or
    /// `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. In the time zone of the process.
    pub schedule: String,
    /// The payload of the jobs.
    pub payload: Value,
    /// The priority of the jobs.
    pub priority: i64,
    /// Seconds after its boundary in which a job may be claimed.
    pub expires_s: Option<i64>,
}

impl ScheduledTask {
    /// A schedule with priority 0 and jobs that do not expire.
    #[must_use]
    pub fn cron(name: &str, queue: &str, cron: &str, payload: Value) -> Self {
        let (name, queue, schedule) = (name.to_owned(), queue.to_owned(), cron.to_owned());
        Self { name, queue, schedule, payload, ..Self::default() }
    }
}

/// A job that a tick enqueued.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ScheduledFire {
    /// The schedule's name.
    pub name: String,
    /// The queue.
    pub queue: String,
    /// The boundary: Unix seconds, rounded down to whole ones.
    #[serde(deserialize_with = "whole")]
    pub fire_at: i64,
    /// The job's id.
    pub job_id: i64,
}

/// A schedule, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ScheduleRow {
    /// The name.
    pub name: String,
    /// The queue of the jobs.
    pub queue: String,
    /// The expression.
    pub cron_expr: String,
    /// The payload of the jobs: JSON text.
    pub payload: String,
    /// The priority of the jobs.
    pub priority: i64,
    /// Seconds after its boundary in which a job may be claimed.
    pub expires_s: Option<i64>,
    /// The next boundary: Unix seconds, rounded down to whole ones.
    #[serde(deserialize_with = "whole")]
    pub next_fire_at: i64,
    /// False if it is paused.
    pub enabled: bool,
    /// Claims before a job is a dead letter.
    pub max_attempts: i64,
}

/// Changes of a schedule. A field that is none changes nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScheduleUpdate {
    /// Another expression. The next boundary is then the first one from now.
    pub cron_expr: Option<String>,
    /// Another payload.
    pub payload: Option<Value>,
    /// Another priority.
    pub priority: Option<i64>,
    /// Other seconds in which a job may be claimed; `Some(None)` removes the bound.
    pub expires_s: Option<Option<i64>>,
}
