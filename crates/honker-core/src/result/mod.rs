//! Results of jobs, kept for those who wait for them.
//!
//! A result whose time is over is of no use, so each save deletes a few of them: the table stays bounded by what is
//! still wanted, without a sweeper.

use rusqlite::{Connection, OptionalExtension, params};

use crate::Result;
use crate::clock::{Instant, Span};
use crate::limits::EXPIRED_ROWS_PER_WRITE;

/// Keeps `value` as the result of a job, replacing an earlier one; for `ttl`, or for good. The job need not exist.
///
/// Run in a write transaction: it also deletes expired results.
///
/// # Errors
/// Whatever SQLite reports.
pub fn save(conn: &Connection, job_id: i64, value: &str, ttl: Option<Span>) -> Result<()> {
    insert(conn, job_id, value, ttl)?;
    prune(conn, EXPIRED_ROWS_PER_WRITE)
}

/// As [`save`], for who saves many and then calls [`prune`] once. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn insert(conn: &Connection, job_id: i64, value: &str, ttl: Option<Span>) -> Result<()> {
    let expires_at = ttl.map(Instant::from_now);
    let created_at = Instant::now().second();
    conn.prepare_cached(include_str!("save.sql"))?.execute(params![job_id, value, expires_at, created_at])?;
    Ok(())
}

/// Deletes up to `limit` expired results. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn prune(conn: &Connection, limit: i64) -> Result<()> {
    conn.prepare_cached(include_str!("prune.sql"))?.execute(params![Instant::now(), limit])?;
    Ok(())
}

/// The result of a job, if there is one whose time is not over. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn get(conn: &Connection, job_id: i64) -> Result<Option<String>> {
    let mut statement = conn.prepare_cached(include_str!("get.sql"))?;
    let found = statement.query_row(params![job_id, Instant::now()], |row| row.get(0)).optional()?;
    Ok(found.flatten())
}

/// Deletes every expired result; how many. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn sweep(conn: &Connection) -> Result<usize> {
    Ok(conn.prepare_cached(include_str!("prune.sql"))?.execute(params![Instant::now(), i64::MAX])?)
}
