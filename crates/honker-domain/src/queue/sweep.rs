//! Sweeping: dead-lettering expired jobs that no claim has met.

use rusqlite::params;

use super::transition::{Move, leave};
use super::{history, lost_parents};
use crate::limits::PRUNED_PER_SWEEP;
use crate::{Ctx, Result, schema, sql};

/// Makes dead letters of the expired jobs of the queue that no worker holds. Returns their number.
///
/// A job that expired while it was leased is left to its holder, who may still ack it, until the lease lapses.
///
/// # Errors
/// [`crate::Error::SchemaTooNew`] if the file demands a newer writer, or whatever SQLite reports.
pub fn sweep_expired(ctx: &Ctx<'_>, queue: &str) -> Result<i64> {
    schema::require_writer(ctx)?;
    let expired: Vec<i64> =
        ctx.rows(sql!("sweep_expired.sql"), params![queue, ctx.now(), ctx.second()], |row| row.get(0))?;
    for id in &expired {
        history::record_lost(ctx, *id)?;
        leave(ctx, &Move::DeadLetter { id: *id, queue, error: "expired" })?;
    }
    lost_parents::prune(ctx, ctx.now().as_ms(), PRUNED_PER_SWEEP)?;
    Ok(i64::try_from(expired.len()).unwrap_or(i64::MAX))
}
