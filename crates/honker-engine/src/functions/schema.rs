//! Setup, and what somebody did to the tables since.

use honker_core::{Result, malformed, schema};
use rusqlite::Connection;

use super::Output;
use crate::arguments::Arguments;
use crate::bracket::atomically;

/// A file that is current is only read, so that opening it needs no write lock.
pub fn bootstrap(conn: &Connection, _arguments: &Arguments<'_>) -> Result<Output> {
    if !schema::is_current(conn)? {
        atomically(conn, || schema::upgrade(conn))?;
    }
    Ok(true.into())
}

pub fn malformed_rows(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    Ok(Output::json(&malformed::rows(conn, arguments.integer(0, "limit")?)?))
}

pub fn has_additions(conn: &Connection, _arguments: &Arguments<'_>) -> Result<Output> {
    Ok(schema::has_additions(conn)?.into())
}
