//! Settling: ending or extending a claim.
//!
//! Invariant: only the holder of the live claim settles. A claim is (id, worker, attempt). The worker's name alone does
//! not fence, because a restarted worker may have the name of the one that died. Callers should pass the attempt as well,
//! which is a different number for each claim of a job. Each statement tests the claim while it changes the row.
//!
//! A minimum writer version does not stop settling: a job whose handler has finished would run again.

use rusqlite::params;

use super::held::Held;
use super::pause::{self, Hold};
use super::plain;
use super::slack;
use super::transition::{self, Move, leave};
use crate::clock::{Instant, Span};
use crate::{Ctx, Result, sql};

/// Ends a plain job that succeeded, without a bracket. False, and nothing done, if the claim is not held or the job has ties:
/// [`ack_tied`] then tells which, and ends it.
///
/// # Errors
/// Whatever SQLite reports.
pub fn ack_untied(ctx: &Ctx<'_>, held: &Held<'_>) -> Result<bool> {
    transition::ack_untied(ctx, *held)
}

/// Ends a job that succeeded, whatever ties it has. True if the claim was held.
///
/// # Errors
/// Whatever SQLite reports.
pub fn ack_tied(ctx: &Ctx<'_>, held: &Held<'_>) -> Result<bool> {
    transition::ack_tied(ctx, *held)
}

/// Ends a job that succeeded, in the caller's bracket. True if the claim was held.
///
/// # Errors
/// Whatever SQLite reports.
pub(super) fn ack(ctx: &Ctx<'_>, held: &Held<'_>) -> Result<bool> {
    leave(ctx, &Move::Ack(*held))
}

/// Ends several jobs that succeeded. Returns the number of claims that were held.
///
/// # Errors
/// Whatever SQLite reports.
pub fn ack_batch<'a>(ctx: &Ctx<'_>, claims: impl IntoIterator<Item = Held<'a>>) -> Result<i64> {
    let claims: Vec<_> = claims.into_iter().collect();
    let (mut rest, mut count) = (&claims[..], 0);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(plain::alike(rest.iter().copied()));
        for (held, is_acked) in now.iter().zip(plain::ack(ctx, now)?) {
            count += i64::from(is_acked || ack(ctx, held)?);
        }
        rest = later;
    }
    Ok(count)
}

/// Makes a job wait for its next attempt after `delay`, or dead-letters it after its last one. True if the claim was held.
///
/// # Errors
/// Whatever SQLite reports.
pub fn retry(ctx: &Ctx<'_>, held: &Held<'_>, delay: Span, error: &str) -> Result<bool> {
    let run_at = if delay.is_positive() { ctx.stored(ctx.after(delay))? } else { Instant::from_seconds(ctx.second()) };
    Ok(leave(ctx, &Move::Retry { held: *held, run_at, error })? || fail(ctx, held, error)?)
}

/// Dead-letters a job that must not run again. True if the claim was held.
///
/// # Errors
/// Whatever SQLite reports.
pub fn fail(ctx: &Ctx<'_>, held: &Held<'_>, error: &str) -> Result<bool> {
    leave(ctx, &Move::Fail { held: *held, error })
}

/// A job that wants to run later.
#[derive(Debug, Clone, Copy)]
pub struct Snooze<'a> {
    /// From now.
    pub delay: Span,
    /// The reason; `None` keeps the error of its last attempt.
    pub error: Option<&'a str>,
    /// The jobs that are held back as long.
    pub hold: Option<Hold>,
}

/// Gives a claim back to wait for a delay, with the attempt uncharged; the job counts it in `snoozes`. True if the claim was held.
/// As for [`release`], the caller must not settle the job later.
///
/// The pause that holds other jobs back is written in the same bracket, so it exists if and only if the job is put off.
///
/// # Errors
/// Whatever SQLite reports.
pub fn snooze(ctx: &Ctx<'_>, held: &Held<'_>, snooze: &Snooze<'_>) -> Result<bool> {
    let Snooze { delay, error, hold } = *snooze;
    let run_at = if delay.is_positive() { ctx.stored(ctx.after(delay))? } else { Instant::from_seconds(ctx.second()) };
    let is_held = leave(ctx, &Move::Snooze { held: *held, run_at, error })?;
    if let Some(hold) = hold.filter(|_| is_held) {
        pause::hold(ctx, held.id, hold, run_at)?;
    }
    Ok(is_held)
}

/// Makes a lease end `lease` from now. True if the claim was held: a lapsed one is not revived. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn heartbeat(ctx: &Ctx<'_>, held: &Held<'_>, lease: Span) -> Result<bool> {
    let end = ctx.end_of_lease(lease);
    let slack = |end| slack::leased(held.worker_id, end);
    let last_second = end.rounded_down();
    let (id, worker_id, attempt) = (held.id, held.worker_id, held.attempt);
    let in_shared = (!end.is_whole()).then_some(last_second);
    let params =
        params![id, worker_id, attempt, ctx.now(), ctx.second(), end, slack(end), in_shared, slack(last_second)];
    Ok(ctx.execute(sql!("heartbeat.sql"), params)? == 1)
}

/// Renews several leases, each until `lease` from now. Returns the ids of those that are not held any more.
///
/// If the process dies in between, the caller's bracket undoes all renewals and each lease ends when it did before.
///
/// # Errors
/// Whatever SQLite reports.
pub fn heartbeat_batch<'a>(ctx: &Ctx<'_>, claims: impl IntoIterator<Item = Held<'a>>, lease: Span) -> Result<Vec<i64>> {
    let mut lost = Vec::new();
    for held in claims {
        if !heartbeat(ctx, &held, lease)? {
            lost.push(held.id);
        }
    }
    Ok(lost)
}

/// Gives a claim back as if it had never been made: the attempt is uncharged, and the job waits at its old place or, with
/// a delay, until that has passed. `error` is the reason that the next claim reads; without one the job keeps the error of
/// its last attempt. True if the claim was held.
///
/// `is_unknown` tells that the worker does not know the job's task. The job then keeps the instant of the first such release
/// as `unknown_since`, until any other move.
///
/// The next claim gets the same attempt number again. So the caller must not settle the job later: a worker of the same
/// name may have claimed it since, and the attempt does not tell the two apart.
///
/// # Errors
/// Whatever SQLite reports.
pub fn release(
    ctx: &Ctx<'_>,
    held: &Held<'_>,
    delay: Option<Span>,
    error: Option<&str>,
    is_unknown: bool,
) -> Result<bool> {
    let run_at = delay.filter(|delay| delay.is_positive()).map(|delay| ctx.stored(ctx.after(delay))).transpose()?;
    leave(ctx, &Move::Release { held: *held, run_at, error, is_unknown })
}

/// As [`release`] of a plain job, to its old place and without a bracket. False, and nothing done, if the claim is not held or the
/// job has ties.
///
/// # Errors
/// Whatever SQLite reports.
pub fn release_untied(ctx: &Ctx<'_>, held: &Held<'_>, is_unknown: bool) -> Result<bool> {
    transition::release_untied(ctx, *held, None, None, is_unknown)
}

/// Removes a job, of `queue` or of any. True if there was one. A handler that runs it is not interrupted; its claim is
/// lost. The trace that a waiter for the result reads is written in the bracket of the delete: either both are there, or
/// neither.
///
/// # Errors
/// Whatever SQLite reports.
pub fn cancel(ctx: &Ctx<'_>, id: i64, queue: Option<&str>) -> Result<bool> {
    leave(ctx, &Move::Cancel { id, queue })
}
