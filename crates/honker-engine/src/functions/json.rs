//! Arrays, integers and claims inside JSON arguments.

use std::fmt;

use honker_domain::limits::SETTLE_BATCH;
use honker_domain::{Error, Result};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Unexpected, Visitor};

use crate::arguments::whole;

/// The elements of a JSON array, as many as a call may settle.
pub fn array<'a, T: Deserialize<'a>>(json: &'a str, argument: &'static str, of: &str) -> Result<Vec<T>> {
    let values: Vec<T> = serde_json::from_str(json)
        .map_err(|error| Error::invalid(argument, format!("is not a JSON array of {of}: {error}")))?;
    if values.len() > SETTLE_BATCH {
        let seen = values.len();
        return Err(Error::invalid(argument, format!("has {seen} elements; at most {SETTLE_BATCH} are allowed")));
    }
    Ok(values)
}

/// An integer, also in the form of a whole number with a decimal point, as an argument may be.
#[derive(Clone, Copy)]
pub struct Integer(pub i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(IntegerVisitor).map(Self)
    }
}

struct IntegerVisitor;

impl Visitor<'_> for IntegerVisitor {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer of 64 bits")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> std::result::Result<i64, E> {
        Ok(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> std::result::Result<i64, E> {
        i64::try_from(value).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> std::result::Result<i64, E> {
        whole(value).ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }
}

/// A claim in a list.
#[derive(Clone, Copy)]
pub enum JobClaim {
    /// The id of the job alone.
    Id(i64),
    /// A pair of id and attempt; no attempt means any.
    Pair(i64, Option<i64>),
}

impl<'de> Deserialize<'de> for JobClaim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(JobClaimVisitor)
    }
}

struct JobClaimVisitor;

impl JobClaimVisitor {
    fn job<E>(id: std::result::Result<i64, E>) -> std::result::Result<JobClaim, E> {
        id.map(JobClaim::Id)
    }
}

impl<'de> Visitor<'de> for JobClaimVisitor {
    type Value = JobClaim;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer of 64 bits, or an array of an id and an attempt")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> std::result::Result<JobClaim, E> {
        Self::job(IntegerVisitor.visit_i64(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> std::result::Result<JobClaim, E> {
        Self::job(IntegerVisitor.visit_u64(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> std::result::Result<JobClaim, E> {
        Self::job(IntegerVisitor.visit_f64(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<JobClaim, A::Error> {
        let Integer(id) = items.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
        let attempt: Option<Integer> = items.next_element()?.ok_or_else(|| de::Error::invalid_length(1, &self))?;
        if items.next_element::<de::IgnoredAny>()?.is_some() {
            return Err(de::Error::invalid_length(3, &self));
        }
        Ok(JobClaim::Pair(id, attempt.map(|Integer(attempt)| attempt)))
    }
}
