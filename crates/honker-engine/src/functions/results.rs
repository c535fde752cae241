//! Result functions.

use honker_core::{Result, result};
use rusqlite::Connection;

use super::Output;
use crate::arguments::Arguments;

pub fn save(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    let job_id = arguments.integer(0, "job_id")?;
    let value = arguments.text(1, "value")?;
    // Nothing or less means for good.
    let ttl = Some(arguments.span(2, "ttl_s")?).filter(|ttl| ttl.is_positive());
    result::save(conn, job_id, value, ttl)?;
    Ok(true.into())
}

pub fn get(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    result::get(conn, arguments.integer(0, "job_id")?).map(Output::from)
}

pub fn sweep(conn: &Connection, _arguments: &Arguments<'_>) -> Result<Output> {
    result::sweep(conn).map(Output::from)
}
