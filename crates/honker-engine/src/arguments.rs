//! Checking the arguments of calls: no coercion but that of whole REALs, every range enforced, every message with the
//! argument, the value seen and the allowed range.

use std::ops::RangeInclusive;

use honker_domain::clock::{Instant, Span};
use honker_domain::limits::{INSTANT_S, NAME_MAX_BYTES, SPAN_MAX_S, TEXT_MAX_BYTES};
use honker_domain::{Error, Result};

/// An argument as SQLite gives it.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a [u8]),
    Blob,
}

/// The largest REAL of which all smaller whole numbers have a REAL of their own: 2^53.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The integer that a REAL stands for, if it is whole and within 2^53.
///
/// The drivers of JavaScript bind every number as REAL.
#[expect(clippy::cast_possible_truncation, reason = "whole, and within 64 bits")]
pub fn whole(real: f64) -> Option<i64> {
    (real.fract() == 0.0 && real.abs() <= EXACT_MAX).then_some(real as i64)
}

impl Value<'_> {
    /// A REAL, or the integer that it stands for.
    pub fn from_real(real: f64) -> Self {
        whole(real).map_or(Self::Real(real), Self::Integer)
    }

    const fn type_name(self) -> &'static str {
        match self {
            Self::Null => "Null",
            Self::Integer(_) => "Integer",
            Self::Real(_) => "Real",
            Self::Text(_) => "Text",
            Self::Blob => "Blob",
        }
    }
}

/// The arguments of one call. Each is asked for by position and by its name in `reference.yaml`; one that the call
/// did not give reads as NULL.
#[derive(Clone)]
pub struct Arguments<'a> {
    values: Vec<Value<'a>>,
}

impl<'a> Arguments<'a> {
    pub const fn new(values: Vec<Value<'a>>) -> Self {
        Self { values }
    }

    /// The number of arguments that the call gave.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// The same with NULLs at the end, `count` arguments in all.
    pub fn padded_to(&self, count: usize) -> Self {
        let mut values = self.values.clone();
        values.resize(count, Value::Null);
        Self { values }
    }

    /// Puts another value in a given argument's place.
    pub fn set(&mut self, index: usize, value: Value<'a>) {
        self.values[index] = value;
    }

    /// Whether the argument is a text.
    pub fn is_text(&self, index: usize) -> bool {
        matches!(self.value(index), Value::Text(_))
    }

