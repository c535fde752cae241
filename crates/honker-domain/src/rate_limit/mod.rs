//! Fixed-window rate limits.
//!
//! Each new window deletes a few windows that have ended: the table stays as small as the number of names in use,
//! without a sweeper.

use rusqlite::params;

use crate::clock::{Instant, Span};
use crate::limits::EXPIRED_ROWS_PER_WRITE;
use crate::{Ctx, Result, sql};

/// Counts one use of `name`, unless its window of length `per` has had `limit`. True if it was counted.
///
/// In a file that is shared with the reference, `per` is rounded up to whole seconds. Run in a write transaction: a use that
/// opens a window also deletes old ones.
///
/// # Errors
/// Whatever SQLite reports.
pub fn attempt(ctx: &Ctx<'_>, name: &str, limit: i64, per: Span) -> Result<bool> {
    let now = ctx.now();
    let per = if per.is_whole() || !ctx.is_shared()? { per } else { per.rounded_up() };
    let start = Instant::from_ms(now.as_ms().div_euclid(per.as_ms()) * per.as_ms());
    let counts: Vec<i64> = ctx.rows(sql!("count.sql"), params![name, start, limit, start + per], |row| row.get(0))?;
    if counts == [1] {
        ctx.execute(sql!("prune.sql"), params![now, EXPIRED_ROWS_PER_WRITE])?;
    }
    Ok(!counts.is_empty())
}

/// Deletes the windows of all names that began longer than `age` ago. Returns the number deleted. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn sweep(ctx: &Ctx<'_>, age: Span) -> Result<usize> {
    ctx.execute(sql!("sweep.sql"), params![ctx.ago(age)])
}
