//! Queue functions.

use honker_domain::clock::Instant;
use honker_domain::json_length::Room;
use honker_domain::limits::{
    CLAIM_BATCH, CLAIM_MAX_BYTES, COUNT_LIMIT, COUNT_LIMIT_DEFAULT, LEASE_MAX_S, LIST_BATCH, MAX_ATTEMPTS,
    MAX_ATTEMPTS_DEFAULT, PRIORITY,
};
use honker_domain::queue::{self, Added, Claim, ClaimedJob, Flow, Held, NewJob, State};
use honker_domain::{Ctx, Error, Result};
use serde::Serialize;

use super::Output;
use super::flow_options::{FLOW_OPTIONS, FlowOptions};
use super::json::{self, Integer, JobClaim};
use super::options::Options;
use crate::arguments::{Arguments, Value};
use crate::bracket::{atomically, atomically_if_found, consistently};
use crate::scalar::{fitting, longest_text};

/// The options of a job, with their positions in the positional form of `honker_enqueue`.
pub(super) const JOB_OPTIONS: [(usize, &str); 5] =
    [(2, "run_at"), (3, "delay"), (4, "priority"), (5, "max_attempts"), (6, "expires")];

/// Three arguments are the form with options as JSON.
const OPTIONS_ARITY: usize = 3;

/// One statement for a plain job; a job that stands in a relation to others needs the bracket.
pub fn enqueue(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    if arguments.count() != OPTIONS_ARITY {
        return added(ctx, || queue::enqueue(ctx, &new_job(ctx, arguments, None)?).map(Output::from));
    }
    let options = Options::parse(arguments, 2, "options_json")?;
    let flow = FlowOptions::parse(&options)?;
    let row = positional(arguments, &options)?;
    match flow.as_ref().map(FlowOptions::flow) {
        None => added(ctx, || queue::enqueue(ctx, &new_job(ctx, &row, None)?).map(Output::from)),
        flow => atomically(ctx, || queue::enqueue(ctx, &new_job(ctx, &row, flow)?).map(Output::from)),
    }
}

/// Adds a plain job by one statement, in a bracket only if its record is to be written with it.
fn added(ctx: &Ctx<'_>, add: impl FnOnce() -> Result<Output>) -> Result<Output> {
    if ctx.recording()?.is_on() { atomically(ctx, add) } else { add() }
}

/// As [`enqueue`] of a job with a unique key, and says if that was taken.
pub fn enqueue_unique(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let options = Options::parse(arguments, 2, "options_json")?;
    let row = positional(arguments, &options)?;
    let Some(flow) = FlowOptions::parse(&options)?.filter(FlowOptions::is_unique) else {
        return Err(Error::invalid("options_json", "has no unique_key; give one, or call honker_enqueue"));
    };
    let job = new_job(ctx, &row, Some(flow.flow()))?;
    Ok(Output::json(&UniqueJob::from(queue::admit(ctx, &job, &flow.flow())?)))
}

#[derive(Serialize)]
struct UniqueJob {
    id: i64,
    is_duplicate: bool,
}

impl From<Added> for UniqueJob {
    fn from(Added { id, is_duplicate }: Added) -> Self {
        Self { id, is_duplicate }
    }
}

/// The positional form of a call with options as JSON.
fn positional<'a>(arguments: &Arguments<'a>, options: &'a Options) -> Result<Arguments<'a>> {
    let mut row = arguments.padded_to(JOB_OPTIONS.len() + 2);
    row.set(2, Value::Null);
    row.set(4, Value::Integer(0));
    row.set(5, Value::Integer(MAX_ATTEMPTS_DEFAULT));
    options.place(&JOB_OPTIONS, &FLOW_OPTIONS, &mut row)?;
    Ok(row)
}

/// A job from the arguments of `honker_enqueue`.
pub(super) fn new_job<'a>(ctx: &Ctx<'_>, arguments: &Arguments<'a>, flow: Option<Flow<'a>>) -> Result<NewJob<'a>> {
    let run_at = arguments.optional_instant(2, "run_at")?;
    let delay = arguments.optional_span(3, "delay")?;
    Ok(NewJob {
        queue: arguments.name(0, "queue")?,
        payload: arguments.text(1, "payload")?,
        // A delay wins over run_at; a delay of nothing means now.
        run_at: match delay {
            Some(delay) if delay.as_ms() == 0 => None,
            Some(delay) => Some(ctx.after(delay)),
            None => run_at,
        },
        priority: arguments.integer_in(4, "priority", &PRIORITY)?,
        max_attempts: arguments.integer_in(5, "max_attempts", &MAX_ATTEMPTS)?,
        // Counted from the millisecond that has begun: what expires at once is never claimable.
        expires_at: arguments.optional_span(6, "expires")?.map(|expires| ctx.now() + expires),
        flow,
    })
}

