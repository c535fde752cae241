//! Schedule functions.

use std::ops::RangeInclusive;

use honker_domain::limits::{MAX_ATTEMPTS, MAX_ATTEMPTS_DEFAULT, PRIORITY, SPAN_MAX_S};
use honker_domain::schedule::{self, Change, Misfire, NewSchedule, Overlap, WhenPaused};
use honker_domain::{Ctx, Error, Result};

use super::Output;
use crate::arguments::Arguments;

const EXPIRES_S: RangeInclusive<i64> = -SPAN_MAX_S..=SPAN_MAX_S;

pub fn register(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let max_attempts = arguments.optional_integer(6, "max_attempts")?.unwrap_or(MAX_ATTEMPTS_DEFAULT);
    let new = NewSchedule {
        name: arguments.name(0, "name")?,
        queue: arguments.name(1, "queue")?,
        expression: arguments.text(2, "expr")?,
        payload: arguments.text(3, "payload")?,
        priority: arguments.integer_in(4, "priority", &PRIORITY)?,
        expires_s: arguments.optional_integer_in(5, "expires_s", &EXPIRES_S)?,
        max_attempts: clamp_attempts(max_attempts),
        time_zone: time_zone(arguments, 7)?,
        misfire: misfire(arguments, 8)?.unwrap_or(Misfire::CatchUp),
        overlap: overlap(arguments, 9)?.unwrap_or(Overlap::Queue),
        when_paused: when_paused(arguments, 10)?.unwrap_or(WhenPaused::Enqueue),
    };
    schedule::register(ctx, &new)?;
    Ok(true.into())
}

pub fn unregister(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    schedule::unregister(ctx, arguments.name(0, "name")?).map(Output::from)
}

pub fn tick(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    Ok(Output::json(&schedule::tick(ctx, arguments.instant(0, "now_unix")?)?))
}

pub fn soonest(ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    schedule::soonest(ctx).map(Output::instant_or_zero)
}

pub fn pause(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    schedule::pause(ctx, arguments.name(0, "name")?).map(Output::from)
}

pub fn resume(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    schedule::resume(ctx, arguments.name(0, "name")?).map(Output::from)
}

pub fn list(ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    Ok(Output::json(&schedule::list(ctx)?))
}

pub fn update(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let touches = |index, argument| Ok::<_, Error>(arguments.optional_integer(index, argument)?.unwrap_or(0) != 0);
    let expires_s = arguments.optional_integer_in(4, "expires_s", &EXPIRES_S)?;
    let max_attempts = arguments.optional_integer(6, "max_attempts")?.unwrap_or(MAX_ATTEMPTS_DEFAULT);
    let change = Change {
        expression: arguments.optional_text(1, "expr")?,
        payload: arguments.optional_text(2, "payload")?,
        priority: arguments.optional_integer_in(3, "priority", &PRIORITY)?,
        expires_s: touches(5, "touch_expires")?.then_some(expires_s),
        max_attempts: touches(7, "touch_max_attempts")?.then_some(clamp_attempts(max_attempts)),
        time_zone: arguments.optional_text(8, "time_zone")?.map(|_| time_zone(arguments, 8)).transpose()?,
        misfire: misfire(arguments, 9)?,
        overlap: overlap(arguments, 10)?,
        when_paused: when_paused(arguments, 11)?,
    };
    schedule::update(ctx, arguments.name(0, "name")?, &change).map(Output::from)
}

pub fn next_after(_ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let expression = arguments.text(0, "expr")?;
    let after = arguments.instant(1, "from_unix")?;
    schedule::next_after(expression, after, time_zone(arguments, 2)?).map(Output::from)
}

/// An IANA name; NULL and the empty text mean the zone of the process.
fn time_zone<'a>(arguments: &Arguments<'a>, index: usize) -> Result<Option<&'a str>> {
    Ok(arguments.optional_text(index, "time_zone")?.filter(|name| !name.is_empty()))
}

fn misfire(arguments: &Arguments<'_>, index: usize) -> Result<Option<Misfire>> {
    policy(arguments, index, "misfire", Misfire::from_name, Misfire::NAMES)
}

fn overlap(arguments: &Arguments<'_>, index: usize) -> Result<Option<Overlap>> {
    policy(arguments, index, "overlap", Overlap::from_name, Overlap::NAMES)
}

fn when_paused(arguments: &Arguments<'_>, index: usize) -> Result<Option<WhenPaused>> {
    policy(arguments, index, "when_paused", WhenPaused::from_name, WhenPaused::NAMES)
}

/// A policy by its name.
fn policy<P>(
    arguments: &Arguments<'_>,
    index: usize,
    argument: &'static str,
    from_name: fn(&str) -> Option<P>,
    names: &[&str],
) -> Result<Option<P>> {
    let Some(name) = arguments.optional_text(index, argument)? else { return Ok(None) };
    from_name(name)
        .map(Some)
        .ok_or_else(|| Error::invalid(argument, format!("is {name:?}; the policies are {}", names.join(", "))))
}

fn clamp_attempts(max_attempts: i64) -> i64 {
    max_attempts.clamp(*MAX_ATTEMPTS.start(), *MAX_ATTEMPTS.end())
}
