//! The settings of queues.

use honker_domain::clock::Span;
use honker_domain::limits::{CONCURRENCY, KEEP_MAX_S, RATE_LIMIT, SPAN_MAX_S};
use honker_domain::queue::{Decided, OnDead, Rate, Setting, Settings};
use honker_domain::{Ctx, Error, Result};
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

/// Changes the settings that are given, and returns all. `only_unset` leaves those alone that have a value or were
/// removed, so that the settings in the code of an application do not undo those of an operator.
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
    let before = Settings::decided(ctx, queue)?;
    let mut change = Change { given: &given, only_unset, decided: before.1 };
    let after = change.apply(before.0.clone())?;
    // A process that starts configures its queues each time: nothing is written then.
    if (&after, change.decided) != (&before.0, before.1) {
        after.write(&before.0, change.decided, ctx, queue)?;
    }
    Ok(Output::json(&Given::from(&after)))
}

/// Settings that are given, on their way into those of a queue.
struct Change<'a> {
    given: &'a Map<String, Json>,
    only_unset: bool,
    decided: Decided,
}

impl<'a> Change<'a> {
    /// The new value of a setting, null to remove it; `None` to leave the setting alone.
    fn asked(&mut self, name: &str, setting: Setting) -> Option<&'a Json> {
        let value = self.given.get(name)?;
        if self.only_unset && (value.is_null() || self.decided.has(setting)) {
            return None;
        }
        self.decided.add(setting);
        Some(value)
    }

    /// As [`Self::asked`], but with `only_unset` a setting that is excluded counts as not given.
    fn asked_unless(&mut self, is_excluded: bool, name: &str, setting: Setting) -> Option<&'a Json> {
        if self.only_unset && is_excluded { None } else { self.asked(name, setting) }
    }

    fn apply(&mut self, mut settings: Settings) -> Result<Settings> {
        if let Some(value) = self.asked("concurrency", Setting::Concurrency) {
            settings.concurrency = integer("concurrency", value, &CONCURRENCY)?;
        }
        // Of these two, code that fills unset settings leaves out the one that an operator's choice of the other excludes.
        let (was_ordered, had_slots) =
            (settings.is_ordered, settings.concurrency_per_key.is_some_and(|limit| limit != 1));
        if let Some(value) = self.asked_unless(was_ordered, "concurrency_per_key", Setting::ConcurrencyPerKey) {
            settings.concurrency_per_key = integer("concurrency_per_key", value, &CONCURRENCY)?;
        }
        if let Some(value) = self.asked_unless(had_slots, "ordered", Setting::Ordered) {
            settings.is_ordered = ordered(value)?;
        }
        if let Some(value) = self.asked("on_dead", Setting::OnDead) {
            settings.on_dead = on_dead(value)?;
        }
        self.apply_rates(&mut settings)?;
        if let Some(value) = self.asked("keep_finished_s", Setting::KeepFinished) {
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

    fn apply_rates(&mut self, settings: &mut Settings) -> Result<()> {
        let burst = settings.rate.or(settings.rate_per_key).map_or(1, |rate| rate.burst);
        let burst = match self.asked("burst", Setting::Burst) {
            Some(value) => integer("burst", value, &RATE_LIMIT)?.unwrap_or(1),
            None => burst,
        };
        if let Some(value) = self.asked("rate", Setting::Rate) {
            settings.rate = rate("rate", value, burst)?;
        }
        if let Some(value) = self.asked("rate_per_key", Setting::RatePerKey) {
            settings.rate_per_key = rate("rate_per_key", value, burst)?;
        }
        for rate in [&mut settings.rate, &mut settings.rate_per_key].into_iter().flatten() {
            rate.burst = burst;
        }
        if settings.rate.or(settings.rate_per_key).is_none() {
            self.check_no_burst()?;
            self.decided.remove(Setting::Burst);
        }
        Ok(())
    }

    /// Refuses a burst of a queue without a rate. One that code gives beside a rate is left out with that rate, if an
    /// operator has removed the rate.
    fn check_no_burst(&self) -> Result<()> {
        let Some(burst) = self.given.get("burst").filter(|burst| !burst.is_null()) else { return Ok(()) };
        if self.only_unset && (self.decided.has(Setting::Rate) || self.decided.has(Setting::RatePerKey)) {
            return Ok(());
        }
        Err(Error::invalid(
            "burst",
            format!("is {burst}, and the queue has no rate; give rate or rate_per_key as well"),
        ))
    }
}

fn ordered(value: &Json) -> Result<bool> {
    match value {
        Json::Null => Ok(false),
        Json::Bool(ordered) => Ok(*ordered),
        other => Err(Error::invalid("ordered", format!("is {other}; it must be true or false"))),
    }
}

fn on_dead(value: &Json) -> Result<Option<OnDead>> {
    if value.is_null() {
        return Ok(None);
    }
    let named = value.as_str().and_then(OnDead::named);
    let wrong = || Error::invalid("on_dead", format!("is {value}; it must be \"block\" or \"continue\""));
    named.map(Some).ok_or_else(wrong)
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
