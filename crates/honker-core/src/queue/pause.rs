//! Holding a queue back: while it is paused nothing of it is claimed; enqueueing and settling go on.

use rusqlite::{Connection, params};

use crate::Result;
use crate::clock::Instant;

/// Pauses the queue. Whether it ran before.
///
/// # Errors
/// Whatever SQLite reports.
pub fn pause(conn: &Connection, queue: &str) -> Result<bool> {
    let changed = conn.prepare_cached(include_str!("pause.sql"))?.execute(params![queue, Instant::now().second()])?;
    Ok(changed == 1)
}

/// Resumes the queue. Whether it was paused before.
///
/// # Errors
/// Whatever SQLite reports.
pub fn resume(conn: &Connection, queue: &str) -> Result<bool> {
    Ok(conn.prepare_cached(include_str!("resume.sql"))?.execute([queue])? == 1)
}
