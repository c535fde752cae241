//! Schedules: rows that hold a payload and the times at which to enqueue it. `expression` is pure and computes boundaries,
//! `register` keeps the rows, `plan` chooses the boundaries that fire, `tick` enqueues their jobs.

mod cron;
mod cron_field;
mod expression;
mod interval;
mod plan;
mod policy;
mod register;
mod sharing;
mod tick;
mod time_zone;
mod wall_clock;

pub use expression::{Expression, ExpressionError};
pub use policy::{Misfire, Overlap, WhenPaused};
pub use register::{Change, NewSchedule, Schedule, list, pause, register, resume, unregister, update};
pub(crate) use sharing::{hazards, make_numeric};
pub use tick::{Fire, soonest, tick};

use crate::clock::Instant;
use crate::{Error, Result};

/// The first boundary of an expression strictly after an instant.
///
/// # Errors
/// [`Error::InvalidArgument`] for an expression or a time zone that cannot be understood.
pub fn next_after(expression: &str, after: Instant, time_zone: Option<&str>) -> Result<Instant> {
    boundary_after(&parse(expression, time_zone)?, after)
}

fn parse(expression: &str, time_zone: Option<&str>) -> Result<Expression> {
    Expression::parse(expression, time_zone).map_err(|error| invalid_expression(&error))
}

fn boundary_after(expression: &Expression, after: Instant) -> Result<Instant> {
    expression.next_after(after.second()).map(Instant::from_seconds).map_err(|error| invalid_expression(&error))
}

/// The latest boundary that a schedule waits for: the second one from now.
///
/// A boundary is computed as the first after some past instant, so it is never later than the first after now. One beyond
/// the second was stored under a clock that was ahead, and the schedule would stand still until then. One more boundary is
/// allowed, so that a clock that is set back a little fires none twice.
fn latest_boundary(expression: &Expression, now: Instant) -> Result<Instant> {
    boundary_after(expression, boundary_after(expression, now)?)
}

fn invalid_expression(error: &ExpressionError) -> Error {
    let argument = match error {
        ExpressionError::UnknownTimeZone { .. } | ExpressionError::UnknownProcessTimeZone { .. } => "time_zone:",
        _ => "expr:",
    };
    Error::invalid(argument, error.to_string())
}
