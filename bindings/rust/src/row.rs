//! Reading the JSON that the SQL functions return.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::error::{Error, ErrorKind, Result};

/// Parses a result of a SQL function.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| Error::core(ErrorKind::Internal, format!("{error}: {json}")))
}

/// An instant in whole seconds, rounded down.
#[expect(clippy::cast_possible_truncation, reason = "an instant is below the year 10000")]
pub fn floor(instant: f64) -> i64 {
    instant.floor() as i64
}

/// An instant in whole seconds, rounded up.
#[expect(clippy::cast_possible_truncation, reason = "an instant is below the year 10000")]
pub fn ceil(instant: f64) -> i64 {
    instant.ceil() as i64
}

/// A duration until an instant that is so many seconds away. Never shorter, so that the instant has come then.
pub fn until(seconds: f64) -> std::time::Duration {
    std::time::Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(std::time::Duration::MAX)
}

/// Deserializes an instant in whole seconds, rounded down.
pub fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<i64, D::Error> {
    Ok(floor(f64::deserialize(deserializer)?))
}

/// As [`whole`], for an instant that may be missing.
pub fn whole_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<i64>, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.map(floor))
}

/// Deserializes JSON that is a string inside JSON.
pub fn nested<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<u8>, D::Error> {
    String::deserialize(deserializer).map(String::into_bytes).map_err(D::Error::custom)
}

/// The text of a payload.
pub fn encode<P: serde::Serialize + ?Sized>(payload: &P) -> Result<String> {
    Ok(serde_json::to_string(payload)?)
}
