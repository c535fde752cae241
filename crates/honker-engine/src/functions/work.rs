//! The functions of workers and of callers that wait for jobs.

use std::borrow::Cow;

use honker_domain::clock::Span;
use honker_domain::json_length::Room;
use honker_domain::limits::{CLAIM_BATCH, CLAIM_MAX_BYTES, LEASE_MAX_S, NAME_MAX_BYTES, REPORT_ITEMS_MAX, SPAN_MAX_S};
use honker_domain::queue::{self, Claim, ClaimedJob, Ending, Held, Hold, Kept, Settled, Settlement, Snooze, task_of};
use honker_domain::worker::{self, Report, RunningJob};
use honker_domain::{Ctx, Error, Result};
use serde::{Deserialize, Serialize};

use super::json::{self, Integer};
use super::queues::{DetailedJob, claim_if_any, detailed, held};
use super::{Output, workers};
use crate::arguments::Arguments;
use crate::bracket::atomically;
use crate::scalar::{fitting, longest_text};

const SETTLEMENTS: &str = "settlements_json";

pub fn release(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let delay = arguments.optional_span_from_zero(3, "delay_s")?;
    let is_unknown = arguments.optional_integer(4, "is_unknown")?.unwrap_or(0) != 0;
    let held = held(arguments, 2)?;
    // A delay is stored as the mark of the file demands, which is read first: both must be of one snapshot.
    if delay.is_none() && queue::release_untied(ctx, &held, is_unknown)? {
        return Ok(Output::from(true));
    }
    atomically(ctx, || queue::release(ctx, &held, delay, None, is_unknown).map(Output::from))
}

pub fn heartbeat_batch(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let claims: Vec<(Integer, Integer)> =
        json::array(arguments.text(0, "claims_json")?, "claims_json", "pairs of job id and attempt")?;
    let worker_id = arguments.name(1, "worker_id")?;
    let lease = arguments.positive_span(2, "extend_s", LEASE_MAX_S)?;
    let claims = claims.into_iter().map(|(id, attempt)| Held {
        id: id.0,
        worker_id,
        attempt: Some(attempt.0),
        run_s: None,
        task: None,
    });
    Ok(Output::json(&queue::heartbeat_batch(ctx, claims, lease)?))
}

pub fn job_outcome(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    Ok(Output::json(&queue::outcome(ctx, arguments.integer(0, "job_id")?)?))
}

/// A settlement as `settlements_json` holds it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finished<'a> {
    id: Integer,
    attempt: Integer,
    #[serde(rename = "do")]
    verb: Verb,
    delay_s: Option<f64>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow)]
    result: Option<Cow<'a, str>>,
    result_ttl_s: Option<f64>,
    withholds_result: Option<bool>,
    is_unknown: Option<bool>,
    run_s: Option<f64>,
    #[serde(borrow)]
    task: Option<Cow<'a, str>>,
    hold: Option<Holding>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Holding {
    Queue,
    Key,
}

impl From<Holding> for Hold {
    fn from(holding: Holding) -> Self {
        match holding {
            Holding::Queue => Self::Queue,
            Holding::Key => Self::Key,
        }
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Ack,
    Retry,
    Fail,
    Release,
    Snooze,
    Cancel,
}

impl Finished<'_> {
    fn settlement<'a>(&'a self, worker_id: &'a str) -> Result<Settlement<'a>> {
        let delay = self.delay_s.map(|delay_s| span("delay_s", delay_s, 0)).transpose()?;
        let error = self.error.as_deref().unwrap_or("");
        let ttl = self.result_ttl_s.map(|ttl_s| span("result_ttl_s", ttl_s, -SPAN_MAX_S)).transpose()?;
        let run_s = self.run_s.map(run_s).transpose()?;
        if let Some(task) = self.task.as_deref().filter(|task| task.len() > NAME_MAX_BYTES) {
            let seen = task.len();
            return Err(Error::invalid(
                SETTLEMENTS,
                format!("has a task of {seen} bytes; up to {NAME_MAX_BYTES} are allowed"),
            ));
        }
        Ok(Settlement {
            held: Held { id: self.id.0, worker_id, attempt: Some(self.attempt.0), run_s, task: self.task.as_deref() },
            ending: match self.verb {
                Verb::Ack => Ending::Ack,
                Verb::Retry => Ending::Retry { delay: delay.unwrap_or(Span::from_seconds(0)), error },
                Verb::Snooze => Ending::Snooze(Snooze {
                    delay: delay.unwrap_or(Span::from_seconds(0)),
                    error: self.error.as_deref(),
                    hold: self.hold.map(Hold::from),
                }),
                Verb::Cancel => Ending::Cancel,
                Verb::Fail => Ending::Fail { error },
                Verb::Release => {
                    let is_unknown = self.is_unknown.unwrap_or(false);
                    Ending::Release { delay, error: self.error.as_deref(), is_unknown }
                }
            },
            // A time to live of 0 or less means for ever, as for `honker_result_save`.
            result: self.result.as_deref().map(|value| Kept { value, ttl: ttl.filter(|ttl| ttl.is_positive()) }),
            withholds_result: self.withholds_result.unwrap_or(false),
        })
    }
}

