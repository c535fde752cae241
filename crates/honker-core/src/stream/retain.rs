//! Keeping a topic to its policy of retention, and pruning it.
//!
//! Offsets are never used again, whatever is deleted: the table counts them in `sqlite_sequence`. A consumer that is
//! behind the first event kept goes on there, since it asks for what follows its offset.

use rusqlite::{Connection, OptionalExtension, params};

use crate::Result;
use crate::limits::{JUDGE_SHARE, PRUNE_EVERY, PRUNE_MAX};
use crate::retention::{Kind, Limits, is_turn, judge, policy};

/// Deletes a few of the events that the topic's policy gives up, if it is the turn of one of the new offsets.
///
/// Which events are too many is found by passing over those that stay, so it is not asked at each turn, but when the log
/// has grown by a share of what stays; until then what was found last time holds. Each statement is good by itself: the
/// first notes a fact, and the second deletes what is known to go.
pub(super) fn keep_to_policy(conn: &Connection, topic: &str, offsets: &[i64]) -> Result<()> {
    let turns = offsets.iter().filter(|offset| is_turn(**offset)).count();
    let (Some(&last), 1..) = (offsets.last(), turns) else { return Ok(()) };
    let Some(policy) = policy(conn, Kind::Stream, topic)? else { return Ok(()) };
    let mut surplus_to = policy.surplus_to;
    if let Some(max_keep) = policy.limits.max_keep {
        let pause = (max_keep / JUDGE_SHARE).max(PRUNE_EVERY);
        if policy.judged_at.is_none_or(|at| last - at >= pause) {
            surplus_to = surplus(conn, topic, max_keep)?;
            judge(conn, topic, surplus_to, last)?;
        }
    }
    let limit = PRUNE_MAX.saturating_mul(i64::try_from(turns).unwrap_or(i64::MAX));
    delete(conn, topic, surplus_to, policy.limits, limit)?;
    Ok(())
}

/// Deletes every event of the topic that the limits give up; how many.
///
/// # Errors
/// Whatever SQLite reports.
pub fn prune(conn: &Connection, topic: &str, limits: Limits) -> Result<usize> {
    if limits.keep_all() {
        return Ok(0);
    }
    let surplus_to = limits.max_keep.map_or(Ok(None), |max_keep| surplus(conn, topic, max_keep))?;
    delete(conn, topic, surplus_to, limits, i64::MAX)
}

fn surplus(conn: &Connection, topic: &str, max_keep: i64) -> Result<Option<i64>> {
    let mut statement = conn.prepare_cached(include_str!("surplus.sql"))?;
    Ok(statement.query_row(params![topic, max_keep], |row| row.get(0)).optional()?)
}

fn delete(conn: &Connection, topic: &str, surplus_to: Option<i64>, limits: Limits, limit: i64) -> Result<usize> {
    let mut statement = conn.prepare_cached(include_str!("prune.sql"))?;
    Ok(statement.execute(params![topic, surplus_to, limits.old_before(), limit])?)
}
