//! The record of the moves of jobs: counters by minute, and events of a stream. Both are off unless the file turns them on.
//!
//! `queue::transition` and the statements that add jobs note each move in the [`Ctx`], and the bracket of the call writes them
//! after its work: the record is there if and only if the moves are. A file with neither pays one comparison a move.
//!
//! A connection reads the settings at most once a second, because a read for each call would cost an enqueue several percent. So
//! a change reaches other connections a second later.

use std::time::{Duration, Instant as Moment};

use rusqlite::types::ValueRef;
use serde::Serialize;

use crate::limits::{EVENTS_KEPT, MOVES_PER_EVENT};
use crate::queue::{Held, task_of};
use crate::retention::{self, Limits};
use crate::statements::Statements;
use crate::{Ctx, Error, Result, counters, sql, stream};

/// The topic of the events.
pub const TOPIC: &str = "honker.events";

/// The time for which the settings that were read are good.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// The settings of the record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Recording {
    /// Moves are counted by minute.
    pub counters: bool,
    /// Moves are published to [`TOPIC`].
    pub events: bool,
}

impl Recording {
    /// True if moves are noted at all.
    #[must_use]
    pub const fn is_on(self) -> bool {
        self.counters || self.events
    }
}

/// The settings as a connection has read them last, and when.
pub type Known = Option<(Moment, Recording)>;

/// The settings, at most a second old. A move is refused if they cannot be read: it would leave no record.
pub(crate) fn recording(statements: &Statements) -> Result<Recording> {
    match statements.recording().get() {
        Some((at, recording)) if at.elapsed() < GOOD_FOR => Ok(recording),
        _ => look(statements),
    }
}

#[cold]
fn look(statements: &Statements) -> Result<Recording> {
    let recording = read(statements)?;
    statements.recording().set(Some((Moment::now(), recording)));
    Ok(recording)
}

fn read(statements: &Statements) -> Result<Recording> {
    let row = statements.prepare(sql!("settings.sql"))?.row([], |row| {
        let is_on = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_i64().unwrap_or(0) != 0);
        Ok(Recording { counters: is_on(0)?, events: is_on(1)? })
    })?;
    Ok(row.unwrap_or_default())
}

/// The settings of the file. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn settings(ctx: &Ctx<'_>) -> Result<Recording> {
    read(ctx.statements())
}

/// Changes the settings that are given, and returns all. Events get a policy of retention unless their topic has one. Run in the
/// caller's bracket.
///
/// # Errors
/// Whatever SQLite reports.
pub fn configure(ctx: &Ctx<'_>, counters: Option<bool>, events: Option<bool>) -> Result<Recording> {
    for (name, value) in [("counters", counters), ("events", events)] {
        if let Some(is_on) = value {
            ctx.change_one(sql!("set.sql"), rusqlite::params![name, is_on])?;
        }
    }
    if events == Some(true)
        && !retention::list(ctx)?.iter().any(|policy| policy.kind == "stream" && policy.name == TOPIC)
    {
        let limits = Limits { max_age: None, max_keep: Some(EVENTS_KEPT) };
        retention::set(ctx, retention::Kind::Stream, TOPIC, limits)?;
    }
    ctx.statements().recording().set(None);
    settings(ctx)
}

/// The move of a job, as it is counted and published.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Kind {
    Enqueued,
    Claimed {
        wait_s: f64,
    },
    Done,
    Retried,
    /// An attempt failed, and the job is a dead letter.
    #[serde(rename = "dead")]
    Failed,
    /// The job is a dead letter without an attempt that failed now: it has expired, or its lease has lapsed too often.
    Dead,
    Cancelled,
    Snoozed,
    Released,
    Lapsed,
    Requeued,
}

/// A move that was made.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Moved {
    #[serde(flatten)]
    pub(crate) kind: Kind,
    pub(crate) id: i64,
    pub(crate) queue: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) task: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run_s: Option<f64>,
}

/// Notes a move whose queue and payload are at hand.
pub(crate) fn note(ctx: &Ctx<'_>, kind: Kind, id: i64, queue: &str, payload: &str) -> Result<()> {
    if ctx.recording()?.is_on() {
        let task = task_of(payload).unwrap_or_default();
        ctx.note_move(Moved { kind, id, queue: queue.to_owned(), task, run_s: None });
    }
    Ok(())
}

/// Notes a move of a live job; call it while its row is there. `task` saves reading the payload.
pub(crate) fn note_live(ctx: &Ctx<'_>, kind: Kind, id: i64, task: Option<&str>, run_s: Option<f64>) -> Result<()> {
    if ctx.recording()?.is_on()
        && let Some(moved) = of_live(ctx, kind, id, task, run_s)?
    {
        ctx.note_move(moved);
    }
    Ok(())
}

/// A move of a live job, not noted yet; `None` if there is no such job, or its queue is no text.
pub(crate) fn of_live(
    ctx: &Ctx<'_>,
    kind: Kind,
    id: i64,
    task: Option<&str>,
    run_s: Option<f64>,
) -> Result<Option<Moved>> {
    // A job that another program held back until its time had no lease.
    let was_leased = kind == Kind::Lapsed;
    let moved = ctx.row(sql!("subject.sql"), rusqlite::params![id, task.is_some(), was_leased], |row| {
        Ok(of_row(kind, id, task, run_s, row.get_ref(0)?, row.get_ref(1)?))
    })?;
    Ok(moved.flatten())
}

/// Notes the move of a claim that was read as `subject.sql` reads it. Only while moves are recorded.
pub(crate) fn note_row(ctx: &Ctx<'_>, kind: Kind, held: &Held<'_>, queue: ValueRef<'_>, payload: ValueRef<'_>) {
    if let Some(moved) = of_row(kind, held.id, held.task, held.run_s, queue, payload) {
        ctx.note_move(moved);
    }
}

fn of_row(
    kind: Kind,
    id: i64,
    task: Option<&str>,
    run_s: Option<f64>,
    queue: ValueRef<'_>,
    payload: ValueRef<'_>,
) -> Option<Moved> {
    let queue = queue.as_str().ok()?.to_owned();
    let task = task.map(str::to_owned).or_else(|| task_of(payload.as_str().ok()?)).unwrap_or_default();
    Some(Moved { kind, id, queue, task, run_s })
}

/// Writes the moves of a call. Run in its bracket, after its work.
pub(crate) fn write(ctx: &Ctx<'_>, moves: &[Moved]) -> Result<()> {
    let recording = ctx.recording()?;
    if recording.counters {
        counters::write(ctx, moves)?;
    }
    if recording.events {
        for part in moves.chunks(MOVES_PER_EVENT) {
            let payload = serde_json::to_string(part).map_err(|error| Error::MalformedRow(error.to_string()))?;
            stream::publish(ctx, TOPIC, None, &payload)?;
        }
    }
    Ok(())
}
