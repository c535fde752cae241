//! Enqueueing many jobs in one call.

use honker_domain::limits::ENQUEUE_BATCH;
use honker_domain::{Ctx, Error, Result, queue};
use serde_json::value::RawValue;
use serde_json::{Number, Value as Json};

use super::Output;
use super::flow_options::{FLOW_OPTIONS, FlowOptions};
use super::options::{Options, number_value};
use super::queues::{JOB_OPTIONS, new_job};
use crate::arguments::{Arguments, Value};

const PAYLOAD: usize = 1;
const FLOW: usize = 7;
const FLOW_ARGUMENT: &str = "flow_json";

/// An option in the form of a JSON array: one value for each job.
struct Column {
    index: usize,
    values: Vec<Value<'static>>,
}

/// Each job is put together as the arguments of `honker_enqueue`, and checked by the same code.
pub fn enqueue_many(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    // Also refused when there is no job.
    arguments.name(0, "queue")?;
    let payloads = payloads(arguments.text(PAYLOAD, "payloads_json")?)?;
    let columns = columns(arguments, payloads.len())?;
    let flows = flows(arguments, payloads.len())?;
    let mut row = arguments.clone();
    let jobs = payloads.iter().enumerate().map(|(position, payload)| {
        row.set(PAYLOAD, Value::Text(payload.get().as_bytes()));
        for column in &columns {
            row.set(column.index, column.values[position]);
        }
        let flow = flows.get(position % flows.len().max(1)).and_then(Option::as_ref);
        new_job(ctx, &row, flow.map(FlowOptions::flow)).map_err(|error| error.at(position))
    });
    Ok(Output::json(&queue::enqueue_many(ctx, jobs)?))
}

/// The elements of a JSON array, each in the very characters it came in, which are stored.
fn payloads(json: &str) -> Result<Vec<&RawValue>> {
    let payloads: Vec<&RawValue> = serde_json::from_str(json)
        .map_err(|error| Error::invalid("payloads_json", format!("is not a JSON array: {error}")))?;
    if payloads.len() > ENQUEUE_BATCH {
        let seen = payloads.len();
        let problem = format!("has {seen} elements; at most {ENQUEUE_BATCH} are allowed");
        return Err(Error::invalid("payloads_json", problem));
    }
    Ok(payloads)
}

/// The relations of the jobs to others: none, one element for all of them, or one for each.
fn flows(arguments: &Arguments<'_>, length: usize) -> Result<Vec<Option<FlowOptions>>> {
    let Some(json) = arguments.optional_text(FLOW, FLOW_ARGUMENT)? else { return Ok(Vec::new()) };
    let wrong = |problem: String| Error::invalid(FLOW_ARGUMENT, problem);
    let parsed: Json = serde_json::from_str(json).map_err(|error| wrong(format!("is no JSON: {error}")))?;
    match parsed {
        Json::Object(shared) => Ok(vec![flow(shared)?]),
        Json::Array(each) if each.len() == length => each
            .into_iter()
            .enumerate()
            .map(|(position, options)| match options {
                Json::Null => Ok(None),
                Json::Object(options) => flow(options).map_err(|error| error.at(position)),
                other => Err(wrong(format!("has {other} at position {position}; an object or null is allowed"))),
            })
            .collect(),
        Json::Array(each) => Err(wrong(format!("has {} elements for {length} payloads; give one each", each.len()))),
        other => Err(wrong(format!("is {other}; it must be an object for all jobs, or an array with one for each"))),
    }
}

fn flow(options: serde_json::Map<String, Json>) -> Result<Option<FlowOptions>> {
    if let Some(name) = options.keys().find(|name| !FLOW_OPTIONS.contains(&name.as_str())) {
        let problem = format!("has the unknown option {name:?}; the options are {}", FLOW_OPTIONS.join(", "));
        return Err(Error::invalid(FLOW_ARGUMENT, problem));
    }
    FlowOptions::parse(&Options::new(FLOW_ARGUMENT, options))
}

fn columns(arguments: &Arguments<'_>, length: usize) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    for (index, name) in JOB_OPTIONS {
        if arguments.is_text(index) {
            columns.push(Column { index, values: values(arguments.text(index, name)?, name, length)? });
        }
    }
    Ok(columns)
}

fn values(json: &str, argument: &'static str, length: usize) -> Result<Vec<Value<'static>>> {
    let values: Vec<Option<Number>> = serde_json::from_str(json)
        .map_err(|error| Error::invalid(argument, format!("is text, and not a JSON array of numbers: {error}")))?;
    if values.len() != length {
        let seen = values.len();
        return Err(Error::invalid(argument, format!("has {seen} elements for {length} payloads; give one each")));
    }
    Ok(values.iter().map(|number| number.as_ref().map_or(Value::Null, number_value)).collect())
}
