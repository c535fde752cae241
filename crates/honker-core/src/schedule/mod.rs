//! Schedules: rows that hold a payload and the times at which to enqueue it. `expression` is pure and computes boundaries,
//! `register` keeps the rows, `tick` enqueues the due jobs.

mod cron;
mod cron_field;
mod expression;
mod interval;
mod register;
mod sharing;
mod tick;
mod time_zone;
mod wall_clock;

pub use expression::{Expression, ExpressionError};
pub use register::{Change, NewSchedule, Schedule, list, pause, register, resume, unregister, update};
pub(crate) use sharing::{hazards, make_numeric};
pub use tick::{Fire, soonest, tick};

use std::fmt;

use crate::clock::Instant;
use crate::{Error, Result};

/// The policy for boundaries that passed without a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfire {
    /// Fire each of them, up to [`crate::limits::CATCH_UP_FIRES`].
    CatchUp,
    /// Fire once for all of them.
    Once,
    /// Fire none that is later than [`crate::limits::MISFIRE_GRACE`].
    Skip,
}

impl Misfire {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::CatchUp, Self::Once, Self::Skip];

    /// The name under which the policy is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CatchUp => "catch_up",
            Self::Once => "once",
            Self::Skip => "skip",
        }
    }

    /// The policy of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

impl fmt::Display for Misfire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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
