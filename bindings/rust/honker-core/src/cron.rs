//! The times of a schedule.

use std::str::FromStr;

use honker_domain::schedule::Expression;

/// A schedule: five or six fields of cron, `@every 30s`, or a name such as `@hourly`.
///
/// Times are in the zone of this process, by `TZ` or else the operating system.
///
/// ```
/// use honker_core::cron::CronSchedule;
///
/// let schedule = CronSchedule::parse("@every 90s")?;
/// assert_eq!(schedule.next_after_unix(1_767_225_600)?, 1_767_225_690);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub struct CronSchedule {
    text: String,
    expression: Expression,
}

impl CronSchedule {
    /// Parses an expression, ignoring white space around it.
    ///
    /// # Errors
    /// A sentence: the expression is not understood, or never matches, as 31 February.
    pub fn parse(expression: &str) -> Result<Self, String> {
        let parsed = Expression::parse(expression, None).map_err(|error| error.to_string())?;
        Ok(Self { text: expression.trim().to_owned(), expression: parsed })
    }

    /// The expression without white space around it.
    #[must_use]
    pub fn expr(&self) -> &str {
        &self.text
    }

    /// The first time strictly after another; both are Unix seconds.
    ///
    /// # Errors
    /// A sentence: the time is out of range, or `TZ` names no time zone.
    pub fn next_after_unix(&self, from: i64) -> Result<i64, String> {
        self.expression.next_after(from).map_err(|error| error.to_string())
    }
}

impl FromStr for CronSchedule {
    type Err = String;

    fn from_str(expression: &str) -> Result<Self, String> {
        Self::parse(expression)
    }
}

/// The first time of an expression strictly after another; both are Unix seconds.
///
/// ```
/// assert_eq!(honker_core::cron::next_after_unix("@every 30s", 100)?, 130);
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// As [`CronSchedule::parse`] and [`CronSchedule::next_after_unix`].
pub fn next_after_unix(expr: &str, from: i64) -> Result<i64, String> {
    CronSchedule::parse(expr)?.next_after_unix(from)
}