/// The seconds that a handler ran.
#[expect(clippy::cast_precision_loss, reason = "the end of the range is far below 2^53")]
fn run_s(seconds: f64) -> Result<f64> {
    if (0.0..=SPAN_MAX_S as f64).contains(&seconds) {
        return Ok(seconds);
    }
    Err(Error::invalid(SETTLEMENTS, format!("has a run_s of {seconds}; 0 to {SPAN_MAX_S} seconds are allowed")))
}

/// A span within a settlement, checked as the arguments of functions are.
#[expect(clippy::cast_precision_loss, reason = "the ends of the ranges are far below 2^53")]
fn span(field: &str, seconds: f64, least: i64) -> Result<Span> {
    if seconds >= least as f64 && seconds <= SPAN_MAX_S as f64 {
        return Ok(Span::from_fractional_seconds(seconds));
    }
    let problem = format!("has a {field} of {seconds} seconds; {least} to {SPAN_MAX_S} are allowed");
    Err(Error::invalid(SETTLEMENTS, problem))
}

#[derive(Serialize)]
struct Round<'a> {
    settled: Vec<u8>,
    jobs: Vec<DetailedJob<'a>>,
    /// All slots of the queue are taken, so a worker with slots of its own has nothing to look for.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_full: Option<bool>,
    /// Moves are recorded: the worker may tell the task and the running time of every job.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_recorded: bool,
    /// After which time the next report of the worker is due, if this call has written one.
    #[serde(skip_serializing_if = "Option::is_none")]
    report_in_s: Option<Span>,
}

const fn number(settled: Settled) -> u8 {
    match settled {
        Settled::Lost => 0,
        Settled::Held => 1,
        Settled::Awaited => 2,
    }
}

/// Takes the write lock only if there is something to settle or to claim.
pub fn work(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let queue = arguments.name(0, "queue")?;
    let worker_id = arguments.name(1, "worker_id")?;
    let n = usize::try_from(arguments.integer_in(2, "n", &CLAIM_BATCH)?).unwrap_or(0);
    let lease = arguments.positive_span(3, "timeout_s", LEASE_MAX_S)?;
    let finished: Vec<Finished<'_>> = json::array(arguments.text(4, SETTLEMENTS)?, SETTLEMENTS, "settlements")?;
    let settlements: Vec<_> = finished.iter().map(|each| each.settlement(worker_id)).collect::<Result<_>>()?;
    // Each settlement adds a digit and a comma to the result.
    let room = Room::new(longest_text(ctx.conn()), CLAIM_MAX_BYTES).less(2 * settlements.len());
    let claim = Claim { queue, worker_id, n, lease, room };
    let report = workers::optional_report(arguments, 5)?;
    let build = |settled: &[Settled], jobs: &[ClaimedJob], report_in_s| {
        let settled = settled.iter().map(|settled| number(*settled)).collect();
        let is_full = (jobs.len() < n && queue::is_full(ctx, queue)?).then_some(true);
        let jobs = detailed(jobs, queue, worker_id);
        let is_recorded = ctx.recording()?.is_on();
        fitting(ctx.conn(), Output::json(&Round { settled, jobs, is_full, is_recorded, report_in_s }))
    };

    if settlements.is_empty() && report.is_none() {
        return claim_if_any(ctx, &claim, |jobs| build(&[], jobs, None));
    }
    atomically(ctx, || {
        let settled = queue::settle(ctx, &settlements)?;
        // The claim below must see the effects of settling, and the jobs that were put back to run at once.
        ctx.flush()?;
        let prospect = if n == 0 { None } else { queue::prospect(ctx, queue)? };
        let jobs = prospect.map_or_else(|| Ok(Vec::new()), |prospect| queue::claim(ctx, &claim, prospect))?;
        let report_in_s = report.as_ref().map(|report| report_with(ctx, report, queue, &jobs)).transpose()?;
        build(&settled, &jobs, report_in_s)
    })
}

/// Writes the report of a worker, and in it the jobs that this round has claimed.
fn report_with(ctx: &Ctx<'_>, report: &Report, queue: &str, jobs: &[ClaimedJob]) -> Result<Span> {
    let mut report = report.clone();
    let since = worker::seconds(ctx.now());
    for job in jobs.iter().take(REPORT_ITEMS_MAX) {
        report.running.push(RunningJob { id: job.id, queue: queue.to_owned(), task: task_of(&job.payload), since });
    }
    report.busy = report.busy.saturating_add(i64::try_from(jobs.len()).unwrap_or(i64::MAX));
    worker::report(ctx, &report)
}
