//! Result functions.

use honker_domain::{Ctx, Result, result};

use super::Output;
use crate::arguments::Arguments;

pub fn save(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let job_id = arguments.integer(0, "job_id")?;
    let value = arguments.text(1, "value")?;
    // A time to live of 0 or less means for ever.
    let ttl = Some(arguments.span(2, "ttl_s")?).filter(|ttl| ttl.is_positive());
    result::save(ctx, job_id, value, ttl)?;
    Ok(true.into())
}

pub fn get(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    result::get(ctx, arguments.integer(0, "job_id")?).map(Output::from)
}

pub fn sweep(ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    result::sweep(ctx).map(Output::from)
}
