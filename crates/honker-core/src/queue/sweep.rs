//! Sweeping: burying what expired without a claim coming by.

use rusqlite::{Connection, params};

use super::dead::bury;
use crate::Result;
use crate::clock::Instant;

/// Buries every expired job of the queue that nobody is at work on; how many.
///
/// A job that expired while it was leased is left to its holder, who may still ack it, until the lease lapses.
///
/// # Errors
/// Whatever SQLite reports.
pub fn sweep_expired(conn: &Connection, queue: &str) -> Result<i64> {
    let now = Instant::now();
    let expired = conn
        .prepare_cached(include_str!("sweep_expired.sql"))?
        .query_map(params![queue, now, now.second()], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    for id in &expired {
        bury(conn, *id, "expired")?;
    }
    Ok(i64::try_from(expired.len()).unwrap_or(i64::MAX))
}
