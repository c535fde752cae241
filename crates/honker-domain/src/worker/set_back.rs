//! Leases of dead workers after the clock was set back.
//!
//! A lease ends by the clock, so after the clock was set back a dead worker's job would wait until the clock has caught up. A job does
//! not hold the length of its lease, since each claim would pay for it. But the last report of the worker is dated by the
//! same clock as its leases. So the other workers find a report that is dated in the future, and if none follows in
//! time, they move the leases back together with the report.
//!
//! Invariant: no lease ends before its worker counts on it. A lease with the end E that was taken or renewed under the clock ahead
//! lasts, from the last report on, for at most E - `seen_at` of true time: it was written then or later. It is given that time
//! from the instant at which another worker met the report, which is later. A lease that ends before `seen_at` was
//! written under the clock that was set back, or had lapsed, and is left alone. So is each lease of a worker that
//! reports again. One case is left: a worker takes a lease that is longer than the step of the clock, and before its next
//! report it stops for three beats. Then its lease is shorter by the step.
//!
//! - *The process dies* in the middle: the bracket of the report undoes all.
//! - *Two processes*: one moves the leases and dates the report anew, so the other finds no report in the future.

use rusqlite::{Row, params};

use crate::clock::{Instant, Span};
use crate::limits::{BEAT_S, LONGEST_BEAT_S, LOST_WORKERS_PER_REPORT, MISSED_BEATS, MOVED_LEASES_PER_QUEUE};
use crate::{Ctx, Result, sql};

/// A report that is dated in the future.
struct Ahead {
    name: String,
    seen_at: Instant,
    patience: Span,
    met_at: Option<Instant>,
    queues: Vec<String>,
    worker_ids: String,
}

impl Ahead {
    /// `None` for a row that was edited into the wrong types.
    fn read(row: &Row<'_>) -> rusqlite::Result<Option<Self>> {
        let text = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_str().ok().map(str::to_owned));
        let beats = row.get_ref(2)?.as_i64().unwrap_or(BEAT_S).clamp(BEAT_S, LONGEST_BEAT_S) * MISSED_BEATS;
        let (Some(name), Some(seen_at)) = (text(0)?, Instant::from_stored(row.get_ref(1)?)) else { return Ok(None) };
        let names = |index| Ok::<_, rusqlite::Error>(serde_json::from_str(&text(index)?.unwrap_or_default()).ok());
        let worker_ids: Vec<String> = names(5)?.unwrap_or_default();
        Ok(Some(Self {
            name,
            seen_at,
            patience: Span::from_seconds(beats),
            met_at: Instant::from_stored(row.get_ref(3)?),
            queues: names(4)?.unwrap_or_default(),
            worker_ids: super::list_text(&worker_ids),
        }))
    }
}

/// Moves the leases of workers whose reports are dated in the future and that have reported no more.
pub(super) fn move_leases(ctx: &Ctx<'_>) -> Result<()> {
    let from = ctx.now() + Span::from_seconds(BEAT_S);
    for found in ctx.rows(sql!("ahead.sql"), params![from, LOST_WORKERS_PER_REPORT], Ahead::read)? {
        let Some(worker) = found else { continue };
        match worker.met_at.filter(|met| *met <= ctx.now()) {
            None => drop(ctx.execute(sql!("ahead_met.sql"), params![worker.name, ctx.now()])?),
            Some(met) if met + worker.patience < ctx.now() => move_those_of(ctx, &worker, met)?,
            Some(_) => {}
        }
    }
    Ok(())
}

/// Moves a bounded number of leases for each queue. Later reports move the rest, until the report of the worker itself
/// is dated anew.
///
/// No lease is moved twice. One that is no longer than the step ends before `seen_at` once it is moved, and is found no more.
/// Longer ones still end after it, so they are moved once, in the report that dates the worker anew. Beyond the bound
/// of that one report such a lease keeps its end, which is less than twice its length away.
fn move_those_of(ctx: &Ctx<'_>, worker: &Ahead, met: Instant) -> Result<()> {
    // Whole seconds, so that a lease keeps its form.
    let step_s = (worker.seen_at - met).as_ms().div_euclid(1_000);
    // A second less, because the end of a lease may be a REAL, and its difference to the step a rounded one.
    let longer = worker.seen_at + Span::from_seconds(step_s - 1);
    let mut is_done = true;
    for queue in &worker.queues {
        is_done &= move_in(ctx, worker, queue, (worker.seen_at, Some(longer)), step_s, met)?;
    }
    if !is_done {
        return Ok(());
    }
    for queue in &worker.queues {
        move_in(ctx, worker, queue, (longer, None), step_s, met)?;
    }
    ctx.execute(sql!("ahead_lost.sql"), params![worker.name, met])?;
    Ok(())
}

/// Moves leases that end after the first instant, and at the second one or before. True if none is left.
fn move_in(
    ctx: &Ctx<'_>,
    worker: &Ahead,
    queue: &str,
    (after, until): (Instant, Option<Instant>),
    step_s: i64,
    met: Instant,
) -> Result<bool> {
    let due = met.rounded_down();
    let most = MOVED_LEASES_PER_QUEUE;
    let leases = params![queue, after, until, worker.worker_ids, step_s, most, due];
    let moved = ctx.execute(sql!("ahead_leases.sql"), leases)?;
    Ok(i64::try_from(moved).is_ok_and(|moved| moved < most))
}
