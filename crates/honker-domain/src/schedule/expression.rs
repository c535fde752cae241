//! When a schedule fires: parses the expression of a schedule and computes its next boundary. Pure: no database, and
//! the clock is the caller's.
//!
//! # Forms
//!
//! | form | meaning |
//! |---|---|
//! | `@every 30s` | every so many `s`, `m`, `h` or `d` after the last boundary, not aligned to the clock |
//! | `0 9 * * MON-FRI` | minute, hour, day-of-month, month, day-of-week; at second 0 |
//! | `*/10 * * * * *` | the same with seconds first |
//! | `@hourly` `@daily` `@midnight` `@weekly` `@monthly` `@yearly` `@annually` | as in cron |
//!
//! A field is a list of `*`, `N`, `A-B`, `*/STEP` and `A-B/STEP`. Months and weekdays have English three-letter names,
//! 0 and 7 are Sunday. Day-of-month also takes `L` (last day), `15W` (nearest Monday to Friday) and `LW`, day-of-week
//! takes `5#2` (second Friday) and `5L` (last Friday). `N/STEP` is refused: Vixie cron reads it as `N`, others as
//! from `N` on.
//!
//! If both day fields are restricted, a day that meets either matches, as in Vixie cron; if one begins with `*`, or
//! day-of-week begins with `+`, a day must meet both.
//!
//! # Clock changes
//!
//! A wall time the clock skips fires at the first instant after the gap. A wall time the clock repeats fires once, in
//! the first pass; if the hour field is a wildcard or has a step it fires in both passes.

use std::error::Error;
use std::fmt;

use crate::limits::EXPRESSION_MAX_BYTES;

use super::cron::{Cron, HORIZON_YEARS, SearchError};
use super::time_zone::Zone;
use super::{interval, wall_clock};

/// A parsed schedule: a cron expression in a time zone, or a fixed interval.
#[derive(Debug, Clone)]
pub struct Expression {
    /// As written, for error messages.
    text: String,
    rule: Rule,
    zone: Zone,
}

#[derive(Debug, Clone)]
enum Rule {
    Interval { seconds: i64 },
    Cron(Box<Cron>),
}

impl Expression {
    /// Parses `expression`, ignoring white space around it.
    ///
    /// `time_zone` is an IANA name such as `Europe/Berlin`. `None` or `""` means the zone of this process, by the
    /// `TZ` environment variable or else the operating system, looked up at each call of [`Self::next_after`]: two
    /// processes in different zones then disagree about the same schedule, so name a zone where that can happen.
    ///
    /// # Errors
    /// The expression or the zone is not understood, or the expression can never match, such as 31 February.
    pub fn parse(expression: &str, time_zone: Option<&str>) -> Result<Self, ExpressionError> {
        let text = expression.trim();
        if text.len() > EXPRESSION_MAX_BYTES {
            return Err(ExpressionError::TooLong { bytes: text.len() });
        }
        let text = text.to_owned();
        let rule = match text.strip_prefix(interval::PREFIX) {
            Some(rest) => interval::parse(rest).map(|seconds| Rule::Interval { seconds }),
            None => Cron::parse(&text).map(|cron| Rule::Cron(Box::new(cron))),
        };
        let rule = match rule {
            Ok(rule) => rule,
            Err(reason) => {
                return Err(ExpressionError::Syntax { expression: text, reason });
            }
        };
        // On the wall clock, so that whether an expression is accepted does not depend on a zone.
        if let Rule::Cron(cron) = &rule
            && !cron.can_match()
        {
            return Err(ExpressionError::NeverMatches { expression: text });
        }
        let Some(zone) = Zone::find(time_zone) else {
            let time_zone = time_zone.unwrap_or_default().chars().take(EXPRESSION_MAX_BYTES).collect();
            return Err(ExpressionError::UnknownTimeZone { expression: text, time_zone });
        };
        Ok(Self { text, rule, zone })
    }

