//! The functions of the counters, and of the settings of the file that turn them on.

use honker_domain::limits::{COUNTER_ROWS, LIST_BATCH, MINUTES};
use honker_domain::{Ctx, Error, Result, counters, moves};
use serde::Deserialize;

use super::Output;
use crate::arguments::Arguments;
use crate::bracket::consistently;

const SETTINGS: &str = "settings_json";

/// The settings as they are given; the others stay.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    counters: Option<bool>,
    events: Option<bool>,
}

pub fn configure(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let given: Given = serde_json::from_str(arguments.text(0, SETTINGS)?)
        .map_err(|error| Error::invalid(SETTINGS, format!("is not an object of settings: {error}")))?;
    Ok(Output::json(&moves::configure(ctx, given.counters, given.events)?))
}

pub fn settings(ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    Ok(Output::json(&moves::settings(ctx)?))
}

pub fn minutes(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let queue = arguments.optional_name(0, "queue")?;
    let minutes = arguments.integer_in(1, "minutes", &MINUTES)?;
    Ok(Output::json(&consistently(ctx, || counters::minutes(ctx, queue, minutes, COUNTER_ROWS))?))
}

pub fn totals(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let queue = arguments.optional_name(0, "after_queue")?.unwrap_or("");
    let task = arguments.optional_text(1, "after_task")?;
    let n = usize::try_from(arguments.integer_in(2, "n", &LIST_BATCH)?).unwrap_or(0);
    Ok(Output::json(&consistently(ctx, || counters::totals(ctx, queue, task, n))?))
}
