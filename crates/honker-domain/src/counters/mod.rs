//! Counters of the moves of jobs, by queue, task and minute.
//!
//! A row holds the sums since the first move that was counted, as they stood at the end of its minute. So a call writes one row
//! for each queue and task whose jobs it has moved, the last row is the total, and no total is lost when minutes are pruned.
//!
//! The sums are exact: they are written by the call that moved the jobs, and not later. That costs a statement and a page in the
//! log for each call, more than a tenth of an enqueue; `bench/record.py` measures it. Counts that a connection
//! kept and wrote every second would be cheaper, but others would not see the last ones after a burst, and the end of a
//! process would lose them.
//!
//! - *The process dies.* The counts of a call are written in its bracket, after its moves: both are there, or neither.
//! - *Two processes.* SQLite has one writer, and a row is changed by adding to it.
//! - *The clock is set back.* Counts go on into the last row while that is less than an hour ahead. Beyond, its sums begin a row of
//!   the present minute, and it is deleted. Sums never fall.

use std::collections::BTreeMap;

use rusqlite::{Row, params};
use serde::Serialize;

use crate::limits::{COUNTER_MINUTES, COUNTER_PAIRS};
use crate::moves::{Kind, Moved};
use crate::{Ctx, Result, sql};

/// The counters of one queue and task.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Jobs that were added.
    pub enqueued: i64,
    /// Claims.
    pub claimed: i64,
    /// Jobs that succeeded.
    pub done: i64,
    /// Attempts that failed.
    pub failed: i64,
    /// Attempts that failed and are followed by another.
    pub retried: i64,
    /// Jobs that became dead letters.
    pub dead: i64,
    /// Jobs that were cancelled.
    pub cancelled: i64,
    /// Claims that were put off.
    pub snoozed: i64,
    /// Claims that were given back.
    pub released: i64,
    /// Claims whose lease has lapsed, of jobs that wait again.
    pub lapsed: i64,
    /// Attempts whose running time is known.
    pub runs: i64,
    /// Their seconds.
    pub run_s: f64,
    /// The longest of them, of the minute.
    pub run_max_s: f64,
    /// Seconds from the time at which jobs were due to their claims.
    pub wait_s: f64,
    /// The longest of them, of the minute.
    pub wait_max_s: f64,
}

impl Counts {
    fn add(&mut self, moved: &Moved) {
        match moved.kind {
            Kind::Enqueued => self.enqueued += 1,
            Kind::Claimed { wait_s } => {
                self.claimed += 1;
                self.wait_s += wait_s;
                self.wait_max_s = self.wait_max_s.max(wait_s);
            }
            Kind::Done => self.done += 1,
            Kind::Retried => {
                self.retried += 1;
                self.failed += 1;
            }
            Kind::Failed => {
                self.dead += 1;
                self.failed += 1;
            }
            Kind::Dead => self.dead += 1,
            Kind::Cancelled => self.cancelled += 1,
            Kind::Snoozed => self.snoozed += 1,
            Kind::Released => self.released += 1,
            Kind::Lapsed => self.lapsed += 1,
            Kind::Requeued => {}
        }
        if let Some(run_s) = moved.run_s {
            self.runs += 1;
            self.run_s += run_s;
            self.run_max_s = self.run_max_s.max(run_s);
        }
    }

    /// From the columns of a row that start at `first`.
    fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            enqueued: row.get(first)?,
            claimed: row.get(first + 1)?,
            done: row.get(first + 2)?,
            failed: row.get(first + 3)?,
            retried: row.get(first + 4)?,
            dead: row.get(first + 5)?,
            cancelled: row.get(first + 6)?,
            snoozed: row.get(first + 7)?,
            released: row.get(first + 8)?,
            lapsed: row.get(first + 9)?,
            runs: row.get(first + 10)?,
            run_s: row.get(first + 11)?,
            run_max_s: row.get(first + 12)?,
            wait_s: row.get(first + 13)?,
            wait_max_s: row.get(first + 14)?,
        })
    }
}

