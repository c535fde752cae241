//! Keeping a topic to its retention policy, and pruning it.
//!
//! Offsets are never used again after deletions: the table counts them in `sqlite_sequence`. A consumer that is behind the
//! first event kept goes on there, since it asks for the events after its offset.

use rusqlite::params;

use crate::limits::{JUDGE_SHARE, PRUNE_EVERY, PRUNE_MAX};
use crate::retention::{Kind, Limits, is_turn, judge, policy};
use crate::{Ctx, Result, sql};

/// Deletes a few of the events that the topic's policy gives up, if it is the turn of one of the new offsets.
///
/// The surplus is found by passing over the events that stay. So it is not searched at each turn, but when the log has
/// grown by a share of the events that stay; until then the last finding holds. Each statement is good by itself: the
/// first notes a finding, and the second deletes by it.
pub(super) fn keep_to_policy(ctx: &Ctx<'_>, topic: &str, offsets: &[i64]) -> Result<()> {
    let turns = offsets.iter().filter(|offset| is_turn(**offset)).count();
    let (Some(&last), 1..) = (offsets.last(), turns) else { return Ok(()) };
    let Some(policy) = policy(ctx, Kind::Stream, topic)? else { return Ok(()) };
    let mut surplus_to = policy.surplus_to;
    if let Some(max_keep) = policy.limits.max_keep {
        let pause = (max_keep / JUDGE_SHARE).max(PRUNE_EVERY);
        if policy.judged_at.is_none_or(|at| last - at >= pause) {
            surplus_to = surplus(ctx, topic, max_keep)?;
            judge(ctx, topic, surplus_to, last)?;
        }
    }
    let limit = PRUNE_MAX.saturating_mul(i64::try_from(turns).unwrap_or(i64::MAX));
    delete(ctx, topic, surplus_to, policy.limits, limit)?;
    Ok(())
}

/// Deletes every event of the topic that the limits give up. Returns the number deleted.
///
/// # Errors
/// Whatever SQLite reports.
pub fn prune(ctx: &Ctx<'_>, topic: &str, limits: Limits) -> Result<usize> {
    if limits.keep_all() {
        return Ok(0);
    }
    let surplus_to = limits.max_keep.map_or(Ok(None), |max_keep| surplus(ctx, topic, max_keep))?;
    delete(ctx, topic, surplus_to, limits, i64::MAX)
}

fn surplus(ctx: &Ctx<'_>, topic: &str, max_keep: i64) -> Result<Option<i64>> {
    ctx.row(sql!("surplus.sql"), params![topic, max_keep], |row| row.get(0))
}

fn delete(ctx: &Ctx<'_>, topic: &str, surplus_to: Option<i64>, limits: Limits, limit: i64) -> Result<usize> {
    ctx.execute(sql!("prune.sql"), params![topic, surplus_to, limits.old_before(ctx), limit, limits.old_after(ctx)])
}
