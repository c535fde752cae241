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
use crate::limits::{CANCEL_TRACE_RETENTION, EXPIRED_ROWS_PER_WRITE};
use crate::result;

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

/// Renews several leases, each until `lease` from now; the ids of those that are not held any more.
///
/// If the process dies in between, the caller's bracket undoes all of it and each lease ends when it did before.
///
/// # Errors
/// Whatever SQLite reports.
pub fn heartbeat_batch<'a>(
    conn: &Connection,
    claims: impl IntoIterator<Item = Held<'a>>,
    lease: Span,
) -> Result<Vec<i64>> {
    let mut lost = Vec::new();
    for held in claims {
        if !heartbeat(conn, &held, lease)? {
            lost.push(held.id);
        }
    }
    Ok(lost)
}

/// Gives a claim back as if it had never been made: the attempt is uncharged, and the job waits at its old place, or,
/// with a delay, until that has passed. `error` says why, and is what the next claim is told; without one the job keeps
/// the error of its last attempt. Whether the claim was held. One statement.
///
/// The next claim gets the same attempt number again. So whoever releases must be through with the job: should it settle
/// it later, after a worker of the very same name has claimed it, the attempt would not tell the two apart.
///
/// # Errors
/// Whatever SQLite reports.
pub fn release(conn: &Connection, held: &Held<'_>, delay: Option<Span>, error: Option<&str>) -> Result<bool> {
    let now = Instant::now();
    let run_at = delay.filter(|delay| delay.is_positive()).map(Instant::from_now);
    let mut statement = conn.prepare_cached(include_str!("release.sql"))?;
    let params = params![held.id, held.worker_id, held.attempt, now, now.second(), run_at, error];
    Ok(statement.execute(params)? == 1)
}

/// Removes a job, of `queue` or of any. Whether there was one. A handler that is at work on it is not interrupted;
/// its claim is lost.
///
/// Whoever waits for the job's result must be able to see that none will come. A cancelled job therefore leaves a row
/// among the results, with a NULL value and an end. Every reader, the reference included, takes a NULL value for "no
/// result", and what prunes or sweeps results removes the trace too; so no table or column is needed for it. Only
/// [`super::outcome`] looks at it. The trace is written in the bracket of the delete: either both are there, or none.
///
/// # Errors
/// Whatever SQLite reports.
pub fn cancel(conn: &Connection, id: i64, queue: Option<&str>) -> Result<bool> {
    if conn.prepare_cached(include_str!("cancel.sql"))?.execute(params![id, queue])? == 0 {
        return Ok(false);
    }
    let now = Instant::now();
    let expires_at = Instant::from_now(CANCEL_TRACE_RETENTION);
    conn.prepare_cached(include_str!("cancel_trace.sql"))?.execute(params![id, expires_at, now.second(), now])?;
    result::prune(conn, EXPIRED_ROWS_PER_WRITE)?;
    Ok(true)
}

fn budget(conn: &Connection, held: &Held<'_>) -> Result<Option<(i64, i64)>> {
    let now = Instant::now();
    let mut statement = conn.prepare_cached(include_str!("held.sql"))?;
    let found = statement.query_row(params![held.id, held.worker_id, held.attempt, now, now.second()], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    Ok(found.optional()?)
}
