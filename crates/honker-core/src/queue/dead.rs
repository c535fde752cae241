//! Dead letters.

use rusqlite::{Connection, params};

use crate::Result;
use crate::clock::Instant;

/// Moves a job from live to dead.
///
/// The dead letter is written before the live row is deleted. The caller's bracket makes the two one; should it
/// ever be without effect (a host that suspends a write statement of its own around us), a failure in between
/// leaves the job twice rather than nowhere, and the next claim buries it again.
pub(super) fn bury(conn: &Connection, id: i64, last_error: &str) -> Result<()> {
    conn.prepare_cached(include_str!("dead_insert.sql"))?.execute(params![id, last_error, Instant::now().second()])?;
    conn.prepare_cached(include_str!("dead_delete.sql"))?.execute([id])?;
    Ok(())
}