/// A claimed job in the fields of `honker_get_job`.
#[derive(Serialize)]
struct PlainJob<'a> {
    id: i64,
    queue: &'a str,
    payload: &'a str,
    state: &'static str,
    priority: i64,
    run_at: Option<Instant>,
    worker_id: &'a str,
    claim_expires_at: Instant,
    attempts: i64,
    max_attempts: i64,
    created_at: Option<Instant>,
    expires_at: Option<Instant>,
}

/// A claimed job with everything its row says. Fields of flow control that say nothing are left out: a worker reads
/// thousands of these texts a second.
#[derive(Serialize)]
pub(super) struct DetailedJob<'a> {
    #[serde(flatten)]
    job: PlainJob<'a>,
    last_error: Option<&'a str>,
    unknown_since: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snoozes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_dependents: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_parents: Option<bool>,
}

fn plain<'a>(job: &'a ClaimedJob, queue: &'a str, worker_id: &'a str) -> PlainJob<'a> {
    PlainJob {
        id: job.id,
        queue,
        payload: &job.payload,
        state: State::Processing.name(),
        priority: job.priority,
        run_at: job.run_at,
        worker_id,
        claim_expires_at: job.claim_expires_at,
        attempts: job.attempts,
        max_attempts: job.max_attempts,
        created_at: job.created_at,
        expires_at: job.expires_at,
    }
}

pub(super) fn detailed<'a>(jobs: &'a [ClaimedJob], queue: &'a str, worker_id: &'a str) -> Vec<DetailedJob<'a>> {
    let detail = |job: &'a ClaimedJob| DetailedJob {
        job: plain(job, queue, worker_id),
        last_error: job.last_error.as_deref(),
        unknown_since: job.unknown_since,
        key: job.key.as_deref(),
        snoozes: (job.snoozes != 0).then_some(job.snoozes),
        has_dependents: job.has_dependents.then_some(true),
        has_parents: job.has_parents.then_some(true),
    };
    jobs.iter().map(detail).collect()
}

/// Takes the write lock only if there is something to claim: each commit wakes every idle worker.
pub fn claim_batch(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let queue = arguments.name(0, "queue")?;
    let worker_id = arguments.name(1, "worker_id")?;
    let claim = Claim {
        queue,
        worker_id,
        n: usize::try_from(arguments.integer_in(2, "n", &CLAIM_BATCH)?).unwrap_or(0),
        lease: arguments.positive_span(3, "timeout_s", LEASE_MAX_S)?,
        room: Room::new(longest_text(ctx.conn()), CLAIM_MAX_BYTES),
    };
    let is_detailed = arguments.optional_integer(4, "detailed")?.unwrap_or(0) != 0;
    let build = |jobs: &[ClaimedJob]| {
        let json = if is_detailed {
            Output::json(&detailed(jobs, queue, worker_id))
        } else {
            Output::json(&jobs.iter().map(|job| plain(job, queue, worker_id)).collect::<Vec<_>>())
        };
        fitting(ctx.conn(), json)
    };
    claim_if_any(ctx, &claim, build)
}

/// The result of a claim, without the write lock if there is nothing to claim. It is built before the claim is committed:
/// a job whose result cannot be returned is not claimed.
pub(super) fn claim_if_any(
    ctx: &Ctx<'_>,
    claim: &Claim<'_>,
    build: impl Fn(&[ClaimedJob]) -> Result<Output>,
) -> Result<Output> {
    if claim.n == 0 {
        return build(&[]);
    }
    let look = || queue::prospect(ctx, claim.queue);
    let claimed = atomically_if_found(ctx, look, |prospect| build(&queue::claim(ctx, claim, prospect)?))?;
    claimed.map_or_else(|| build(&[]), Ok)
}

pub fn next_claim_at(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    queue::next_claim_at(ctx, arguments.name(0, "queue")?).map(Output::instant_or_zero)
}

pub fn stats(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let queue = arguments.name(0, "queue")?;
    let limit = count_limit(arguments, 1)?;
    Ok(Output::json(&consistently(ctx, || queue::stats(ctx, queue, limit))?))
}

pub fn list(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let after = arguments.optional_name(0, "after")?.unwrap_or("");
    let n = usize::try_from(arguments.integer_in(1, "n", &LIST_BATCH)?).unwrap_or(0);
    let limit = count_limit(arguments, 2)?;
    Ok(Output::json(&consistently(ctx, || queue::list(ctx, after, n, limit))?))
}

