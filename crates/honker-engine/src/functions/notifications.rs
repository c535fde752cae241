//! Notification functions.

use honker_core::{Error, Result, notify};
use rusqlite::Connection;

use super::Output;
use crate::arguments::Arguments;

pub fn notify(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    notify::notify(conn, arguments.name(0, "channel")?, arguments.text(1, "payload")?).map(Output::from)
}

pub fn read_since(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    let channel = arguments.name(0, "channel")?;
    let id = arguments.integer(1, "id")?;
    Ok(Output::json(&notify::read_since(conn, channel, id, arguments.integer(2, "limit")?)?))
}

pub fn last_id(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    notify::last_id(conn, arguments.name(0, "channel")?).map(Output::from)
}

pub fn prune(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    let age = arguments.optional_span(0, "older_than_s")?;
    let keep = arguments.optional_integer(1, "max_keep")?;
    if keep.is_some_and(|keep| keep < 0) {
        return Err(Error::invalid("max_keep", "must not be negative"));
    }
    notify::prune(conn, age, keep).map(Output::from)
}
