//! Lock and rate-limit functions.

use honker_domain::limits::{LEASE_MAX_S, TOKENS_MAX};
use honker_domain::token_bucket::{self, Bucket};
use honker_domain::{Ctx, Error, Result, lock, rate_limit};

use super::Output;
use crate::arguments::Arguments;

pub fn acquire(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let (name, owner) = (arguments.name(0, "name")?, arguments.name(1, "owner")?);
    lock::acquire(ctx, name, owner, arguments.positive_span(2, "ttl_s", LEASE_MAX_S)?).map(Output::from)
}

pub fn release(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    lock::release(ctx, arguments.name(0, "name")?, arguments.name(1, "owner")?).map(Output::from)
}

pub fn renew(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let (name, owner) = (arguments.name(0, "name")?, arguments.name(1, "owner")?);
    lock::renew(ctx, name, owner, arguments.positive_span(2, "ttl_s", LEASE_MAX_S)?).map(Output::from)
}

pub fn token(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    lock::token(ctx, arguments.name(0, "name")?, arguments.name(1, "owner")?).map(Output::from)
}

pub fn expires_at(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    lock::expires_at(ctx, arguments.name(0, "name")?).map(Output::from)
}

pub fn rate_limit_try(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let name = arguments.name(0, "name")?;
    let limit = arguments.integer(1, "limit")?;
    let per = arguments.span(2, "per")?;
    if limit <= 0 || !per.is_positive() {
        return Err(Error::invalid("limit and per", "must be positive"));
    }
    rate_limit::attempt(ctx, name, limit, per).map(Output::from)
}

pub fn rate_limit_sweep(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    rate_limit::sweep(ctx, arguments.span(0, "older_than_s")?).map(Output::from)
}

pub fn token_bucket_take(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let bucket = Bucket {
        name: arguments.name(0, "name")?,
        capacity: arguments.positive_number(1, "capacity", TOKENS_MAX)?,
        refill_per_s: arguments.positive_number(2, "refill_per_s", TOKENS_MAX)?,
    };
    let tokens = arguments.positive_number(3, "tokens", TOKENS_MAX)?;
    if tokens > bucket.capacity {
        let capacity = bucket.capacity;
        return Err(Error::invalid("tokens", format!("is {tokens}; the bucket never holds more than {capacity}")));
    }
    Ok(token_bucket::take(ctx, bucket, tokens)?.map_or(Output::Integer(0), Output::from))
}
