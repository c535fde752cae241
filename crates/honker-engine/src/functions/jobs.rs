//! The functions of jobs at work and of what is kept of jobs: snooze, cancellation, progress, attempts, finished jobs.

use honker_domain::json_length::Room;
use honker_domain::limits::{AMOUNT_MAX, LIST_BATCH, NOTE_MAX_BYTES, READ_MAX_BYTES};
use honker_domain::queue::{self, Held, Snooze};
use honker_domain::{Ctx, Error, Result};

use super::Output;
use super::json::{self, Integer};
use super::queues::{held, job_of_queue};
use crate::arguments::Arguments;
use crate::bracket::consistently;
use crate::scalar::{fitting, longest_text};

pub fn snooze(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let delay = arguments.span_from_zero(2, "delay_s")?;
    let terms = Snooze { delay, error: None, hold: None };
    queue::snooze(ctx, &held(arguments, 3)?, &terms).map(Output::from)
}

pub fn cancel_request(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let (id, queue) = job_of_queue(arguments)?;
    Ok(Output::Text(queue::request_cancel(ctx, id, queue)?.name().to_owned()))
}

pub fn cancel_held(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    queue::cancel_held(ctx, &held(arguments, 2)?).map(Output::from)
}

pub fn cancel_requests(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let claims: Vec<(Integer, Integer)> =
        json::array(arguments.text(0, "claims_json")?, "claims_json", "pairs of job id and attempt")?;
    let worker_id = arguments.name(1, "worker_id")?;
    let held = |claim: &(Integer, Integer)| Held {
        id: claim.0.0,
        worker_id,
        attempt: Some(claim.1.0),
        run_s: None,
        task: None,
    };
    let found = consistently(ctx, || queue::cancel_requests(ctx, claims.iter().map(held)))?;
    Ok(Output::json(&found))
}

pub fn progress(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let held = held(arguments, 5)?;
    let done = arguments.number_from_zero(2, "done", AMOUNT_MAX)?;
    let total = arguments.optional_positive_number(3, "total", AMOUNT_MAX)?.unwrap_or(1.0);
    let note = note(arguments, 4, "note")?;
    queue::report(ctx, &held, done, total, note).map(Output::from)
}

/// A short text, or NULL.
pub(super) fn note<'a>(arguments: &Arguments<'a>, index: usize, argument: &'static str) -> Result<Option<&'a str>> {
    match arguments.optional_text(index, argument)? {
        Some(text) if text.len() > NOTE_MAX_BYTES => {
            let problem = format!("has {} bytes; up to {NOTE_MAX_BYTES} are allowed", text.len());
            Err(Error::invalid(argument, problem))
        }
        text => Ok(text),
    }
}

pub fn progress_get(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let progress = queue::progress(ctx, arguments.integer(0, "job_id")?)?;
    Ok(progress.map_or(Output::Null, |progress| Output::json(&progress)))
}

pub fn job_attempts(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let attempts = queue::attempts(ctx, arguments.integer(0, "job_id")?)?;
    fitting(ctx.conn(), Output::json(&attempts))
}

pub fn finished_list(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let queue = arguments.name(0, "queue")?;
    let before = arguments.optional_integer(1, "before_id")?;
    let n = arguments.integer_in(2, "n", &LIST_BATCH)?;
    let room = Room::new(longest_text(ctx.conn()), READ_MAX_BYTES);
    fitting(ctx.conn(), Output::json(&queue::finished(ctx, queue, before, n, room)?))
}
