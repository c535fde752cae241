//! The settings of queues.

use honker_core::clock::Span;
use honker_core::limits::{CONCURRENCY, KEEP_MAX_S, RATE_LIMIT, SPAN_MAX_S};
use honker_core::queue::{OnDead, Rate, Settings};
use honker_core::{Ctx, Error, Result};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::Output;
use crate::arguments::Arguments;

/// The names of the settings.
const SETTINGS: [&str; 8] =
    ["concurrency", "concurrency_per_key", "ordered", "on_dead", "rate", "rate_per_key", "burst", "keep_finished_s"];

/// The settings in the form in which they are given.
#[derive(Serialize)]
struct Given {
    concurrency: Option<i64>,
    concurrency_per_key: Option<i64>,
    ordered: Option<bool>,
    on_dead: Option<OnDead>,
    rate: Option<(i64, Seconds)>,
    rate_per_key: Option<(i64, Seconds)>,
    burst: Option<i64>,
    keep_finished_s: Option<Span>,
}

/// Seconds, as an integer where they are whole.
struct Seconds(f64);

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match crate::arguments::whole(self.0) {
            Some(seconds) => serializer.serialize_i64(seconds),
            None => serializer.serialize_f64(self.0),
        }
    }
}

impl From<&Settings> for Given {
    fn from(settings: &Settings) -> Self {
        let pair = |rate: Option<Rate>| rate.map(|rate| (rate.limit, Seconds(rate.per_s)));
        Self {
            concurrency: settings.concurrency,
            concurrency_per_key: settings.concurrency_per_key,
            ordered: settings.is_ordered.then_some(true),
            on_dead: settings.on_dead,
            rate: pair(settings.rate),
            rate_per_key: pair(settings.rate_per_key),
            burst: settings.rate.or(settings.rate_per_key).map(|rate| rate.burst),
            keep_finished_s: settings.keep_finished,
        }
    }
}

/// The settings of a queue.
pub fn settings(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let settings = Settings::of(ctx, arguments.name(0, "queue")?)?;
    Ok(Output::json(&Given::from(&settings)))
}

/// Changes the settings that are given, and returns all. `only_unset` leaves those alone that have a value, so that the
/// settings in the code of an application do not undo those of an operator.
pub fn configure(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let queue = arguments.name(0, "queue")?;
    let json = arguments.text(1, "settings_json")?;
    let only_unset = arguments.optional_integer(2, "only_unset")?.unwrap_or(0) != 0;
    let given: Map<String, Json> = serde_json::from_str(json)
        .map_err(|error| Error::invalid("settings_json", format!("is not a JSON object: {error}")))?;
    if let Some(name) = given.keys().find(|name| !SETTINGS.contains(&name.as_str())) {
        let problem = format!("has the unknown setting {name:?}; the options are {}", SETTINGS.join(", "));
        return Err(Error::invalid("settings_json", problem));
    }
    let before = Settings::of(ctx, queue)?;
    let after = change(before.clone(), &given, only_unset)?;
    // A process that starts configures its queues each time: nothing is written then.
    if after != before {
        after.write(ctx, queue)?;
    }
    Ok(Output::json(&Given::from(&after)))
}

fn change(mut settings: Settings, given: &Map<String, Json>, only_unset: bool) -> Result<Settings> {
    let asked = |name: &str, is_set: bool| given.get(name).filter(|_| !(only_unset && is_set));
    if let Some(value) = asked("concurrency", settings.concurrency.is_some()) {
        settings.concurrency = integer("concurrency", value, &CONCURRENCY)?;
    }
    if let Some(value) = asked("concurrency_per_key", settings.concurrency_per_key.is_some()) {
        settings.concurrency_per_key = integer("concurrency_per_key", value, &CONCURRENCY)?;
    }
    if let Some(value) = asked("ordered", settings.is_ordered) {
        settings.is_ordered = match value {
            Json::Null => false,
            Json::Bool(ordered) => *ordered,
            other => return Err(Error::invalid("ordered", format!("is {other}; it must be true or false"))),
        };
    }
    if let Some(value) = asked("on_dead", settings.on_dead.is_some()) {
        settings.on_dead = match value {
            Json::Null => None,
            other => Some(other.as_str().and_then(OnDead::named).ok_or_else(|| {
                Error::invalid("on_dead", format!("is {other}; it must be \"block\" or \"continue\""))
            })?),
        };
    }
    let burst = settings.rate.or(settings.rate_per_key).map_or(1, |rate| rate.burst);
    let burst = match asked("burst", burst != 1) {
        Some(value) => integer("burst", value, &RATE_LIMIT)?.unwrap_or(1),
        None => burst,
    };
    if let Some(value) = asked("rate", settings.rate.is_some()) {
        settings.rate = rate("rate", value, burst)?;
    }
    if let Some(value) = asked("rate_per_key", settings.rate_per_key.is_some()) {
        settings.rate_per_key = rate("rate_per_key", value, burst)?;
    }
    for rate in [&mut settings.rate, &mut settings.rate_per_key].into_iter().flatten() {
        rate.burst = burst;
    }
    if let Some(value) = asked("keep_finished_s", settings.keep_finished.is_some()) {
        settings.keep_finished = match value {
            Json::Null => None,
            value => Some(Span::from_fractional_seconds(seconds("keep_finished_s", value, KEEP_MAX_S)?)),
        };
    }
    match settings.concurrency_per_key {
        Some(limit) if settings.is_ordered && limit != 1 => {
            let problem =
                format!("is {limit} in an ordered queue, where one job of a key runs at a time; leave it out");
            Err(Error::invalid("concurrency_per_key", problem))
        }
        _ => Ok(settings),
    }
}

fn integer(name: &'static str, value: &Json, range: &std::ops::RangeInclusive<i64>) -> Result<Option<i64>> {
    if value.is_null() {
        return Ok(None);
    }
    let number = value.as_i64().or_else(|| value.as_f64().and_then(crate::arguments::whole));
    match number {
        Some(number) if range.contains(&number) => Ok(Some(number)),
        _ => {
            let (least, most) = (range.start(), range.end());
            Err(Error::invalid(name, format!("is {value}; an integer from {least} to {most}, or null, is allowed")))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "the ends of the ranges are far below 2^53")]
fn seconds(name: &'static str, value: &Json, most: i64) -> Result<f64> {
    match value.as_f64() {
        Some(seconds) if seconds > 0.0 && seconds <= most as f64 => Ok(seconds),
        _ => Err(Error::invalid(name, format!("is {value}; more than 0 and up to {most} seconds are allowed"))),
    }
}

/// A rate from a pair of starts and seconds.
fn rate(name: &'static str, value: &Json, burst: i64) -> Result<Option<Rate>> {
    if value.is_null() {
        return Ok(None);
    }
    let Some([limit, per_s]) = value.as_array().map(Vec::as_slice) else {
        return Err(Error::invalid(name, format!("is {value}; it must be an array of starts and seconds")));
    };
    let Some(limit) = integer(name, limit, &RATE_LIMIT)? else {
        return Err(Error::invalid(name, "has null for the number of starts; give an integer"));
    };
    Ok(Some(Rate { limit, per_s: seconds(name, per_s, SPAN_MAX_S)?, burst }))
}
