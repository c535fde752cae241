//! How much there is in a queue, without counting all of it.
//!
//! SQLite counts rows by visiting them, and a counter kept beside them would cost each enqueue, claim and ack a second
//! write. So a count goes up to a limit that the caller chooses and says whether it came to the end: what a queue's
//! statistics cost does not depend on how much it holds.

use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, OptionalExtension, Params, params};
use serde::Serialize;

use super::claim::{Level, Outlook};
use crate::Result;
use crate::clock::{Instant, Span};

/// What there is in a queue.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "one beside each count, as callers see them")]
pub struct Stats {
    /// The queue's name.
    pub queue: String,
    /// Jobs that are due and wait for a worker.
    pub ready: i64,
    /// Whether there are exactly so many, and not more; so for the other counts.
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
    /// Dead letters.
    pub dead: i64,
    /// See `ready_is_exact`.
    pub dead_is_exact: bool,
    /// For how long the ready job that has waited longest has been due.
    pub oldest_ready_age_s: Option<Span>,
    /// When the first delayed job becomes due.
    pub next_due_at: Option<Instant>,
    /// Since when the queue is paused.
    pub paused_at: Option<Instant>,
}

/// The statistics of a queue, which need not exist. Each count goes up to `limit`. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn stats(conn: &Connection, queue: &str, limit: i64) -> Result<Stats> {
    let now = Instant::now();
    let waiting = Waiting::of(conn, queue, now, limit)?;
    let probe = limit + 1;
    let processing = Count::of(limit, number(conn, include_str!("stats_processing.sql"), params![queue, probe])?);
    let lapsed = params![queue, now, now.second(), probe];
    let lapsed = Count::of(limit, number(conn, include_str!("stats_lapsed.sql"), lapsed)?);
    let dead = Count::of(limit, number(conn, include_str!("stats_dead.sql"), params![queue, probe])?);
    let paused_at = conn
        .prepare_cached(include_str!("paused_at.sql"))?
        .query_row([queue], |row| Ok(Instant::from_stored(row.get_ref(0)?)))
        .optional()?;
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
        dead: dead.number,
        dead_is_exact: dead.is_exact,
        oldest_ready_age_s: waiting.oldest_ready.map(|at| now - at),
        next_due_at: waiting.next_due,
        paused_at: paused_at.flatten(),
    })
}

/// The statistics of up to `n` queues that hold something or are paused, by name, from the one after `after` on.
/// Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(conn: &Connection, after: &str, n: usize, limit: i64) -> Result<Vec<Stats>> {
    let mut all = Vec::new();
    let mut name = after.to_owned();
    while all.len() < n {
        let mut statement = conn.prepare_cached(include_str!("next_name.sql"))?;
        // A name that is no text was written by hand, and sorts after every text.
        let Value::Text(next) = statement.query_row([&name], |row| row.get(0))? else { break };
        all.push(stats(conn, &next, limit)?);
        name = next;
    }
    Ok(all)
}

fn number<T: FromSql>(conn: &Connection, sql: &str, params: impl Params) -> Result<T> {
    Ok(conn.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
}

#[derive(Clone, Copy)]
struct Count {
    number: i64,
    is_exact: bool,
}

impl Count {
    /// What was found by looking for one more than `limit`.
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
    /// At each priority at least one job waits, so that it takes no more seeks than jobs are to be counted; where all
    /// have priorities of their own, that is what stops the walk.
    fn of(conn: &Connection, queue: &str, now: Instant, limit: i64) -> Result<Self> {
        let (mut ready, mut delayed) = (0, 0);
        let (mut oldest_ready, mut next_due) = (None, None);
        let mut level = Outlook::of(conn, queue)?.highest;
        let mut levels_left = limit;
        while let Some(Level { priority, first_due }) = level.as_ref().filter(|_| levels_left > 0) {
            levels_left -= 1;
            oldest_ready = earliest(oldest_ready, first_due.filter(|at| *at <= now));
            let due = params![queue, priority, now, limit + 1 - ready];
            ready += number::<i64>(conn, include_str!("stats_due.sql"), due)?;
            let mut statement = conn.prepare_cached(include_str!("stats_delayed.sql"))?;
            // One at least, for the time of the first.
            let (count, first): (i64, Option<Instant>) = statement
                .query_row(params![queue, priority, now, (limit + 1 - delayed).max(1)], |row| {
                    Ok((row.get(0)?, Instant::from_stored(row.get_ref(1)?)))
                })?;
            delayed += count;
            next_due = earliest(next_due, first);
            level = Level::below(conn, queue, priority)?;
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
