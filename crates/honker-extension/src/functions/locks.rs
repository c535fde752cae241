//! Lock and rate-limit functions.

use honker_core::limits::SPAN_MAX_S;
use honker_core::{Error, Result, lock, rate_limit};
use rusqlite::Connection;

use super::Output;
use crate::arguments::Arguments;

pub fn acquire(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    let (name, owner) = (arguments.name(0, "name")?, arguments.name(1, "owner")?);
    lock::acquire(conn, name, owner, arguments.positive_span(2, "ttl_s", SPAN_MAX_S)?).map(Output::from)
}

pub fn release(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    lock::release(conn, arguments.name(0, "name")?, arguments.name(1, "owner")?).map(Output::from)
}

pub fn renew(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    let (name, owner) = (arguments.name(0, "name")?, arguments.name(1, "owner")?);
    lock::renew(conn, name, owner, arguments.positive_span(2, "ttl_s", SPAN_MAX_S)?).map(Output::from)
}

pub fn token(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    lock::token(conn, arguments.name(0, "name")?, arguments.name(1, "owner")?).map(Output::from)
}

pub fn expires_at(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    lock::expires_at(conn, arguments.name(0, "name")?).map(Output::from)
}

pub fn rate_limit_try(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    let name = arguments.name(0, "name")?;
    let limit = arguments.integer(1, "limit")?;
    let per = arguments.span(2, "per")?;
    if limit <= 0 || !per.is_positive() {
        return Err(Error::invalid("limit and per", "must be positive"));
    }
    rate_limit::attempt(conn, name, limit, per).map(Output::from)
}

pub fn rate_limit_sweep(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    rate_limit::sweep(conn, arguments.span(0, "older_than_s")?).map(Output::from)
}
