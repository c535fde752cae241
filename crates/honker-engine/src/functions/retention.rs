//! Retention of dead letters and events.

use honker_domain::limits::MAX_KEEP;
use honker_domain::retention::{self, Kind, Limits};
use honker_domain::{Ctx, Error, Result, queue, stream};

use super::Output;
use crate::arguments::Arguments;

pub fn set(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let kind = match arguments.text(0, "kind")? {
        "dead" => Kind::Dead,
        "stream" => Kind::Stream,
        other => return Err(Error::invalid("kind", format!("is '{other}'; dead and stream are allowed"))),
    };
    let name = arguments.name(1, "name")?;
    retention::set(ctx, kind, name, limits(arguments, 2, "max_age_s")?).map(Output::from)
}

pub fn list(ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    Ok(Output::json(&retention::list(ctx)?))
}

pub fn stream_prune(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let topic = arguments.name(0, "topic")?;
    stream::prune(ctx, topic, limits(arguments, 1, "older_than_s")?).map(Output::from)
}

pub fn dead_prune(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let queue = arguments.name(0, "queue")?;
    queue::prune_dead(ctx, queue, limits(arguments, 1, "older_than_s")?).map(Output::from)
}

/// An age, and after it a number.
fn limits(arguments: &Arguments<'_>, index: usize, age: &'static str) -> Result<Limits> {
    Ok(Limits {
        max_age: arguments.optional_span_from_zero(index, age)?,
        max_keep: arguments.optional_integer_in(index + 1, "max_keep", &MAX_KEEP)?,
    })
}
