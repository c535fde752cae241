//! Enqueueing many jobs in one call.

use honker_core::limits::ENQUEUE_BATCH;
use honker_core::{Ctx, Error, Result, queue};
use serde_json::Number;
use serde_json::value::RawValue;

use super::Output;
use super::queues::new_job;
use crate::arguments::{Arguments, Value};

const PAYLOAD: usize = 1;

/// The options of a job, by their position among the arguments.
const OPTIONS: [(usize, &str); 5] = [(2, "run_at"), (3, "delay"), (4, "priority"), (5, "max_attempts"), (6, "expires")];

/// An option that is given as a JSON array: one value for each job.
struct Column {
    index: usize,
    values: Vec<Value<'static>>,
}

/// Each job is put together as the arguments of `honker_enqueue`, and checked by the same code.
pub fn enqueue_many(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    // Also refused when there is no job to be refused with it.
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

/// The elements of a JSON array in the very characters they came in, which is what is stored.
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
    for (index, name) in OPTIONS {
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
    Ok(values.iter().map(|number| number.as_ref().map_or(Value::Null, value)).collect())
}

fn value(number: &Number) -> Value<'static> {
    // What fits neither is an integer beyond 64 bits, which no range allows: infinity is outside each of them too.
    number.as_i64().map_or_else(|| Value::Real(number.as_f64().unwrap_or(f64::INFINITY)), Value::Integer)
}
