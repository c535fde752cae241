//! Functions for people who look at the jobs of a file and operate on many of them.

use std::cell::RefCell;

use honker_domain::clock::Instant;
use honker_domain::inspect::{self, Applied, Args, Filter, Shown, Verb};
use honker_domain::limits::{APPLY_BATCH, INSTANT_S, JOB_IDS_MAX, JOBS_PAGE};
use honker_domain::{Ctx, Error, Result};
use serde_json::Value as Json;

use super::Output;
use super::flow_options::{choice, name};
use super::options::Options;
use crate::arguments::Arguments;
use crate::bracket::{atomically_if_found, consistently};
use crate::scalar::fitting;

const FILTER: &str = "filter_json";
const CONDITIONS: [&str; 9] = ["state", "queue", "task", "key", "error", "ids", "workflow", "args", "since"];

pub fn jobs_list(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let filter = filter(ctx, arguments, 0)?;
    let after = arguments.optional_integer(1, "after")?;
    let n = count(arguments, 2)?;
    let page = consistently(ctx, || inspect::list(ctx, &filter, after, n))?;
    fitting(ctx.conn(), Output::json(&page))
}

pub fn job_detail(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let id = arguments.integer(0, "job_id")?;
    let detail = consistently(ctx, || inspect::detail(ctx, id))?;
    detail.map_or(Ok(Output::Null), |detail| fitting(ctx.conn(), Output::json(&detail)))
}

/// Looks for the jobs first, so that a call which finds none takes no lock.
pub fn jobs_apply(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let verb = verb(arguments)?;
    let filter = filter(ctx, arguments, 1)?;
    let after = arguments.optional_integer(2, "after")?;
    let n = usize::try_from(arguments.integer_in(3, "n", &APPLY_BATCH)?).unwrap_or(0);
    let nothing = RefCell::new(None);
    let look = || {
        let matching = inspect::matching(ctx, verb, &filter, after, n)?;
        if matching.is_empty() {
            nothing.replace(Some(matching.unchanged()));
            return Ok(None);
        }
        Ok(Some(matching))
    };
    let applied = atomically_if_found(ctx, look, |matching| inspect::apply(ctx, verb, &matching))?;
    let applied: Option<Applied> = applied.or_else(|| nothing.take());
    Ok(applied.map_or(Output::Null, |applied| Output::json(&applied)))
}

pub fn dead_groups(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let queue = arguments.optional_name(0, "queue")?;
    let since = arguments.optional_span_from_zero(1, "since_s")?;
    let n = count(arguments, 2)?;
    let groups = consistently(ctx, || inspect::dead_groups(ctx, queue, since.map(|since| ctx.ago(since)), n))?;
    fitting(ctx.conn(), Output::json(&groups))
}

pub fn stream_list(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let after = arguments.optional_name(0, "after")?.unwrap_or_default();
    let n = count(arguments, 1)?;
    fitting(ctx.conn(), Output::json(&consistently(ctx, || inspect::streams(ctx, after, n))?))
}

pub fn lock_list(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let after = arguments.optional_name(0, "after")?.unwrap_or_default();
    let n = count(arguments, 1)?;
    fitting(ctx.conn(), Output::json(&inspect::locks(ctx, after, n)?))
}

pub fn workflow_list(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let after = arguments.optional_integer(0, "after")?;
    let n = count(arguments, 1)?;
    fitting(ctx.conn(), Output::json(&consistently(ctx, || inspect::workflows(ctx, after, n))?))
}

/// The rows of a page.
fn count(arguments: &Arguments<'_>, index: usize) -> Result<usize> {
    Ok(usize::try_from(arguments.integer_in(index, "n", &JOBS_PAGE)?).unwrap_or(0))
}

fn verb(arguments: &Arguments<'_>) -> Result<Verb> {
    let given = arguments.text(0, "verb")?;
    Verb::ALL.into_iter().find(|(name, _)| *name == given).map(|(_, verb)| verb).ok_or_else(|| {
        let names = Verb::ALL.map(|(name, _)| name).join(", ");
        Error::invalid("verb", format!("is {given:?}; the verbs are {names}"))
    })
}

/// A workflow stands for its jobs, which its record names for good.
fn filter(ctx: &Ctx<'_>, arguments: &Arguments<'_>, index: usize) -> Result<Filter> {
    let options = Options::parse(arguments, index, FILTER)?;
    options.require_known(&CONDITIONS)?;
    Ok(Filter {
        state: choice(&options, "state", &Shown::ALL)?,
        queue: name(&options, "queue")?,
        task: text(&options, "task")?,
        key: name(&options, "key")?,
        error: text(&options, "error")?,
        ids: ids(&options)?,
        members: workflow(&options)?.map(|id| inspect::members(ctx, id)).transpose()?,
        args: options.get("args").map(Args::of).transpose()?,
        since: since(&options)?,
    })
}

fn text(options: &Options, option: &'static str) -> Result<Option<String>> {
    let Some(value) = options.get(option) else { return Ok(None) };
    let text = value.as_str().ok_or_else(|| Error::invalid(option, format!("is {value}; it must be a text")))?;
    Ok(Some(text.to_owned()))
}

fn ids(options: &Options) -> Result<Option<Vec<i64>>> {
    let Some(value) = options.get("ids") else { return Ok(None) };
    let wrong = || Error::invalid("ids", "must be a JSON array of job ids");
    let Json::Array(values) = value else { return Err(wrong()) };
    if values.len() > JOB_IDS_MAX {
        return Err(Error::invalid("ids", format!("has {} ids; at most {JOB_IDS_MAX} are allowed", values.len())));
    }
    values.iter().map(|value| integer(value).ok_or_else(wrong)).collect::<Result<_>>().map(Some)
}

fn workflow(options: &Options) -> Result<Option<i64>> {
    let Some(value) = options.get("workflow") else { return Ok(None) };
    let wrong = || Error::invalid("workflow", format!("is {value}; it must be the id of a workflow"));
    integer(value).map(Some).ok_or_else(wrong)
}

fn integer(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().and_then(crate::arguments::whole))
}

#[expect(clippy::cast_precision_loss, reason = "the ends of the range are far below 2^53")]
fn since(options: &Options) -> Result<Option<Instant>> {
    let Some(value) = options.get("since") else { return Ok(None) };
    let (start, end) = (*INSTANT_S.start(), *INSTANT_S.end());
    match value.as_f64() {
        Some(seconds) if seconds >= start as f64 && seconds <= end as f64 => {
            Ok(Some(Instant::from_fractional_seconds(seconds)))
        }
        _ => Err(Error::invalid("since", format!("is {value}; {start} to {end} Unix seconds are allowed"))),
    }
}
