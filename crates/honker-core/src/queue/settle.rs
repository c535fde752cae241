//! Settling: ending or extending a claim.
//!
//! Invariant: only the holder of the live claim settles. A claim is (id, worker, attempt). The worker's name
//! alone does not fence: a restarted worker may bear the name of the one that died, so callers should pass the
//! attempt as well, which is a different number for each claim of a job. Every operation here tests the claim in
//! the statement that changes the row, or under the write lock that it then changes the row with.

use rusqlite::{Connection, OptionalExtension, params};

use super::dead::bury;
use crate::Result;
use crate::clock::{Instant, Span};

/// A claim that its holder wants to settle.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// The job's id.
    pub id: i64,
    /// Who claimed it.
    pub worker_id: &'a str,
    /// The attempt that was claimed; `None` trusts the worker's name alone.
    pub attempt: Option<i64>,
}

/// Ends a job that succeeded. Whether the claim was held. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn ack(conn: &Connection, held: &Held<'_>) -> Result<bool> {
    let now = Instant::now();
    let mut statement = conn.prepare_cached(include_str!("ack.sql"))?;
    Ok(statement.execute(params![held.id, held.worker_id, held.attempt, now, now.second()])? == 1)
}

/// Ends several jobs that succeeded; how many of the claims were held.
///
/// # Errors
/// Whatever SQLite reports.
pub fn ack_batch<'a>(conn: &Connection, claims: impl IntoIterator<Item = Held<'a>>) -> Result<i64> {
    let mut count = 0;
    for held in claims {
        count += i64::from(ack(conn, &held)?);
    }
    Ok(count)
}

/// Puts a job back to run after `delay`, or buries it when that was its last attempt. Whether the claim was held.
///
/// # Errors
/// Whatever SQLite reports.
pub fn retry(conn: &Connection, held: &Held<'_>, delay: Span, error: &str) -> Result<bool> {
    let Some((attempts, max_attempts)) = budget(conn, held)? else { return Ok(false) };
    if attempts >= max_attempts {
        bury(conn, held.id, error)?;
    } else {
        let run_at =
            if delay.is_positive() { Instant::from_now(delay) } else { Instant::from_seconds(Instant::now().second()) };
        conn.prepare_cached(include_str!("retry.sql"))?.execute(params![held.id, run_at, error])?;
    }
    Ok(true)
}

/// Buries a job that must not run again. Whether the claim was held.
///
/// # Errors
/// Whatever SQLite reports.
pub fn fail(conn: &Connection, held: &Held<'_>, error: &str) -> Result<bool> {
    let is_held = budget(conn, held)?.is_some();
    if is_held {
        bury(conn, held.id, error)?;
    }
    Ok(is_held)
}

/// Makes the lease end `lease` from now, also when that is sooner than before. Whether the claim was held. One
/// statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn heartbeat(conn: &Connection, held: &Held<'_>, lease: Span) -> Result<bool> {
    let now = Instant::now();
    let mut statement = conn.prepare_cached(include_str!("heartbeat.sql"))?;
    let end = Instant::end_of_lease(lease);
    Ok(statement.execute(params![held.id, held.worker_id, held.attempt, now, now.second(), end])? == 1)
}

/// Removes a job, of `queue` or of any. Whether there was one. A handler that is at work on it is not interrupted;
/// its claim is lost. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn cancel(conn: &Connection, id: i64, queue: Option<&str>) -> Result<bool> {
    Ok(conn.prepare_cached(include_str!("cancel.sql"))?.execute(params![id, queue])? == 1)
}

fn budget(conn: &Connection, held: &Held<'_>) -> Result<Option<(i64, i64)>> {
    let now = Instant::now();
    let mut statement = conn.prepare_cached(include_str!("held.sql"))?;
    let found = statement.query_row(params![held.id, held.worker_id, held.attempt, now, now.second()], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    Ok(found.optional()?)
}
