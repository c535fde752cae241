//! Notification functions.

use honker_domain::{Ctx, Error, Result, notify, schema};

use super::Output;
use super::streams::room;
use crate::arguments::Arguments;

pub fn notify(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let (channel, payload) = (arguments.name(0, "channel")?, arguments.text(1, "payload")?);
    match notify::notify(ctx, channel, payload) {
        // The reference makes this table when it is loaded, so its callers notify without a bootstrap.
        Err(Error::NotBootstrapped(_)) if !schema::is_current(ctx.conn())? => {
            schema::upgrade(ctx.conn())?;
            notify::notify(ctx, channel, payload).map(Output::from)
        }
        outcome => outcome.map(Output::from),
    }
}

pub fn read_since(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let channel = arguments.name(0, "channel")?;
    let id = arguments.integer(1, "id")?;
    Ok(Output::json(&notify::read_since(ctx, channel, id, arguments.integer(2, "limit")?, room(ctx))?))
}

pub fn last_id(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    notify::last_id(ctx, arguments.name(0, "channel")?).map(Output::from)
}

pub fn prune(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let age = arguments.optional_span(0, "older_than_s")?;
    let keep = arguments.optional_integer(1, "max_keep")?;
    if keep.is_some_and(|keep| keep < 0) {
        return Err(Error::invalid("max_keep", "must not be negative"));
    }
    notify::prune(ctx, age, keep).map(Output::from)
}