fn count_limit(arguments: &Arguments<'_>, index: usize) -> Result<i64> {
    let limit = arguments.optional_integer_in(index, "count_limit", &COUNT_LIMIT)?;
    Ok(limit.unwrap_or(COUNT_LIMIT_DEFAULT))
}

/// The claim that a settling call names: id and worker first, the attempt at `attempt_index`, if given.
pub(super) fn held<'a>(arguments: &Arguments<'a>, attempt_index: usize) -> Result<Held<'a>> {
    Ok(Held {
        id: arguments.integer(0, "job_id")?,
        worker_id: arguments.name(1, "worker_id")?,
        attempt: arguments.optional_integer(attempt_index, "attempt")?,
        run_s: None,
        task: None,
    })
}

/// One statement for a plain job; a job with ties needs the bracket.
pub fn ack(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let held = held(arguments, 2)?;
    if queue::ack_untied(ctx, &held)? {
        return Ok(Output::from(true));
    }
    atomically(ctx, || queue::ack_tied(ctx, &held).map(Output::from))
}

pub fn ack_batch(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let mut claims: Vec<JobClaim> =
        json::array(arguments.text(0, "ids_json")?, "ids_json", "integers or pairs of job id and attempt")?;
    let worker_id = arguments.name(1, "worker_id")?;
    if let Some(json) = arguments.optional_text(2, "attempts_json")? {
        add_attempts(&mut claims, json)?;
    }
    let held = |claim| match claim {
        JobClaim::Id(id) => Held { id, worker_id, attempt: None, run_s: None, task: None },
        JobClaim::Pair(id, attempt) => Held { id, worker_id, attempt, run_s: None, task: None },
    };
    queue::ack_batch(ctx, claims.into_iter().map(held)).map(Output::from)
}

/// Completes ids by the attempts of a second array.
fn add_attempts(claims: &mut [JobClaim], attempts_json: &str) -> Result<()> {
    let attempts: Vec<Option<Integer>> = json::array(attempts_json, "attempts_json", "integers and nulls")?;
    if attempts.len() != claims.len() {
        let (attempts, ids) = (attempts.len(), claims.len());
        return Err(Error::invalid("attempts_json", format!("has {attempts} elements for {ids} ids; give one each")));
    }
    for (claim, attempt) in claims.iter_mut().zip(attempts) {
        *claim = match *claim {
            JobClaim::Id(id) => JobClaim::Pair(id, attempt.map(|Integer(attempt)| attempt)),
            JobClaim::Pair(id, _) => {
                let problem = format!("is given, and so is an attempt of job {id} in ids_json; give it in one place");
                return Err(Error::invalid("attempts_json", problem));
            }
        };
    }
    Ok(())
}

pub fn retry(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let delay = arguments.span_from_zero(2, "delay_s")?;
    let error = arguments.optional_text(3, "error")?.unwrap_or("");
    queue::retry(ctx, &held(arguments, 4)?, delay, error).map(Output::from)
}

pub fn fail(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let error = arguments.optional_text(2, "error")?.unwrap_or("");
    queue::fail(ctx, &held(arguments, 3)?, error).map(Output::from)
}

pub fn heartbeat(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let lease = arguments.positive_span(2, "extend_s", LEASE_MAX_S)?;
    queue::heartbeat(ctx, &held(arguments, 3)?, lease).map(Output::from)
}

/// A job and the queue that it must be in, if one is given. In either order: the reference names the queue first.
pub(super) fn job_of_queue<'a>(arguments: &Arguments<'a>) -> Result<(i64, Option<&'a str>)> {
    let (id, queue) = if arguments.count() == 2 && arguments.is_text(0) { (1, 0) } else { (0, 1) };
    let queue = arguments.optional_name(queue, "queue")?;
    Ok((arguments.integer(id, "job_id")?, queue))
}

pub fn cancel(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let (id, queue) = job_of_queue(arguments)?;
    queue::cancel(ctx, id, queue).map(Output::from)
}

pub fn requeue(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let (id, queue) = job_of_queue(arguments)?;
    queue::requeue(ctx, id, queue).map(Output::from)
}

pub fn get_job(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let (id, queue) = job_of_queue(arguments)?;
    let job = queue::get_job(ctx, id, queue)?;
    Ok(job.map_or_else(|| Output::Text(String::new()), |job| Output::json(&job)))
}

pub fn sweep_expired(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    queue::sweep_expired(ctx, arguments.name(0, "queue")?).map(Output::from)
}