/// The counters of a queue and task, at a time or of a minute.
#[derive(Debug, Serialize)]
pub struct Counted {
    /// The queue's name.
    pub queue: String,
    /// The task's name; empty for jobs that are no call of a task.
    pub task: String,
    /// The Unix seconds at which the minute began; of a total, the last one that was counted in.
    pub minute: i64,
    /// The counters.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Adds the moves of a call. Run in its bracket.
///
/// # Errors
/// Whatever SQLite reports.
pub(crate) fn write(ctx: &Ctx<'_>, moves: &[Moved]) -> Result<()> {
    let mut sums: BTreeMap<(&str, &str), Counts> = BTreeMap::new();
    for moved in moves {
        sums.entry((&moved.queue, &moved.task)).or_default().add(moved);
    }
    sums.into_iter().try_for_each(|((queue, task), counts)| add(ctx, queue, task, &counts))
}

fn add(ctx: &Ctx<'_>, queue: &str, task: &str, counts: &Counts) -> Result<()> {
    let minute = ctx.second().div_euclid(60);
    let row = params![
        queue,
        task,
        minute,
        counts.enqueued,
        counts.claimed,
        counts.done,
        counts.failed,
        counts.retried,
        counts.dead,
        counts.cancelled,
        counts.snoozed,
        counts.released,
        counts.lapsed,
        counts.runs,
        counts.run_s,
        counts.run_max_s,
        counts.wait_s,
        counts.wait_max_s,
    ];
    if ctx.execute(sql!("add.sql"), row)? == 1 {
        return Ok(());
    }
    ctx.change_one(sql!("begin.sql"), row)?;
    ctx.execute(sql!("prune.sql"), params![queue, task, minute, COUNTER_MINUTES]).map(drop)
}

/// A queue and task with counters.
struct Pair {
    queue: String,
    task: String,
    /// The last minute that was counted in.
    last: i64,
}

/// The next queue and task with counters.
fn next(ctx: &Ctx<'_>, queue: &str, task: &str) -> Result<Option<Pair>> {
    ctx.row(sql!("next.sql"), [queue, task], |row| {
        Ok(Pair { queue: row.get(0)?, task: row.get(1)?, last: row.get(2)? })
    })
}

/// The sums of up to `n` queues and tasks, in their order, from the one after `queue` and `task` on; without a task, from the
/// first one of the queue on. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn totals(ctx: &Ctx<'_>, queue: &str, task: Option<&str>, n: usize) -> Result<Vec<Counted>> {
    let mut all = Vec::new();
    let mut place = (queue.to_owned(), task.unwrap_or("").to_owned());
    // The smallest task is the empty one, which comes after nothing: it is looked for by itself.
    if task.is_none() {
        all.extend(total(ctx, queue, "")?);
    }
    while all.len() < n
        && let Some(Pair { queue, task, .. }) = next(ctx, &place.0, &place.1)?
    {
        all.extend(total(ctx, &queue, &task)?);
        place = (queue, task);
    }
    Ok(all)
}

/// The sums of a queue and task.
fn total(ctx: &Ctx<'_>, queue: &str, task: &str) -> Result<Option<Counted>> {
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)? * 60, Counts::read(row, 1)?));
    let found = ctx.row(sql!("total.sql"), [queue, task], read)?;
    Ok(found.map(|(minute, counts)| Counted { queue: queue.to_owned(), task: task.to_owned(), minute, counts }))
}

/// The counts of the last minutes.
#[derive(Debug, Serialize)]
pub struct Minutes {
    /// By queue, task and minute. Minutes without a move are left out.
    pub counters: Vec<Counted>,
    /// False if a bound ended the call before the last queue and task.
    pub is_complete: bool,
}

/// The counts of the last minutes, of one queue or of all. Ends with the queue and task that reach `n` rows, or after
/// [`COUNTER_PAIRS`] of them: without an index by minute, those that were not used lately are passed one by one. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn minutes(ctx: &Ctx<'_>, queue: Option<&str>, minutes: i64, n: usize) -> Result<Minutes> {
    let first = ctx.second().div_euclid(60) - minutes + 1;
    let mut counters = Vec::new();
    let mut place = (queue.unwrap_or("").to_owned(), String::new());
    // The smallest task is the empty one, which comes after nothing: it is looked for by itself.
    if queue.is_some() {
        read_minutes(ctx, &place, first, &mut counters)?;
    }
    let mut looked_at = 0;
    while let Some(pair) = next(ctx, &place.0, &place.1)?
        && queue.is_none_or(|queue| queue == pair.queue)
    {
        if counters.len() >= n || looked_at >= COUNTER_PAIRS {
            return Ok(Minutes { counters, is_complete: false });
        }
        looked_at += 1;
        place = (pair.queue, pair.task);
        if pair.last >= first {
            read_minutes(ctx, &place, first, &mut counters)?;
        }
    }
    Ok(Minutes { counters, is_complete: true })
}

fn read_minutes(ctx: &Ctx<'_>, (queue, task): &(String, String), first: i64, all: &mut Vec<Counted>) -> Result<()> {
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, Counts::read(row, 1)?));
    for (minute, counts) in ctx.rows(sql!("minutes.sql"), params![queue, task, first], read)? {
        if minute >= first {
            all.push(Counted { queue: queue.clone(), task: task.clone(), minute: minute * 60, counts });
        }
    }
    Ok(())
}
