//! Decoding of arguments and options: every reader on every value. An accepted value lies in the range of its reader. A
//! rejected value gives an error with the code and the name of the argument.
//!
//! Input: a sequence of values, each a tag byte and its content.

#[path = "../../crates/honker-engine/src/arguments.rs"]
#[allow(dead_code, reason = "the extension uses all of it")]
mod decoding;

use std::ops::RangeInclusive;

use decoding::{Arguments, Value};
use honker_domain::clock::{Instant, Reading, Span};
use honker_domain::limits::{
    CLAIM_BATCH, INSTANT_S, LEASE_MAX_S, NAME_MAX_BYTES, PRIORITY, SPAN_MAX_S, TEXT_MAX_BYTES,
};
use honker_domain::{Error, Result};
use honker_watch::{Backend, Options};

const ARGUMENT: &str = "some_argument";

/// Runs one input.
///
/// # Panics
/// A promise is broken.
pub fn run(data: &[u8]) {
    let values = values(data);
    let given: Vec<Value<'_>> = values.clone();
    let arguments = Arguments::new(values);
    // One past the end as well: a missing argument reads as NULL.
    for index in 0..=given.len() {
        let value = given.get(index).copied().unwrap_or(Value::Null);
        check_texts(&arguments, index, value);
        check_integers(&arguments, index, value);
        check_times(&arguments, index);
    }
}

/// The values encoded by the bytes.
fn values(mut data: &[u8]) -> Vec<Value<'_>> {
    let mut values = Vec::new();
    while let Some((tag, rest)) = data.split_first() {
        let (value, rest) = match tag % 5 {
            0 => (Value::Null, rest),
            1 => match rest.split_first_chunk::<8>() {
                Some((bytes, rest)) => (Value::Integer(i64::from_le_bytes(*bytes)), rest),
                None => return values,
            },
            2 => match rest.split_first_chunk::<8>() {
                Some((bytes, rest)) => (Value::Real(f64::from_le_bytes(*bytes)), rest),
                None => return values,
            },
            3 => {
                let length = usize::from(*tag).min(rest.len());
                let (text, rest) = rest.split_at(length);
                (Value::Text(text), rest)
            }
            _ => (Value::Blob, rest),
        };
        values.push(value);
        data = rest;
    }
    values
}

/// The value, or None if it was rejected with the right error.
fn accepted<T>(outcome: Result<T>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error @ Error::InvalidArgument { .. }) => {
            let message = error.to_string();
            assert!(message.starts_with("HONKER_INVALID_ARGUMENT: some_argument "), "{message}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn check_texts(arguments: &Arguments<'_>, index: usize, value: Value<'_>) {
    let text = accepted(arguments.text(index, ARGUMENT));
    if let Some(text) = text {
        assert!(matches!(value, Value::Text(bytes) if bytes == text.as_bytes()) && text.len() <= TEXT_MAX_BYTES);
        let _ = Backend::from_name(Some(text));
    }
    if let Some(name) = accepted(arguments.name(index, ARGUMENT)) {
        assert!(Some(name) == text && (1..=NAME_MAX_BYTES).contains(&name.len()) && !name.contains('\0'));
    }
    check_optional(value, accepted(arguments.optional_text(index, ARGUMENT)), text);
    check_optional(
        value,
        accepted(arguments.optional_name(index, ARGUMENT)),
        accepted(arguments.name(index, ARGUMENT)),
    );
}

fn check_integers(arguments: &Arguments<'_>, index: usize, value: Value<'_>) {
    let integer = accepted(arguments.integer(index, ARGUMENT));
    assert_eq!(integer.is_some(), matches!(value, Value::Integer(_)));
    check_optional(value, accepted(arguments.optional_integer(index, ARGUMENT)), integer);
    for range in [CLAIM_BATCH, PRIORITY] {
        let inside = accepted(arguments.integer_in(index, ARGUMENT, &range));
        assert_eq!(inside, integer.filter(|integer| range.contains(integer)));
        check_optional(value, accepted(arguments.optional_integer_in(index, ARGUMENT, &range)), inside);
    }
    if let Some(milliseconds) = integer {
        let options = Options::new(Backend::Polling).with_poll_interval_ms(milliseconds);
        assert_eq!(options.is_ok(), milliseconds > 0);
    }
}

fn check_times(arguments: &Arguments<'_>, index: usize) {
    if let Some(instant) = accepted(arguments.instant(index, ARGUMENT)) {
        assert!(INSTANT_S.contains(&instant.second()), "{instant:?}");
        // The stored value reads back as the same instant: INTEGER for a whole second, else REAL.
        let stored = instant.to_value();
        assert_eq!(Instant::from_stored((&stored).into()), Some(instant), "{stored:?}");
    }
    let _ = accepted(arguments.optional_instant(index, ARGUMENT));
    check_span(accepted(arguments.span(index, ARGUMENT)), -SPAN_MAX_S..=SPAN_MAX_S);
    check_span(accepted(arguments.optional_span(index, ARGUMENT)).flatten(), -SPAN_MAX_S..=SPAN_MAX_S);
    check_span(accepted(arguments.span_from_zero(index, ARGUMENT)), 0..=SPAN_MAX_S);
    let lease = accepted(arguments.positive_span(index, ARGUMENT, LEASE_MAX_S));
    assert!(lease.is_none_or(Span::is_positive), "{lease:?}");
    check_span(lease, 0..=LEASE_MAX_S);
}

fn check_span(span: Option<Span>, seconds: RangeInclusive<i64>) {
    let Some(span) = span else { return };
    let range = seconds.start() * 1_000..=seconds.end() * 1_000;
    assert!(range.contains(&span.as_ms()), "{span:?} is not within {range:?}");
    // No later arithmetic may overflow or go back in time.
    let now = Reading::take().floor();
    assert_eq!((now + span).as_ms() - now.as_ms(), span.as_ms());
}

/// An optional argument is None for NULL, and otherwise the value of the plain reader.
fn check_optional<T: PartialEq + std::fmt::Debug>(value: Value<'_>, optional: Option<Option<T>>, plain: Option<T>) {
    if matches!(value, Value::Null) {
        assert_eq!(optional, Some(None));
    } else {
        assert_eq!(optional, plain.map(Some));
    }
}
