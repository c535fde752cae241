//! The functions of the list of workers.

use honker_domain::clock::Instant;
use honker_domain::limits::{INSTANT_S, LIST_BATCH, NAME_MAX_BYTES, NOTE_MAX_BYTES};
use honker_domain::worker::{self, Report, RunningJob};
use honker_domain::{Ctx, Error, Result};
use serde::Deserialize;

use super::Output;
use super::json::Integer;
use crate::arguments::Arguments;

const REPORT: &str = "report_json";

/// A report as `report_json` holds it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    name: String,
    started_at: f64,
    host: String,
    pid: Integer,
    pid_space: Option<String>,
    version: String,
    is_stopping: Option<bool>,
    slots: Integer,
    busy: Integer,
    queues: Vec<String>,
    worker_ids: Vec<String>,
    running: Vec<GivenJob>,
}

/// A running job in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenJob {
    id: Integer,
    queue: String,
    task: Option<String>,
    since: f64,
}

pub fn report(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let report = parsed(arguments.text(0, REPORT)?)?;
    worker::report(ctx, &report).map(Output::from)
}

/// The report in a call of `honker_work`, if there is one.
pub(super) fn optional_report(arguments: &Arguments<'_>, index: usize) -> Result<Option<Report>> {
    arguments.optional_text(index, REPORT)?.map(parsed).transpose()
}

pub fn leave(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    worker::leave(ctx, arguments.name(0, "name")?).map(Output::from)
}

pub fn list(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let after = arguments.optional_name(0, "after")?.unwrap_or("");
    Ok(Output::json(&worker::list(ctx, after, arguments.integer_in(1, "n", &LIST_BATCH)?)?))
}

fn parsed(json: &str) -> Result<Report> {
    let given: Given = serde_json::from_str(json)
        .map_err(|error| Error::invalid(REPORT, format!("is not the report of a worker: {error}")))?;
    let names = |all: Vec<String>, field: &str| all.into_iter().map(|each| name(each, field)).collect::<Result<_>>();
    Ok(Report {
        name: name(given.name, "name")?,
        started_at: Instant::from_fractional_seconds(instant(given.started_at, "started_at")?),
        host: name(given.host, "host")?,
        pid: given.pid.0,
        pid_space: given.pid_space.map(|space| name(space, "pid_space")).transpose()?,
        version: name(given.version, "version")?,
        is_stopping: given.is_stopping.unwrap_or(false),
        slots: count(given.slots.0, "slots")?,
        busy: count(given.busy.0, "busy")?,
        queues: names(given.queues, "queues")?,
        worker_ids: names(given.worker_ids, "worker_ids")?,
        running: given.running.into_iter().map(running).collect::<Result<_>>()?,
    })
}

fn running(given: GivenJob) -> Result<RunningJob> {
    Ok(RunningJob {
        id: given.id.0,
        queue: name(given.queue, "queue")?,
        task: given.task.map(note).transpose()?,
        since: instant(given.since, "since")?,
    })
}

fn wrong<T>(problem: impl std::fmt::Display) -> Result<T> {
    Err(Error::invalid(REPORT, problem.to_string()))
}

fn name(name: String, field: &str) -> Result<String> {
    if name.is_empty() || name.len() > NAME_MAX_BYTES || name.contains('\0') {
        let seen = name.len();
        return wrong(format!("has a {field} of {seen} bytes; 1 to {NAME_MAX_BYTES} without NUL are allowed"));
    }
    Ok(name)
}

fn note(text: String) -> Result<String> {
    if text.len() > NOTE_MAX_BYTES {
        return wrong(format!("has a task of {} bytes; up to {NOTE_MAX_BYTES} are allowed", text.len()));
    }
    Ok(text)
}

fn count(count: i64, field: &str) -> Result<i64> {
    if count < 0 { wrong(format!("has {field} of {count}; 0 or more are allowed")) } else { Ok(count) }
}

#[expect(clippy::cast_precision_loss, reason = "the ends of the range are far below 2^53")]
fn instant(seconds: f64, field: &str) -> Result<f64> {
    let (least, most) = (*INSTANT_S.start() as f64, *INSTANT_S.end() as f64);
    if (least..=most).contains(&seconds) {
        return Ok(seconds);
    }
    wrong(format!("has a {field} of {seconds}; Unix seconds of the years 1 to 9999 are allowed"))
}
