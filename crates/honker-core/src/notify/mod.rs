//! Notifications: rows on a channel, for listeners that are there.

use rusqlite::{Connection, params};

use crate::Result;
use crate::clock::Instant;
use crate::limits::{NOTIFICATION_PRUNE_EVERY, NOTIFICATION_PRUNE_MAX, NOTIFICATION_RETENTION};

/// Adds a notification and returns its id.
///
/// Run in a write transaction: now and then it also deletes old rows, so that the table stays bounded without a
/// sweeper.
///
/// # Errors
/// Whatever SQLite reports.
pub fn notify(conn: &Connection, channel: &str, payload: &str) -> Result<i64> {
    let now = Instant::now();
    conn.prepare_cached(include_str!("insert.sql"))?.execute(params![channel, payload, now.second()])?;
    let id = conn.last_insert_rowid();
    if id % NOTIFICATION_PRUNE_EVERY == 0 {
        let before = Instant::from_ms(now.as_ms() - NOTIFICATION_RETENTION.as_ms());
        conn.prepare_cached(include_str!("prune.sql"))?.execute(params![before, NOTIFICATION_PRUNE_MAX])?;
    }
    Ok(id)
}
