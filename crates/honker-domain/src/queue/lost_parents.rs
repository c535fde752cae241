//! Parents that have ended without settling their edges, and children that have gone without taking theirs away.
//!
//! A process of the reference or of an older honker, or a DELETE by hand, knows nothing of edges. Its children would wait for
//! ever. So a claim that finds nothing looks at a few waiting jobs ([`lost`]), and settles the edges of those whose parent is
//! gone by what is known of it ([`rescue`]): a dead letter or an outcome that is kept is a failure; a trace of a cancellation
//! is one; anything else is taken for a success, with its result if one is kept, because an ack is how a job leaves in silence.
//!
//! Edges of a job that is gone harm nothing. They are deleted a few at a time, by each job that is added with parents and by
//! [`super::sweep_expired`].
//!
//! If the process dies in between, the bracket of the claim undoes the rescue, and the next claim finds the same jobs. Two
//! processes that rescue at once do so one after the other, and the second finds no open edge.

use rusqlite::params;

use super::dependencies::{self, End, Fate, ParentFailure};
use crate::clock::Instant;
use crate::limits::{RESCUED_PARENTS_PER_CLAIM, RESCUED_WAITING_PER_CLAIM};
use crate::{Ctx, Result, sql};

/// The next waiting jobs of a queue that have a lost parent, of the few that this call looks at.
pub(super) fn lost(ctx: &Ctx<'_>, queue: &str) -> Result<Vec<i64>> {
    let (mut run_at, mut id) = ctx.waiting_cursor(queue);
    let place = params![queue, Instant::from_ms(run_at), id, RESCUED_WAITING_PER_CLAIM];
    let read = |row: &rusqlite::Row<'_>| Ok((Instant::from_stored(row.get_ref(0)?), row.get(1)?));
    let waiting: Vec<(Option<Instant>, i64)> = ctx.rows(sql!("dependencies_next_waiting.sql"), place, read)?;
    let mut found = Vec::new();
    for (at, child) in &waiting {
        if lost_parent(ctx, *child)?.is_some() {
            found.push(*child);
        }
        (run_at, id) = (at.map_or(run_at, Instant::as_ms), *child);
    }
    let is_last = i64::try_from(waiting.len()).unwrap_or(i64::MAX) < RESCUED_WAITING_PER_CLAIM;
    ctx.set_waiting_cursor(queue, (!is_last).then_some((run_at, id)));
    Ok(found)
}

/// An open edge of a job whose parent cannot end any more, with the end that it is taken to have had.
///
/// One open edge is looked at. If its parent can end, the job waits for that, and the others can be looked at then.
pub(super) fn lost_parent(ctx: &Ctx<'_>, child: i64) -> Result<Option<(i64, End)>> {
    let open: Option<(i64, ParentFailure)> = ctx.row(sql!("dependencies_open.sql"), [child], |row| {
        Ok((row.get(0)?, ParentFailure::named(row.get_ref(1)?.as_str().unwrap_or_default())))
    })?;
    let Some((parent, policy)) = open else { return Ok(None) };
    Ok(match Fate::of(ctx, parent)? {
        Some(Fate::Live) => None,
        Some(Fate::Ended(end)) if end.is_waited_out(policy) => None,
        Some(Fate::Ended(end)) => Some((parent, end)),
        None => Some((parent, End::Done)),
    })
}

/// Settles the edges of lost parents of these jobs, a bounded number.
pub(super) fn rescue(ctx: &Ctx<'_>, children: &[i64]) -> Result<()> {
    let mut left = RESCUED_PARENTS_PER_CLAIM;
    for child in children {
        while left > 0
            && let Some((parent, end)) = lost_parent(ctx, *child)?
        {
            dependencies::settle_edges(ctx, parent, &end)?;
            left -= 1;
        }
    }
    Ok(())
}

/// Deletes the edges of jobs that are gone, of the next few after a place that differs from call to call.
pub(super) fn prune(ctx: &Ctx<'_>, seed: i64, children: usize) -> Result<()> {
    // The bits of a golden ratio: successive ids are spread over all of them. Nothing has to be remembered.
    const SPREAD: i64 = 0x1E37_79B9_7F4A_7C15;
    let largest: i64 = ctx.row(sql!("dependencies_last_child.sql"), [], |row| row.get(0))?.unwrap_or(0);
    let mut after = seed.wrapping_mul(SPREAD).rem_euclid(largest.max(1)) - 1;
    for _ in 0..children {
        let next =
            ctx.row(sql!("dependencies_next_child.sql"), [after], |row| Ok((row.get(0)?, row.get::<_, bool>(1)?)))?;
        let Some((child, exists)) = next else { break };
        if !exists {
            dependencies::forget(ctx, child)?;
        }
        after = child;
    }
    Ok(())
}
