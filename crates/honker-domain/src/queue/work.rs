//! The round of a worker: finished jobs are settled, and new ones claimed, in one transaction.
//!
//! A worker with many slots would otherwise pay a transaction for each job. The caller brackets `settle` and a claim
//! together: if the process dies anywhere in between, nothing of the round has happened, and every claim is held until
//! its lease lapses.

use super::cancel::cancel_held;
use super::held::Held;
use super::plain;
use super::settle::{Snooze, ack, fail, release, retry, snooze};
use crate::clock::Span;
use crate::{Ctx, Result, result, sql};

/// The end of a handler, and the move that its job makes.
#[derive(Debug, Clone, Copy)]
pub struct Settlement<'a> {
    /// The claim that it worked on.
    pub held: Held<'a>,
    /// The move of the job.
    pub ending: Ending<'a>,
    /// The result to keep for callers that wait, if the claim was held.
    pub result: Option<Kept<'a>>,
    /// True if there is a result that is not sent: see [`Settled::Awaited`].
    pub withholds_result: bool,
}

/// The answer to a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The claim was lost.
    Lost,
    /// The claim was held, and the job has made its move.
    Held,
    /// Nothing was done: other jobs wait for this one, and its result is not sent. The holder settles it again, with
    /// the result. A job may gain dependents while it runs, so the claim does not tell.
    Awaited,
}

/// The move of a job whose handler has ended.
#[derive(Debug, Clone, Copy)]
pub enum Ending<'a> {
    /// It succeeded: see [`ack`].
    Ack,
    /// It failed and runs again: see [`retry`].
    Retry {
        /// From now.
        delay: Span,
        /// The reason.
        error: &'a str,
    },
    /// It failed and must not run again: see [`fail`].
    Fail {
        /// The reason.
        error: &'a str,
    },
    /// It wants to run later: see [`snooze`].
    Snooze(Snooze<'a>),
    /// It ended because it was asked to: see [`cancel_held`].
    Cancel,
    /// It was not tried: see [`release`].
    Release {
        /// From now; none for its old place.
        delay: Option<Span>,
        /// The reason, if there is one.
        error: Option<&'a str>,
        /// True if the worker does not know the job's task.
        is_unknown: bool,
    },
}

/// A result to keep.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    /// The value: JSON text, by convention.
    pub value: &'a str,
    /// The time for which it is kept; `None` means for ever.
    pub ttl: Option<Span>,
}

/// Settles jobs in their order; several acks of plain jobs are one statement.
///
/// A result is kept only with a claim that was held: a later holder may store its own.
///
/// # Errors
/// Whatever SQLite reports.
pub fn settle(ctx: &Ctx<'_>, settlements: &[Settlement<'_>]) -> Result<Vec<Settled>> {
    let mut settled = Vec::with_capacity(settlements.len());
    let mut rest = settlements;
    while !rest.is_empty() {
        let acks = rest.iter().take_while(|settlement| matches!(settlement.ending, Ending::Ack));
        let count = plain::alike(acks.map(|settlement| settlement.held));
        let (now, later) = rest.split_at(count.max(1));
        let claims: Vec<_> = now.iter().map(|settlement| settlement.held).collect();
        for (settlement, is_acked) in now.iter().zip(plain::ack(ctx, &claims)?) {
            settled.push(if is_acked { keep_result(ctx, settlement)? } else { settle_one(ctx, settlement)? });
        }
        rest = later;
    }
    Ok(settled)
}

fn settle_one(ctx: &Ctx<'_>, settlement: &Settlement<'_>) -> Result<Settled> {
    if settlement.withholds_result && is_parent(ctx, settlement.held.id)? {
        return Ok(Settled::Awaited);
    }
    if !end(ctx, settlement)? {
        return Ok(Settled::Lost);
    }
    keep_result(ctx, settlement)
}

fn keep_result(ctx: &Ctx<'_>, settlement: &Settlement<'_>) -> Result<Settled> {
    if let Some(Kept { value, ttl }) = settlement.result {
        result::save(ctx, settlement.held.id, value, ttl)?;
    }
    Ok(Settled::Held)
}

fn is_parent(ctx: &Ctx<'_>, id: i64) -> Result<bool> {
    Ok(ctx.row(sql!("dependencies_any.sql"), [id], |_row| Ok(()))?.is_some())
}

fn end(ctx: &Ctx<'_>, Settlement { held, ending, .. }: &Settlement<'_>) -> Result<bool> {
    match *ending {
        Ending::Ack => ack(ctx, held),
        Ending::Retry { delay, error } => retry(ctx, held, delay, error),
        Ending::Fail { error } => fail(ctx, held, error),
        Ending::Snooze(ref terms) => snooze(ctx, held, terms),
        Ending::Cancel => cancel_held(ctx, held),
        Ending::Release { delay, error, is_unknown } => release(ctx, held, delay, error, is_unknown),
    }
}
