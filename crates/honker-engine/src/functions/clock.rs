//! The clock of the engine.

use honker_domain::test_clock::{self, TestClock};
use honker_domain::{Ctx, Result, clock};

use super::Output;
use crate::arguments::Arguments;

/// The time as a call reads it, always REAL.
#[expect(clippy::unnecessary_wraps, reason = "the type of every function of the table")]
#[expect(clippy::cast_precision_loss, reason = "instants stay below 2^53 ms, see `limits`")]
pub fn now(ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    Ok(Output::Real(ctx.now().as_ms() as f64 / 1e3))
}

/// Sets the clock of this process, which tests set.
pub fn set(_ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let at = arguments.optional_instant(0, "unix_s")?;
    clock::stop(at);
    Ok(at.into())
}

/// The clock of a testing file as JSON, or NULL.
pub fn get_of_file(ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    Ok(test_clock::get(ctx)?.map_or(Output::Null, |state| Output::json(&state)))
}

/// Lets the clock of a testing file run, ahead of the system's.
pub fn run_of_file(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let offset = arguments.span(0, "offset_s")?;
    test_clock::set(ctx, "offset_s", TestClock::Ahead(offset)).map(Output::from)
}

/// Stops the clock of a testing file.
pub fn stop_of_file(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let at = arguments.instant(0, "at")?;
    test_clock::set(ctx, "at", TestClock::Stopped(at)).map(Output::from)
}

/// Moves the clock of a testing file forward.
pub fn advance_of_file(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    test_clock::advance(ctx, arguments.span_from_zero(0, "seconds")?).map(Output::from)
}
