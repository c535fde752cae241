//! Dead letters: how jobs get there, how they get back, and how long they are kept.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};

use crate::Result;
use crate::clock::Instant;
use crate::limits::{EXPIRED_ROWS_PER_WRITE, PRUNE_MAX};
use crate::retention::{Kind, Limits, is_turn, policy};

/// Moves a job from live to dead.
///
/// The dead letter is written before the live row is deleted. The caller's bracket makes the two one; should it
/// ever be without effect (a host that suspends a write statement of its own around us), a failure in between
/// leaves the job twice rather than nowhere, and the next claim buries it again.
pub(super) fn bury(conn: &Connection, id: i64, last_error: &str) -> Result<()> {
    conn.prepare_cached(include_str!("dead_insert.sql"))?.execute(params![id, last_error, Instant::now().second()])?;
    conn.prepare_cached(include_str!("dead_delete.sql"))?.execute([id])?;
    keep_to_policy(conn, id)
}

/// Puts a dead letter, of `queue` or of any, back among the waiting jobs under its old id, with all its attempts before
/// it again. Whether there was one.
///
/// The job is copied before the dead letter is deleted, for the reason that [`bury`] gives.
///
/// # Errors
/// Whatever SQLite reports.
pub fn requeue(conn: &Connection, id: i64, queue: Option<&str>) -> Result<bool> {
    let now = Instant::now();
    let copied =
        conn.prepare_cached(include_str!("requeue_insert.sql"))?.execute(params![id, queue, now.second(), now])?;
    if copied == 1 {
        conn.prepare_cached(include_str!("requeue_delete.sql"))?.execute([id])?;
    }
    Ok(copied == 1)
}

/// Deletes every dead letter of the queue that the limits give up; how many.
///
/// # Errors
/// Whatever SQLite reports.
pub fn prune_dead(conn: &Connection, queue: &str, limits: Limits) -> Result<usize> {
    if limits.keep_all() {
        return Ok(0);
    }
    prune(conn, queue, limits, i64::MAX)
}

/// Deletes a few dead letters that the policy of the queue gives up: old ones at each burial, and those beyond the number
/// that stays, which takes passing over these, at one in [`crate::limits::PRUNE_EVERY`].
fn keep_to_policy(conn: &Connection, buried: i64) -> Result<()> {
    let queue =
        conn.prepare_cached(include_str!("dead_queue.sql"))?.query_row([buried], |row| row.get(0)).optional()?;
    let Some(Value::Text(queue)) = queue else { return Ok(()) };
    let Some(policy) = policy(conn, Kind::Dead, &queue)? else { return Ok(()) };
    if is_turn(buried) {
        prune(conn, &queue, policy.limits, PRUNE_MAX)?;
    } else if policy.limits.max_age.is_some() {
        prune(conn, &queue, Limits { max_keep: None, ..policy.limits }, EXPIRED_ROWS_PER_WRITE)?;
    }
    Ok(())
}

fn prune(conn: &Connection, queue: &str, limits: Limits, limit: i64) -> Result<usize> {
    let surplus: Option<(Value, i64)> = match limits.max_keep {
        Some(max_keep) => conn
            .prepare_cached(include_str!("dead_surplus.sql"))?
            .query_row(params![queue, max_keep], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?,
        None => None,
    };
    let (died_at, id) = surplus.unzip();
    let mut statement = conn.prepare_cached(include_str!("dead_prune.sql"))?;
    Ok(statement.execute(params![queue, died_at, id, limits.old_before(), limit])?)
}
