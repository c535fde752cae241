//! Enqueueing many jobs in one call.

use honker_core::limits::ENQUEUE_BATCH;
use honker_core::{Ctx, Error, Result, queue};
use serde_json::Number;
use serde_json::value::RawValue;

use super::Output;
use super::options::number_value;
use super::queues::{JOB_OPTIONS, new_job};
use crate::arguments::{Arguments, Value};

const PAYLOAD: usize = 1;

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
    let mut row = arguments.clone();
    let jobs = payloads.iter().enumerate().map(|(position, payload)| {
        row.set(PAYLOAD, Value::Text(payload.get().as_bytes()));
        for column in &columns {
            row.set(column.index, column.values[position]);
        }
        new_job(ctx, &row).map_err(|error| error.at(position))
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
