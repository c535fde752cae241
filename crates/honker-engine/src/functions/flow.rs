//! Functions that show how jobs stand to each other.

use honker_domain::limits::LIST_BATCH;
use honker_domain::{Ctx, Result, queue};

use super::Output;
use crate::arguments::Arguments;
use crate::bracket::consistently;
use crate::scalar::fitting;

pub fn job_parents(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let id = arguments.integer(0, "job_id")?;
    fitting(ctx.conn(), Output::json(&queue::parents(ctx, id)?))
}

pub fn violations(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let limit = usize::try_from(arguments.integer_in(0, "n", &LIST_BATCH)?).unwrap_or(0);
    consistently(ctx, || fitting(ctx.conn(), Output::json(&queue::violations(ctx, limit)?)))
}
