//! Pausing a queue: nothing of it is claimed; enqueueing and settling go on.

use rusqlite::params;

use crate::{Ctx, Result, sql};

/// Pauses the queue. False if it was paused already.
///
/// # Errors
/// Whatever SQLite reports.
pub fn pause(ctx: &Ctx<'_>, queue: &str) -> Result<bool> {
    Ok(ctx.execute(sql!("pause.sql"), params![queue, ctx.second()])? == 1)
}

/// Resumes the queue. True if it was paused before.
///
/// # Errors
/// Whatever SQLite reports.
pub fn resume(ctx: &Ctx<'_>, queue: &str) -> Result<bool> {
    Ok(ctx.execute(sql!("resume.sql"), [queue])? == 1)
}
