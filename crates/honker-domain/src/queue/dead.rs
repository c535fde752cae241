//! Dead letters: their return to the waiting jobs, and their retention.

use rusqlite::params;
use rusqlite::types::Value;

use super::transition::{Move, leave};
use crate::limits::{EXPIRED_ROWS_PER_WRITE, PRUNE_MAX};
use crate::retention::{Kind, Limits, is_turn, policy};
use crate::{Ctx, Result, schema, sql};

/// Puts a dead letter, of `queue` or of any, back among the waiting jobs under its old id, with all its attempts before
/// it again. True if there was one.
///
/// # Errors
/// [`crate::Error::SchemaTooNew`] if the file demands a newer writer, or whatever SQLite reports.
pub fn requeue(ctx: &Ctx<'_>, id: i64, queue: Option<&str>) -> Result<bool> {
    schema::require_writer(ctx)?;
    leave(ctx, &Move::Requeue { id, queue })
}

/// Deletes every dead letter of the queue that the limits give up. Returns the number deleted.
///
/// # Errors
/// Whatever SQLite reports.
pub fn prune_dead(ctx: &Ctx<'_>, queue: &str, limits: Limits) -> Result<usize> {
    if limits.keep_all() {
        return Ok(0);
    }
    prune(ctx, queue, limits, i64::MAX)
}

/// Deletes a few dead letters that the policy of the queue gives up, after others were added: old ones each time; those
/// beyond the number that stays, which takes passing over these, at one dead letter in [`crate::limits::PRUNE_EVERY`].
pub(crate) fn keep_to_policy(ctx: &Ctx<'_>, queue: &str, added: &[i64]) -> Result<()> {
    let Some(policy) = policy(ctx, Kind::Dead, queue)? else { return Ok(()) };
    let times = |rows: i64, count: usize| rows.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX));
    let turns = added.iter().filter(|id| is_turn(**id)).count();
    if turns > 0 {
        prune(ctx, queue, policy.limits, times(PRUNE_MAX, turns))?;
    } else if policy.limits.max_age.is_some() {
        let by_age = Limits { max_keep: None, ..policy.limits };
        prune(ctx, queue, by_age, times(EXPIRED_ROWS_PER_WRITE, added.len()))?;
    }
    Ok(())
}

fn prune(ctx: &Ctx<'_>, queue: &str, limits: Limits, limit: i64) -> Result<usize> {
    let surplus: Option<(Value, i64)> = match limits.max_keep {
        Some(max_keep) => {
            ctx.row(sql!("dead_surplus.sql"), params![queue, max_keep], |row| Ok((row.get(0)?, row.get(1)?)))?
        }
        None => None,
    };
    let (died_at, id) = surplus.unzip();
    let (before, after) = (limits.old_before(ctx), limits.old_after(ctx));
    // First, while the dead letters are there to be found.
    ctx.execute(sql!("dead_prune_attempts.sql"), params![queue, died_at, id, before, limit, after])?;
    ctx.execute(sql!("dead_prune.sql"), params![queue, died_at, id, before, limit, after])
}
