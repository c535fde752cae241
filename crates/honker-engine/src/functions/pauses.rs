//! The functions that pause queues and keys.

use honker_domain::queue::{self, Terms};
use honker_domain::{Ctx, Result};

use super::Output;
use super::jobs::note;
use crate::arguments::Arguments;

/// The end of a pause at an index, and its reason after it.
fn terms<'a>(arguments: &Arguments<'a>, index: usize) -> Result<Terms<'a>> {
    Ok(Terms { until: arguments.optional_instant(index, "until")?, reason: note(arguments, index + 1, "reason")? })
}

pub fn pause(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    queue::pause(ctx, arguments.name(0, "queue")?, &terms(arguments, 1)?).map(Output::from)
}

pub fn resume(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    queue::resume(ctx, arguments.name(0, "queue")?).map(Output::from)
}

pub fn pause_key(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let (queue, key) = (arguments.name(0, "queue")?, arguments.name(1, "key")?);
    queue::pause_key(ctx, queue, key, &terms(arguments, 2)?).map(Output::from)
}

pub fn resume_key(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    queue::resume_key(ctx, arguments.name(0, "queue")?, arguments.name(1, "key")?).map(Output::from)
}
