//! Stream and notification functions.

use honker_core::{Result, notify as notifications, stream};
use rusqlite::Connection;

use super::Output;
use crate::arguments::Arguments;

pub fn notify(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    notifications::notify(conn, arguments.name(0, "channel")?, arguments.text(1, "payload")?).map(Output::from)
}

pub fn publish(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    let key = arguments.optional_text(1, "key")?;
    stream::publish(conn, arguments.name(0, "topic")?, key, arguments.text(2, "payload")?).map(Output::from)
}

pub fn read_since(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    let topic = arguments.name(0, "topic")?;
    let offset = arguments.integer(1, "offset")?;
    let events = stream::read_since(conn, topic, offset, arguments.integer(2, "limit")?)?;
    Ok(Output::json(&events))
}

pub fn save_offset(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    let (consumer, topic) = (arguments.name(0, "consumer")?, arguments.name(1, "topic")?);
    stream::save_offset(conn, consumer, topic, arguments.integer(2, "offset")?).map(Output::from)
}

pub fn get_offset(conn: &Connection, arguments: &Arguments<'_>) -> Result<Output> {
    stream::get_offset(conn, arguments.name(0, "consumer")?, arguments.name(1, "topic")?).map(Output::from)
}
