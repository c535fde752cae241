//! Fixed-window rate limits.
//!
//! A window that has ended is of no use, so each new window deletes a few that have: the table stays as small as the
//! number of names in use, without a sweeper.

use rusqlite::{Connection, params};

use crate::Result;
use crate::clock::{Instant, Span};
use crate::limits::EXPIRED_ROWS_PER_WRITE;

/// Counts one use of `name`, unless its window of length `per` has had `limit`. Whether it was counted.
///
/// Run in a write transaction: a use that opens a window also deletes old ones.
///
/// # Errors
/// Whatever SQLite reports.
pub fn attempt(conn: &Connection, name: &str, limit: i64, per: Span) -> Result<bool> {
    let now = Instant::now();
    let start = Instant::from_ms(now.as_ms().div_euclid(per.as_ms()) * per.as_ms());
    let mut statement = conn.prepare_cached(include_str!("count.sql"))?;
    let counts = statement
        .query_map(params![name, start, limit, start + per], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    if counts == [1] {
        conn.prepare_cached(include_str!("prune.sql"))?.execute(params![now, EXPIRED_ROWS_PER_WRITE])?;
    }
    Ok(!counts.is_empty())
}

/// Deletes the windows of all names that began longer than `age` ago; how many. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn sweep(conn: &Connection, age: Span) -> Result<usize> {
    let before = Instant::from_ms(Instant::now().as_ms().saturating_sub(age.as_ms()));
    Ok(conn.prepare_cached(include_str!("sweep.sql"))?.execute(params![before])?)
}
