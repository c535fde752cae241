//! Setup, and later changes to the tables by others.

use honker_domain::{Ctx, Result, malformed, schema, test_clock};

use super::Output;
use crate::arguments::Arguments;
use crate::bracket::{atomically, lock_first};

/// A file that is current is only read, so that opening it needs no write lock. In a transaction of the host that it
/// begins, it is locked: the host is about to write.
pub fn bootstrap(ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    lock_first(ctx)?;
    if !schema::is_current(ctx.conn())? {
        atomically(ctx, || schema::upgrade(ctx.conn()))?;
        test_clock::forget(ctx);
    }
    Ok(true.into())
}

pub fn malformed_rows(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    Ok(Output::json(&malformed::rows(ctx, arguments.integer(0, "limit")?)?))
}

pub fn file_share(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    schema::set_shared(ctx, arguments.integer(0, "is_shared")? != 0).map(Output::from)
}

pub fn file_is_shared(ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    schema::is_shared(ctx).map(Output::from)
}

pub fn hazards(ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    Ok(Output::json(&schema::hazards(ctx)?))
}

pub fn has_additions(ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    Ok(schema::has_additions(ctx)?.into())
}