    /// The first boundary strictly after `after`; both are Unix seconds.
    ///
    /// For `a <= b`, `next_after(a) <= next_after(b)`. Not a pure function of its arguments: time zone rules change
    /// with the zone files of the system, and the zone of the process with `TZ`. A SQL function on top of it must not
    /// be declared deterministic.
    ///
    /// # Errors
    /// `after` or the result is out of range (cron: the years 1 to 4899; interval: 64 bits), or `TZ` names no zone.
    pub fn next_after(&self, after: i64) -> Result<i64, ExpressionError> {
        let out_of_range = || ExpressionError::OutOfRange { expression: self.text.clone(), after };
        let cron = match &self.rule {
            Rule::Interval { seconds } => {
                return after.checked_add(*seconds).ok_or_else(out_of_range);
            }
            Rule::Cron(cron) => cron,
        };
        let zone = self.zone.resolve().map_err(|time_zone| ExpressionError::UnknownProcessTimeZone {
            expression: self.text.clone(),
            time_zone: time_zone.to_string_lossy().into_owned(),
        })?;
        wall_clock::next_boundary(cron, &zone, after).map_err(|error| match error {
            SearchError::OutOfRange => out_of_range(),
            SearchError::NoMatch => ExpressionError::NeverMatches { expression: self.text.clone() },
        })
    }
}

/// Why an expression is refused, or has no next boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpressionError {
    /// The expression is longer than [`EXPRESSION_MAX_BYTES`].
    TooLong {
        /// Its length without surrounding white space.
        bytes: usize,
    },
    /// The expression has none of the accepted forms.
    Syntax {
        /// The expression without surrounding white space.
        expression: String,
        /// What is wrong with it, as a phrase.
        reason: String,
    },
    /// The fields match no date within 100 years.
    NeverMatches {
        /// The expression without surrounding white space.
        expression: String,
    },
    /// No time zone of that name is known.
    UnknownTimeZone {
        /// The expression without surrounding white space.
        expression: String,
        /// The name given, shortened if it is very long.
        time_zone: String,
    },
    /// The schedule follows the zone of the process, but `TZ` is set to something that is no time zone.
    UnknownProcessTimeZone {
        /// The expression without surrounding white space.
        expression: String,
        /// The value of `TZ`.
        time_zone: String,
    },
    /// The starting point, or the boundary after it, is beyond what can be computed.
    OutOfRange {
        /// The expression without surrounding white space.
        expression: String,
        /// The starting point, in Unix seconds.
        after: i64,
    },
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => {
                write!(f, "schedule expression has {bytes} bytes; at most {EXPRESSION_MAX_BYTES} are accepted")
            }
            Self::Syntax { expression, reason } => write!(
                f,
                "schedule expression {expression:?} is not valid: {reason}; accepted are 5 fields (minute hour \
                 day-of-month month day-of-week), 6 fields (second first), @hourly, @daily, @midnight, @weekly, \
                 @monthly, @yearly, @annually and @every followed by a count and one of s, m, h, d (@every 30s)"
            ),
            Self::NeverMatches { expression } => write!(
                f,
                "schedule expression {expression:?} matches no date within {HORIZON_YEARS} years; \
                 use a day that its month has"
            ),
            Self::UnknownTimeZone { expression, time_zone } => write!(
                f,
                "schedule expression {expression:?} has the unknown time zone {time_zone:?}; accepted are IANA names \
                 such as \"Europe/Berlin\" or \"UTC\", and the empty text for the zone of the process"
            ),
            Self::UnknownProcessTimeZone { expression, time_zone } => write!(
                f,
                "schedule expression {expression:?} follows the zone of this process, whose TZ variable {time_zone:?} \
                 is no time zone; set TZ to an IANA name such as \"Europe/Berlin\", or give the schedule a time zone"
            ),
            Self::OutOfRange { expression, after } => write!(
                f,
                "schedule expression {expression:?} has no boundary after the Unix time {after} that can be computed; \
                 accepted for cron are the years 1 to 4899, for @every what fits 64 bits"
            ),
        }
    }
}

impl Error for ExpressionError {}
