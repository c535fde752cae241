//! Time as honker stores it: milliseconds since the Unix epoch, from the wall clock.
//!
//! An instant that is a whole number of seconds is stored as INTEGER, anything else as REAL. Other engines that
//! share the file read INTEGER only, so the whole-second form is kept wherever it loses nothing, and in a shared file
//! everywhere: see `Ctx::stored`.
//!
//! The clock is read by [`Reading::take`] and nowhere else. Tests may stop it with [`stop`], and a testing file has a
//! clock of its own: see [`crate::test_clock`].

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use serde::{Serialize, Serializer};

/// Milliseconds in a second.
const SECOND_MS: i64 = 1_000;

/// A point in time, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(i64);

/// A span of time in milliseconds; may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(i64);

impl Span {
    /// A span of whole milliseconds.
    #[must_use]
    pub const fn from_ms(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// A span of whole seconds.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND_MS))
    }

    /// A span of `seconds`, rounded up to the millisecond, so that a wait is never too short and a positive span stays
    /// positive.
    ///
    /// The thousandth of a millisecond that is subtracted first is the error of decimal fractions in binary:
    /// without it, 0.07 s would become 71 ms.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and callers check the range first")]
    pub fn from_fractional_seconds(seconds: f64) -> Self {
        let rounded = (seconds * 1e3 - 1e-3).ceil() as i64;
        Self(if seconds > 0.0 { rounded.max(1) } else { rounded })
    }

    /// True if the span is longer than 0.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// The length in milliseconds.
    #[must_use]
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    pub(crate) const fn is_whole(self) -> bool {
        self.0 % SECOND_MS == 0
    }

    /// The shortest span of whole seconds that is no shorter.
    pub(crate) const fn rounded_up(self) -> Self {
        Self::from_seconds(ceil_second(self.0))
    }
}

/// The first whole second that is not before `ms`.
const fn ceil_second(ms: i64) -> i64 {
    ms.div_euclid(SECOND_MS) + (ms.rem_euclid(SECOND_MS) != 0) as i64
}

impl Instant {
    /// An instant at a whole second.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND_MS))
    }

    /// An instant at a whole number of milliseconds.
    #[must_use]
    pub const fn from_ms(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// An instant as SQL gives it, rounded to the millisecond.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and a stored instant may be anything")]
    pub fn from_fractional_seconds(seconds: f64) -> Self {
        Self((seconds * 1e3).round() as i64)
    }

    /// A stored instant; `None` for NULL and for a value that is no number.
    #[must_use]
    pub fn from_stored(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Integer(seconds) => Some(Self(seconds.saturating_mul(SECOND_MS))),
            ValueRef::Real(seconds) => Some(Self::from_fractional_seconds(seconds)),
            _ => None,
        }
    }

    /// True for a whole second, which is stored as INTEGER.
    pub(crate) const fn is_whole(self) -> bool {
        self.0 % SECOND_MS == 0
    }

    /// The second this instant lies in.
    #[must_use]
    pub const fn second(self) -> i64 {
        self.0.div_euclid(SECOND_MS)
    }

    /// The second that has begun at this instant.
    pub(crate) const fn rounded_down(self) -> Self {
        Self::from_seconds(self.second())
    }

    /// The first whole second that is not earlier.
    pub(crate) const fn rounded_up(self) -> Self {
        Self::from_seconds(ceil_second(self.0))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// The instant as SQL sees it: INTEGER for a whole second, else REAL.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "instants stay below 2^53 ms, see `limits`")]
    pub fn to_value(self) -> Value {
        if self.is_whole() { Value::Integer(self.0 / SECOND_MS) } else { Value::Real(self.0 as f64 / 1e3) }
    }

    /// The first instant at which a lease that is stored as ending here has lapsed.
    #[must_use]
    pub const fn after_lease(self) -> Self {
        if self.is_whole() { Self(self.0.saturating_add(SECOND_MS)) } else { Self(self.0.saturating_add(1)) }
    }
}

impl std::ops::Add<Span> for Instant {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl std::ops::Sub for Instant {
    type Output = Span;

    fn sub(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Instant {
    /// In UTC, to the second: `2026-01-31 08:15:00 UTC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.second()) {
            Ok(at) => write!(f, "{}", at.strftime("%Y-%m-%d %H:%M:%S UTC")),
            Err(_) => write!(f, "Unix second {}", self.second()),
        }
    }
}

impl ToSql for Instant {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(self.to_value()))
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.to_value() {
            Value::Real(seconds) => serializer.serialize_f64(seconds),
            _ => serializer.serialize_i64(self.second()),
        }
    }
}

impl Serialize for Span {
    /// Seconds, whole or not, in the form that instants have.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Instant(self.0).serialize(serializer)
    }
}

/// One look at the clock.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    floor: Instant,
    ceil: Instant,
    second: i64,
}

/// Milliseconds at which the clock of this process stands still, or [`RUNNING`].
static STOPPED_AT_MS: AtomicI64 = AtomicI64::new(RUNNING);
const RUNNING: i64 = i64::MIN;

/// Stops the clock of this process at an instant, for tests; `None` lets it run again.
///
/// Every connection of the process is affected, and no other process. Only `honker_engine::testing` calls this.
pub fn stop(at: Option<Instant>) {
    STOPPED_AT_MS.store(at.map_or(RUNNING, Instant::as_ms), Ordering::SeqCst);
}

impl Reading {
    /// The time now: the wall clock's, unless a test has stopped the clock.
    #[must_use]
    pub fn take() -> Self {
        match STOPPED_AT_MS.load(Ordering::Relaxed) {
            RUNNING => {
                let ns = wall_clock_ns();
                Self::between(Instant(ns.div_euclid(1_000_000)), Instant(-(-ns).div_euclid(1_000_000)))
            }
            ms => Self::of(Instant(ms)),
        }
    }

    /// A clock that stands still at this instant.
    pub(crate) const fn of(at: Instant) -> Self {
        Self::between(at, at)
    }

    /// The reading of a clock that is ahead of this one.
    pub(crate) fn shifted(self, span: Span) -> Self {
        Self::between(self.floor + span, self.ceil + span)
    }

    const fn between(floor: Instant, ceil: Instant) -> Self {
        Self { floor, ceil, second: floor.second() }
    }

    /// Rounded down to the millisecond.
    #[must_use]
    pub const fn floor(self) -> Instant {
        self.floor
    }

    /// Rounded up to the millisecond.
    #[must_use]
    pub const fn ceil(self) -> Instant {
        self.ceil
    }

    /// The second that it lies in.
    #[must_use]
    pub const fn second(self) -> i64 {
        self.second
    }
}

#[expect(clippy::cast_possible_truncation, reason = "i64 nanoseconds last until the year 2262")]
fn wall_clock_ns() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i64,
        Err(before) => -(before.duration().as_nanos() as i64),
    }
}
