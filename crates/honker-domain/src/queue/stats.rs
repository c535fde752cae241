//! Bounded counts of the jobs of a queue.
//!
//! SQLite counts rows by visiting them, and a counter kept beside them would cost each enqueue, claim and ack a second
//! write. So a count stops at a limit that the caller chooses and is marked as exact or not: the cost of statistics does
//! not depend on the size of the queue.

use rusqlite::types::{FromSql, Value};
use rusqlite::{Params, params};
use serde::Serialize;

use super::claim::{Level, Outlook};
use super::transition::State;
use crate::clock::{Instant, Span};
use crate::statements::Sql;
use crate::{Ctx, Error, Result, sql};

/// The statistics of a queue.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "one beside each count, as callers see them")]
pub struct Stats {
    /// The queue's name.
    pub queue: String,
    /// Jobs that are due and wait for a worker.
    pub ready: i64,
    /// False if there may be more; so for the other counts.
    pub ready_is_exact: bool,
    /// Jobs that wait for their time.
    pub delayed: i64,
    /// See `ready_is_exact`.
    pub delayed_is_exact: bool,
    /// Jobs that are leased, those whose lease has lapsed included.
    pub processing: i64,
    /// See `ready_is_exact`.
    pub processing_is_exact: bool,
    /// Of these, jobs whose lease has lapsed: their worker is dead or late, and the next claim takes them back.
    pub lapsed: i64,
    /// See `ready_is_exact`.
    pub lapsed_is_exact: bool,
    /// Jobs that wait for others of their key.
    pub blocked: i64,
    /// See `ready_is_exact`.
    pub blocked_is_exact: bool,
    /// Jobs that wait for their parents.
    pub waiting: i64,
    /// See `ready_is_exact`.
    pub waiting_is_exact: bool,
    /// Dead letters.
    pub dead: i64,
    /// See `ready_is_exact`.
    pub dead_is_exact: bool,
    /// The time since the ready job that has waited longest became due.
    pub oldest_ready_age_s: Option<Span>,
    /// When the first delayed job becomes due.
    pub next_due_at: Option<Instant>,
    /// When the queue was paused, if it is.
    pub paused_at: Option<Instant>,
    /// When the pause ends by itself, if it does.
    pub paused_until: Option<Instant>,
    /// Why it is paused, if that was told.
    pub pause_reason: Option<String>,
}

/// The statistics of a queue, which need not exist. Each count goes up to `limit`. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn stats(ctx: &Ctx<'_>, queue: &str, limit: i64) -> Result<Stats> {
    let now = ctx.now();
    let waiting = Waiting::of(ctx, queue, limit)?;
    let probe = limit + 1;
    let processing = Count::of(limit, number(ctx, sql!("stats_processing.sql"), params![queue, probe])?);
    let lapsed = params![queue, now, now.second(), probe];
    let lapsed = Count::of(limit, number(ctx, sql!("stats_lapsed.sql"), lapsed)?);
    let dead = Count::of(limit, number(ctx, sql!("stats_dead.sql"), params![queue, probe])?);
    let other = |state: State| {
        Ok::<_, Error>(Count::of(limit, number(ctx, sql!("stats_other.sql"), params![queue, state.name(), probe])?))
    };
    let (blocked, parents) = (other(State::Blocked)?, other(State::Waiting)?);
    let pause = ctx.row(sql!("paused_at.sql"), params![queue, now], |row| {
        let reason = row.get_ref(2)?.as_str().ok().map(str::to_owned);
        Ok((Instant::from_stored(row.get_ref(0)?), Instant::from_stored(row.get_ref(1)?), reason))
    })?;
    let (paused_at, paused_until, pause_reason) = pause.unwrap_or_default();
    Ok(Stats {
        queue: queue.to_owned(),
        ready: waiting.ready.number,
        ready_is_exact: waiting.ready.is_exact,
        delayed: waiting.delayed.number,
        delayed_is_exact: waiting.delayed.is_exact,
        processing: processing.number,
        processing_is_exact: processing.is_exact,
        lapsed: lapsed.number,
        lapsed_is_exact: lapsed.is_exact,
        blocked: blocked.number,
        blocked_is_exact: blocked.is_exact,
        waiting: parents.number,
        waiting_is_exact: parents.is_exact,
        dead: dead.number,
        dead_is_exact: dead.is_exact,
        oldest_ready_age_s: waiting.oldest_ready.map(|at| now - at),
        next_due_at: waiting.next_due,
        paused_at,
        paused_until,
        pause_reason,
    })
}

/// The statistics of up to `n` queues that hold something or are paused, by name, from the one after `after` on.
/// Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(ctx: &Ctx<'_>, after: &str, n: usize, limit: i64) -> Result<Vec<Stats>> {
    let mut all = Vec::new();
    let mut name = after.to_owned();
    while all.len() < n {
        // A name that is no text was written by hand, and sorts after every text.
        let Some(Value::Text(next)) = ctx.row(sql!("next_name.sql"), params![name, ctx.now()], |row| row.get(0))?
        else {
            break;
        };
        all.push(stats(ctx, &next, limit)?);
        name = next;
    }
    Ok(all)
}

fn number<T: FromSql + Default>(ctx: &Ctx<'_>, sql: &'static Sql, params: impl Params) -> Result<T> {
    Ok(ctx.row(sql, params, |row| row.get(0))?.unwrap_or_default())
}

#[derive(Clone, Copy)]
struct Count {
    number: i64,
    is_exact: bool,
}

impl Count {
    /// The count that a search for one more than `limit` found.
    fn of(limit: i64, found: i64) -> Self {
        Self { number: found.min(limit), is_exact: found <= limit }
    }
}

/// The jobs that wait, by one walk down the priorities.
struct Waiting {
    ready: Count,
    delayed: Count,
    oldest_ready: Option<Instant>,
    next_due: Option<Instant>,
}

impl Waiting {
    /// At least one job waits at each priority, so the walk takes no more seeks than there are jobs to count. Where every
    /// job has its own priority, the limit stops the walk.
    fn of(ctx: &Ctx<'_>, queue: &str, limit: i64) -> Result<Self> {
        let now = ctx.now();
        let (mut ready, mut delayed) = (0, 0);
        let (mut oldest_ready, mut next_due) = (None, None);
        let mut level = Outlook::of(ctx, queue)?.highest;
        let mut levels_left = limit;
        while let Some(Level { priority, first_due }) = level.as_ref().filter(|_| levels_left > 0) {
            levels_left -= 1;
            oldest_ready = earliest(oldest_ready, first_due.filter(|at| *at <= now));
            let due = params![queue, priority, now, limit + 1 - ready];
            ready += number::<i64>(ctx, sql!("stats_due.sql"), due)?;
            // One at least, for the time of the first.
            let rest = params![queue, priority, now, (limit + 1 - delayed).max(1)];
            let counted = ctx.row(sql!("stats_delayed.sql"), rest, |row| {
                Ok((row.get::<_, i64>(0)?, Instant::from_stored(row.get_ref(1)?)))
            })?;
            let (count, first) = counted.unwrap_or_default();
            delayed += count;
            next_due = earliest(next_due, first);
            level = Level::below(ctx, queue, priority)?;
        }
        let is_whole = level.is_none();
        let exact = |count: Count| Count { is_exact: count.is_exact && is_whole, ..count };
        Ok(Self {
            ready: exact(Count::of(limit, ready)),
            delayed: exact(Count::of(limit, delayed)),
            oldest_ready,
            next_due,
        })
    }
}

fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    [a, b].into_iter().flatten().min()
}
