//! The one place that moves a job between states.
//!
//! ```text
//! move      from                  to          statements              effect
//! take      pending               processing  take
//! ack       processing            (no row)    ack
//! retry     processing            pending     retry
//! release   processing            pending     release
//! lapse     processing, unknown   pending     lapse
//! fail      processing            dead        held, dead_insert, ..   retention of dead letters
//! dead      pending, processing   dead        dead_insert, delete     retention of dead letters
//! cancel    pending, processing   (no row)    cancel                  trace for waiters
//! requeue   dead                  pending     requeue_insert, delete
//! ```
//!
//! Invariant: after each commit a job is in one table and one state, and the effects of its move are written.
//!
//! - *The process dies.* A move of one statement is atomic by itself. `fail`, `dead` and `requeue` insert before they delete,
//!   in the caller's bracket: a crash in between is rolled back. Should the bracket have no effect (a host that suspends a
//!   write statement of its own around us), the job is in two tables rather than in none, and the next claim that meets
//!   it makes the dead letter again. Effects are written in the same bracket, so a crash before them undoes the move as well.
//! - *Two processes.* SQLite has one writer. Each statement tests in its WHERE that the row is in the state it leaves, and
//!   the moves of a holder test the claim (job, worker, attempt, lease). A process that waited for the lock finds that
//!   the row does not match, and changes nothing. `take`, `lapse` and `dead` are given rows that were read under the
//!   write lock, or in the snapshot in which it was taken; so is the row that `fail` tests first.
//! - *COMMIT fails.* The bracket rolls back, and the error reaches the caller. Nothing of a move is kept in memory beyond
//!   the call: the effects are part of its [`Ctx`].
//!
//! `unknown_since` counts the time of a task that no worker knows. `release` sets it if its caller does not know the task,
//! and later ones keep it; `take` leaves it for the worker to read; every other move leaves NULL, `requeue` included. A lapse
//! may hide that the task was unknown, and then the time begins again. It has charged an attempt, so that is bounded.
//!
//! A move that has an effect needs the columns that the effect depends on: the queue now, a key later. Callers that have
//! read the row pass them; `fail` reads them in the statement that tests the claim. No statement says RETURNING: it takes
//! 2 microseconds, as much as the DELETE of a job, where a SELECT by primary key takes a quarter of that (measured).

use rusqlite::params;

use super::settle::Held;
use super::slack;
use crate::clock::Instant;
use crate::{Ctx, Result, sql};

/// A state of a job. An acknowledged or a cancelled job leaves no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits: in `_honker_live`.
    Pending,
    /// It is leased to a worker: in `_honker_live`.
    Processing,
    /// It is a dead letter: in `_honker_dead`.
    Dead,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Processing, Self::Dead];

    /// The state as `_honker_live.state` and the view `_honker_jobs` name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Dead => "dead",
        }
    }
}

/// A move of one job.
#[derive(Debug, Clone, Copy)]
pub(super) enum Move<'a> {
    /// Leases a waiting job and charges the attempt.
    Take { id: i64, worker_id: &'a str, lease_end: Instant },
    /// Ends a job that succeeded.
    Ack(Held<'a>),
    /// Makes a job wait for its next attempt, if it has one left.
    Retry { held: Held<'a>, run_at: Instant, error: &'a str },
    /// Gives a claim back, uncharged; to the old place and with the old error unless others are given.
    Release { held: Held<'a>, run_at: Option<Instant>, error: Option<&'a str>, is_unknown: bool },
    /// Makes a job wait at its old place whose lease has lapsed, or which the reference held back in a state of its own.
    Lapse { id: i64 },
    /// Makes a dead letter of a job that is held.
    Fail { held: Held<'a>, error: &'a str },
    /// Makes a dead letter of a live job of this queue.
    DeadLetter { id: i64, queue: &'a str, error: &'a str },
    /// Removes a live job, leased or not, of a queue or of any.
    Cancel { id: i64, queue: Option<&'a str> },
    /// Makes a dead letter, of a queue or of any, wait again with all its attempts before it.
    Requeue { id: i64, queue: Option<&'a str> },
}

/// Makes a move. False if the job is not where the move begins, or the claim is not held.
pub(super) fn leave(ctx: &Ctx<'_>, step: &Move<'_>) -> Result<bool> {
    let moved = match *step {
        Move::Take { id, worker_id, lease_end } => {
            let slack = slack::leased(worker_id, lease_end);
            ctx.execute(sql!("take.sql"), params![id, worker_id, lease_end, slack])?
        }
        Move::Ack(Held { id, worker_id, attempt }) => {
            ctx.execute(sql!("ack.sql"), params![id, worker_id, attempt, ctx.now(), ctx.second()])?
        }
        Move::Retry { held: Held { id, worker_id, attempt }, run_at, error } => {
            let claim = params![id, worker_id, attempt, ctx.now(), ctx.second(), run_at, error, slack::WAITING];
            ctx.execute(sql!("retry.sql"), claim)?
        }
        Move::Release { held: Held { id, worker_id, attempt }, run_at, error, is_unknown } => {
            let (now, second) = (ctx.now(), ctx.second());
            let claim = params![id, worker_id, attempt, now, second, run_at, error, slack::WAITING, is_unknown];
            ctx.execute(sql!("release.sql"), claim)?
        }
        Move::Lapse { id } => ctx.execute(sql!("lapse.sql"), params![id, slack::WAITING])?,
        Move::Fail { held, error } => return fail(ctx, held, error),
        Move::DeadLetter { id, queue, error } => return dead_letter(ctx, id, Some(queue), error),
        Move::Cancel { id, queue } => {
            let removed = ctx.execute(sql!("cancel.sql"), params![id, queue])?;
            if removed == 1 {
                ctx.note(|effects| effects.cancelled(id));
            }
            removed
        }
        Move::Requeue { id, queue } => return requeue(ctx, id, queue),
    };
    Ok(moved == 1)
}

fn fail(ctx: &Ctx<'_>, Held { id, worker_id, attempt }: Held<'_>, error: &str) -> Result<bool> {
    let claim = params![id, worker_id, attempt, ctx.now(), ctx.second()];
    // A queue that is no text was written by hand, and has no policy.
    let queue = ctx.row(sql!("held.sql"), claim, |row| Ok(row.get_ref(0)?.as_str().ok().map(str::to_owned)))?;
    queue.map_or(Ok(false), |queue| dead_letter(ctx, id, queue.as_deref(), error))
}

fn dead_letter(ctx: &Ctx<'_>, id: i64, queue: Option<&str>, error: &str) -> Result<bool> {
    ctx.execute(sql!("dead_insert.sql"), params![id, error, ctx.second()])?;
    let is_removed = ctx.execute(sql!("dead_delete.sql"), [id])? == 1;
    if let Some(queue) = queue {
        ctx.note(|effects| effects.dead_lettered(queue, id));
    }
    Ok(is_removed)
}

fn requeue(ctx: &Ctx<'_>, id: i64, queue: Option<&str>) -> Result<bool> {
    let params = params![id, queue, ctx.second(), ctx.now(), slack::SMALL_PAYLOAD_BYTES, slack::WAITING];
    let is_copied = ctx.execute(sql!("requeue_insert.sql"), params)? == 1;
    if is_copied {
        ctx.execute(sql!("requeue_delete.sql"), [id])?;
    }
    Ok(is_copied)
}