    fn value(&self, index: usize) -> Value<'a> {
        self.values.get(index).copied().unwrap_or(Value::Null)
    }

    fn is_null(&self, index: usize) -> bool {
        matches!(self.value(index), Value::Null)
    }

    /// `read`, unless the argument is NULL.
    fn optional<T>(&self, index: usize, read: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        if self.is_null(index) { Ok(None) } else { read().map(Some) }
    }

    fn wrong_type<T>(&self, index: usize, argument: &'static str, wanted: &str) -> Result<T> {
        let seen = self.value(index).type_name();
        Err(Error::invalid(
            argument,
            format!("must be {wanted}: Invalid function parameter type {seen} at index {index}"),
        ))
    }

    /// Any text up to the longest allowed.
    pub fn text(&self, index: usize, argument: &'static str) -> Result<&'a str> {
        let Value::Text(bytes) = self.value(index) else { return self.wrong_type(index, argument, "TEXT") };
        if bytes.len() > TEXT_MAX_BYTES {
            let seen = bytes.len();
            return Err(Error::invalid(
                argument,
                format!("is {seen} bytes long; at most {TEXT_MAX_BYTES} are allowed"),
            ));
        }
        std::str::from_utf8(bytes).map_err(|error| Error::invalid(argument, format!("is not UTF-8: {error}")))
    }

    /// Text or NULL.
    pub fn optional_text(&self, index: usize, argument: &'static str) -> Result<Option<&'a str>> {
        self.optional(index, || self.text(index, argument))
    }

    /// A name: text that is not empty, not long and without NUL, at which C programs would cut it.
    pub fn name(&self, index: usize, argument: &'static str) -> Result<&'a str> {
        let name = self.text(index, argument)?;
        if name.is_empty() {
            return Err(Error::invalid(argument, "is empty; a name has 1 to 255 bytes of UTF-8"));
        }
        if name.len() > NAME_MAX_BYTES {
            let seen = name.len();
            return Err(Error::invalid(argument, format!("is {seen} bytes long; a name has 1 to {NAME_MAX_BYTES}")));
        }
        if name.contains('\0') {
            return Err(Error::invalid(argument, "contains a NUL character; remove it"));
        }
        Ok(name)
    }

    /// A name or NULL.
    pub fn optional_name(&self, index: usize, argument: &'static str) -> Result<Option<&'a str>> {
        self.optional(index, || self.name(index, argument))
    }

    /// Any integer.
    pub fn integer(&self, index: usize, argument: &'static str) -> Result<i64> {
        match self.value(index) {
            Value::Integer(value) => Ok(value),
            _ => self.wrong_type(index, argument, "INTEGER"),
        }
    }

    /// Any integer or NULL.
    pub fn optional_integer(&self, index: usize, argument: &'static str) -> Result<Option<i64>> {
        self.optional(index, || self.integer(index, argument))
    }

    /// An integer within a range.
    pub fn integer_in(&self, index: usize, argument: &'static str, range: &RangeInclusive<i64>) -> Result<i64> {
        let value = self.integer(index, argument)?;
        if range.contains(&value) {
            return Ok(value);
        }
        Err(Error::invalid(argument, format!("is {value}; {} to {} are allowed", range.start(), range.end())))
    }

    /// An integer within a range, or NULL.
    pub fn optional_integer_in(
        &self,
        index: usize,
        argument: &'static str,
        range: &RangeInclusive<i64>,
    ) -> Result<Option<i64>> {
        self.optional(index, || self.integer_in(index, argument, range))
    }

    /// Unix seconds, whole or not, within the years 1 to 9999.
    pub fn instant(&self, index: usize, argument: &'static str) -> Result<Instant> {
        self.seconds_in(index, argument, &INSTANT_S).map(|seconds| match seconds {
            Seconds::Whole(seconds) => Instant::from_seconds(seconds),
            Seconds::Fractional(seconds) => Instant::from_fractional_seconds(seconds),
        })
    }

    /// Unix seconds or NULL.
    pub fn optional_instant(&self, index: usize, argument: &'static str) -> Result<Option<Instant>> {
        self.optional(index, || self.instant(index, argument))
    }

    /// A span in seconds, whole or not, negative or not.
    pub fn span(&self, index: usize, argument: &'static str) -> Result<Span> {
        self.span_in(index, argument, &(-SPAN_MAX_S..=SPAN_MAX_S))
    }

    /// A span in seconds, or NULL.
    pub fn optional_span(&self, index: usize, argument: &'static str) -> Result<Option<Span>> {
        self.optional(index, || self.span(index, argument))
    }

    /// A span in seconds, from nothing on.
    pub fn span_from_zero(&self, index: usize, argument: &'static str) -> Result<Span> {
        self.span_in(index, argument, &(0..=SPAN_MAX_S))
    }

    /// A number, whole or not, above 0 and up to `max`.
    #[expect(clippy::cast_precision_loss, reason = "what is beyond 2^53 is beyond every range")]
    pub fn positive_number(&self, index: usize, argument: &'static str, max: f64) -> Result<f64> {
        let number = match self.value(index) {
            Value::Integer(value) => value as f64,
            Value::Real(value) => value,
            _ => return self.wrong_type(index, argument, "INTEGER or REAL"),
        };
        if number > 0.0 && number <= max {
            return Ok(number);
        }
        Err(Error::invalid(argument, format!("is {number}; more than 0 and up to {max} is allowed")))
    }

    /// The same, or NULL.
    pub fn optional_positive_number(&self, index: usize, argument: &'static str, max: f64) -> Result<Option<f64>> {
        self.optional(index, || self.positive_number(index, argument, max))
    }

    /// A number, whole or not, from 0 on and up to `max`.
    #[expect(clippy::cast_precision_loss, reason = "what is beyond 2^53 is beyond every range")]
    pub fn number_from_zero(&self, index: usize, argument: &'static str, max: f64) -> Result<f64> {
        let number = match self.value(index) {
            Value::Integer(value) => value as f64,
            Value::Real(value) => value,
            _ => return self.wrong_type(index, argument, "INTEGER or REAL"),
        };
        if number >= 0.0 && number <= max {
            return Ok(number);
        }
        Err(Error::invalid(argument, format!("is {number}; 0 to {max} is allowed")))
    }

    /// A span in seconds from nothing on, or NULL.
    pub fn optional_span_from_zero(&self, index: usize, argument: &'static str) -> Result<Option<Span>> {
        self.optional(index, || self.span_from_zero(index, argument))
    }

    /// A span in seconds that is longer than nothing and at most `max`; fractions below a millisecond round up.
    pub fn positive_span(&self, index: usize, argument: &'static str, max: i64) -> Result<Span> {
        match self.value(index) {
            Value::Integer(..=0) => Err(Error::invalid(argument, format!("must be positive, up to {max} seconds"))),
            Value::Real(value) if value <= 0.0 => {
                Err(Error::invalid(argument, format!("must be positive, up to {max} seconds")))
            }
            _ => self.span_in(index, argument, &(0..=max)),
        }
    }

    fn span_in(&self, index: usize, argument: &'static str, range: &RangeInclusive<i64>) -> Result<Span> {
        self.seconds_in(index, argument, range).map(|seconds| match seconds {
            Seconds::Whole(seconds) => Span::from_seconds(seconds),
            Seconds::Fractional(seconds) => Span::from_fractional_seconds(seconds),
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "the ends of the ranges are far below 2^53")]
    fn seconds_in(&self, index: usize, argument: &'static str, range: &RangeInclusive<i64>) -> Result<Seconds> {
        let (start, end) = (*range.start(), *range.end());
        let (seconds, is_inside) = match self.value(index) {
            Value::Integer(value) => (Seconds::Whole(value), range.contains(&value)),
            Value::Real(value) => (Seconds::Fractional(value), value >= start as f64 && value <= end as f64),
            _ => return self.wrong_type(index, argument, "INTEGER or REAL seconds"),
        };
        if is_inside {
            return Ok(seconds);
        }
        Err(Error::invalid(argument, format!("is {seconds} seconds; {start} to {end} are allowed")))
    }
}

enum Seconds {
    Whole(i64),
    Fractional(f64),
}

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(seconds) => seconds.fmt(f),
            Self::Fractional(seconds) => seconds.fmt(f),
        }
    }
}
