//! The workers of a file: each process of workers keeps one row about itself.
//!
//! A report is the whole row, so a report that is lost is made good by the next one. The leases of jobs decide who works on
//! them; only after the clock was set back do reports decide when a lease ends.
//!
//! - *The process dies.* Before the commit of a report the last one stands; after it, the row stays until the worker is lost
//!   and [`report`] of any other worker deletes it. A worker that is stopped deletes its row itself.
//! - *Two processes.* Each writes the row of its own name. A lost worker that was only slow writes its row again.
//! - *The clock is set back.* A row dated in the future counts as seen until the margin of [`FUTURE_MARGIN`] has passed, or its
//!   worker has not reported for three beats: see [`set_back`].

mod set_back;

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use crate::clock::{Instant, Span};
use crate::limits::{
    BEAT_S, FUTURE_MARGIN, LONGEST_BEAT_S, LOST_WORKER_RETENTION, LOST_WORKERS_PER_REPORT, MISSED_BEATS,
    REPORT_ITEMS_MAX, WORKERS_PER_BEAT,
};
use crate::{Ctx, Result, sql};

/// A job at work, as its worker reports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningJob {
    /// The job's id.
    pub id: i64,
    /// The queue's name.
    pub queue: String,
    /// The task that it calls; `None` for a job that is no call of a task.
    pub task: Option<String>,
    /// When it was claimed, in Unix seconds.
    pub since: f64,
}

/// The report of a process of workers about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Its name, unique in the file.
    pub name: String,
    /// When it started.
    pub started_at: Instant,
    /// The name of its machine.
    pub host: String,
    /// Its process id.
    pub pid: i64,
    /// The space of process ids that `pid` belongs to: a process with the same one may look for it.
    pub pid_space: Option<String>,
    /// The version of its honker.
    pub version: String,
    /// It claims no more.
    pub is_stopping: bool,
    /// Jobs that it runs at once at most.
    pub slots: i64,
    /// Jobs that it runs.
    pub busy: i64,
    /// The queues that it works on.
    pub queues: Vec<String>,
    /// The names under which it claims.
    pub worker_ids: Vec<String>,
    /// The jobs that it runs, the first [`REPORT_ITEMS_MAX`] of them.
    pub running: Vec<RunningJob>,
}

/// A worker as it is listed.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// See [`Report::name`]; so for the other fields.
    pub name: String,
    /// `running`, `stopping` or `lost`.
    pub state: &'static str,
    /// When it reported last.
    pub seen_at: Option<Instant>,
    /// See [`Report`].
    pub started_at: Option<Instant>,
    /// See [`Report`].
    pub host: String,
    /// See [`Report`].
    pub pid: i64,
    /// See [`Report`].
    pub pid_space: Option<String>,
    /// See [`Report`].
    pub version: String,
    /// See [`Report`].
    pub slots: i64,
    /// See [`Report`].
    pub busy: i64,
    /// See [`Report`].
    pub queues: Vec<String>,
    /// See [`Report`].
    pub worker_ids: Vec<String>,
    /// See [`Report`].
    pub running: Vec<RunningJob>,
}

/// Writes a report, moves the leases of lost workers after the clock was set back, and deletes a few workers that were lost
/// long ago. Returns the time after which the next report is due if
/// there is nothing new to tell. Run in the caller's bracket.
///
/// # Errors
/// Whatever SQLite reports.
pub fn report(ctx: &Ctx<'_>, report: &Report) -> Result<Span> {
    let beat_s = beat_s(ctx)?;
    let now = ctx.now();
    ctx.change_one(
        sql!("report.sql"),
        params![
            report.name,
            now,
            beat_s,
            report.started_at,
            report.host,
            report.pid,
            report.pid_space,
            report.version,
            report.is_stopping,
            report.slots,
            report.busy,
            list_text(&report.queues),
            list_text(&report.worker_ids),
            list_text(&report.running),
        ],
    )?;
    set_back::move_leases(ctx)?;
    ctx.execute(sql!("prune.sql"), params![ctx.ago(LOST_WORKER_RETENTION), LOST_WORKERS_PER_REPORT])?;
    Ok(Span::from_seconds(beat_s))
}

/// The time between two reports: longer where many workers share the file.
fn beat_s(ctx: &Ctx<'_>) -> Result<i64> {
    let most = LONGEST_BEAT_S * WORKERS_PER_BEAT / BEAT_S;
    let lately = params![ctx.ago(LOST_WORKER_RETENTION), most];
    let workers: i64 = ctx.row(sql!("count.sql"), lately, |row| row.get(0))?.unwrap_or(0);
    Ok(BEAT_S.max(workers * BEAT_S / WORKERS_PER_BEAT))
}

/// The first items of a list, as JSON.
fn list_text<T: Serialize>(items: &[T]) -> String {
    let items = &items[..items.len().min(REPORT_ITEMS_MAX)];
    // Texts, numbers and options always serialise.
    serde_json::to_string(items).unwrap_or_default()
}

/// Deletes the row of a worker that stops. True if there was one. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn leave(ctx: &Ctx<'_>, name: &str) -> Result<bool> {
    Ok(ctx.execute(sql!("leave.sql"), [name])? == 1)
}

/// Up to `n` workers by name, from the one after `after` on. Reads only.
///
/// # Errors
/// Whatever SQLite reports; `HONKER_MALFORMED_ROW` for a row edited into the wrong types.
pub fn list(ctx: &Ctx<'_>, after: &str, n: i64) -> Result<Vec<Listed>> {
    ctx.rows(sql!("list.sql"), params![after, n], |row| read(ctx, row))
}

fn read(ctx: &Ctx<'_>, row: &Row<'_>) -> rusqlite::Result<Listed> {
    let seen_at = Instant::from_stored(row.get_ref(1)?);
    let patience = Span::from_seconds(row.get::<_, i64>(2)?.clamp(BEAT_S, LONGEST_BEAT_S) * MISSED_BEATS);
    let (now, is_stopping) = (ctx.now(), row.get::<_, bool>(8)?);
    let is_seen = seen_at.is_some_and(|at| at + patience >= now && at <= now + FUTURE_MARGIN);
    Ok(Listed {
        name: row.get(0)?,
        state: if !is_seen {
            "lost"
        } else if is_stopping {
            "stopping"
        } else {
            "running"
        },
        seen_at,
        started_at: Instant::from_stored(row.get_ref(3)?),
        host: row.get(4)?,
        pid: row.get(5)?,
        pid_space: row.get(6)?,
        version: row.get(7)?,
        slots: row.get(9)?,
        busy: row.get(10)?,
        queues: items(row, 11)?,
        worker_ids: items(row, 12)?,
        running: items(row, 13)?,
    })
}

/// A list of a report; one that was edited into something else counts as empty.
fn items<T: for<'de> Deserialize<'de>>(row: &Row<'_>, index: usize) -> rusqlite::Result<Vec<T>> {
    Ok(serde_json::from_str(row.get_ref(index)?.as_str()?).unwrap_or_default())
}

/// An instant in the form in which [`RunningJob::since`] holds it.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "instants stay below 2^53 ms, see `limits`")]
pub const fn seconds(at: Instant) -> f64 {
    at.as_ms() as f64 / 1e3
}
