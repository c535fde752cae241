//! Results of jobs, kept for callers that wait for them.
//!
//! Each save deletes a few expired results: the table stays bounded by the results that are still valid, without a
//! sweeper.

use rusqlite::params;

use crate::clock::Span;
use crate::limits::CANCEL_TRACE_RETENTION;
use crate::{Ctx, Result, sql};

/// Keeps `value` as the result of a job, replacing an earlier one; for `ttl`, or for ever. The job need not exist.
///
/// Run in a write transaction: its effect also deletes expired results.
///
/// # Errors
/// Whatever SQLite reports.
pub fn save(ctx: &Ctx<'_>, job_id: i64, value: &str, ttl: Option<Span>) -> Result<()> {
    let expires_at = ttl.map(|ttl| ctx.stored(ctx.after(ttl))).transpose()?;
    ctx.change_one(sql!("save.sql"), params![job_id, value, expires_at, ctx.second()])?;
    ctx.note(|effects| {
        effects.saved_result();
    });
    Ok(())
}

/// Remembers that a job was cancelled, so that a waiter sees that no result will come.
///
/// The trace is a row among the results, with a NULL value and an end. Every reader, the reference included, takes a NULL
/// value for "no result", and pruning or sweeping results removes the trace too; so it needs no table or column. Only
/// [`crate::queue::outcome`] looks at it.
pub(crate) fn trace_cancelled(ctx: &Ctx<'_>, job_id: i64) -> Result<()> {
    let expires_at = ctx.stored(ctx.after(CANCEL_TRACE_RETENTION))?;
    ctx.execute(sql!("trace_cancelled.sql"), params![job_id, expires_at, ctx.second(), ctx.now()])?;
    Ok(())
}

/// Deletes up to `limit` expired results. Returns the number deleted. One statement.
pub(crate) fn prune(ctx: &Ctx<'_>, limit: i64) -> Result<usize> {
    ctx.execute(sql!("prune.sql"), params![ctx.now(), limit])
}

/// The result of a job, if there is one that has not expired. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn get(ctx: &Ctx<'_>, job_id: i64) -> Result<Option<String>> {
    let found: Option<Option<String>> = ctx.row(sql!("get.sql"), params![job_id, ctx.now()], |row| row.get(0))?;
    Ok(found.flatten())
}

/// Deletes every expired result. Returns the number deleted. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn sweep(ctx: &Ctx<'_>) -> Result<usize> {
    prune(ctx, i64::MAX)
}
