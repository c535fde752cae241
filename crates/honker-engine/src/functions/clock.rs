//! The clock of the engine.

use honker_core::{Ctx, Result, clock};

use super::Output;
use crate::arguments::Arguments;

/// The time as a call reads it, always REAL.
#[expect(clippy::unnecessary_wraps, reason = "the type of every function of the table")]
#[expect(clippy::cast_precision_loss, reason = "instants stay below 2^53 ms, see `limits`")]
pub fn now(ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    Ok(Output::Real(ctx.now().as_ms() as f64 / 1e3))
}

/// Sets the clock that tests set.
pub fn set(_ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let at = arguments.optional_instant(0, "unix_s")?;
    clock::stop(at);
    Ok(at.into())
}
