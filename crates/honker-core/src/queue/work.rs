//! The round of a worker: what has finished is settled, and new work claimed, in one transaction.
//!
//! A worker with many slots would otherwise pay a transaction for each job. The caller brackets `settle` and a claim
//! together: if the process dies anywhere in between, nothing of the round has happened, every claim is still held,
//! and the leases decide as ever.

use rusqlite::Connection;

use super::settle::{Held, ack, fail, release, retry};
use crate::Result;
use crate::clock::Span;
use crate::limits::EXPIRED_ROWS_PER_WRITE;
use crate::result;

/// How a handler ended, and what is to become of its job.
#[derive(Debug, Clone, Copy)]
pub struct Settlement<'a> {
    /// The claim it was at work on.
    pub held: Held<'a>,
    /// What is to become of the job.
    pub ending: Ending<'a>,
    /// What to keep for those who wait, if the claim was held.
    pub result: Option<Kept<'a>>,
}

/// What is to become of a job.
#[derive(Debug, Clone, Copy)]
pub enum Ending<'a> {
    /// It succeeded: see [`ack`].
    Ack,
    /// It is to run again: see [`retry`].
    Retry {
        /// From now.
        delay: Span,
        /// Why.
        error: &'a str,
    },
    /// It must not run again: see [`fail`].
    Fail {
        /// Why.
        error: &'a str,
    },
    /// It was not tried: see [`release`].
    Release {
        /// From now; none for its old place.
        delay: Option<Span>,
        /// Why, if there is anything to say.
        error: Option<&'a str>,
    },
}

/// A result to keep.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    /// The value: JSON text, by convention.
    pub value: &'a str,
    /// How long; for good if none.
    pub ttl: Option<Span>,
}

/// Settles jobs one after the other; for each, whether its claim was held.
///
/// A result is kept only with a claim that was held: the handler of a lost one does not speak for the job any more.
///
/// # Errors
/// Whatever SQLite reports.
pub fn settle(conn: &Connection, settlements: &[Settlement<'_>]) -> Result<Vec<bool>> {
    let mut outcomes = Vec::with_capacity(settlements.len());
    let mut kept = 0;
    for settlement in settlements {
        let is_held = end(conn, settlement)?;
        if let Some(Kept { value, ttl }) = settlement.result.filter(|_| is_held) {
            result::insert(conn, settlement.held.id, value, ttl)?;
            kept += 1;
        }
        outcomes.push(is_held);
    }
    if kept > 0 {
        result::prune(conn, kept * EXPIRED_ROWS_PER_WRITE)?;
    }
    Ok(outcomes)
}

fn end(conn: &Connection, Settlement { held, ending, .. }: &Settlement<'_>) -> Result<bool> {
    match *ending {
        Ending::Ack => ack(conn, held),
        Ending::Retry { delay, error } => retry(conn, held, delay, error),
        Ending::Fail { error } => fail(conn, held, error),
        Ending::Release { delay, error } => release(conn, held, delay, error),
    }
}
