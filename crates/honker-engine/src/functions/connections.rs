//! What concerns the connection that calls.

use std::ops::RangeInclusive;
use std::time::Duration;

use honker_domain::{Ctx, Result};

use super::Output;
use crate::arguments::Arguments;
use crate::{busy, carrier};

/// Milliseconds: up to an hour, beyond which a lock is not busy but forgotten.
pub const BUSY_TIMEOUT_MS: RangeInclusive<i64> = 0..=3_600_000;

pub fn busy_timeout(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let timeout_ms = arguments.integer_in(0, "timeout_ms", &BUSY_TIMEOUT_MS)?;
    busy::set_timeout(ctx.conn(), Duration::from_millis(timeout_ms.unsigned_abs()))?;
    Ok(timeout_ms.into())
}

pub fn carry(_ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    carrier::run_pending()?;
    Ok(false.into())
}

/// The path of the main database, as SQLite has made it absolute; empty for one in memory or a temporary one.
#[expect(clippy::unnecessary_wraps, reason = "the type of every function of the table")]
pub fn database_file(ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    Ok(Output::Text(ctx.conn().path().unwrap_or_default().to_owned()))
}
