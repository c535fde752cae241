//! Stream functions.

use honker_domain::json_length::Room;
use honker_domain::limits::READ_MAX_BYTES;
use honker_domain::{Ctx, Error, Result, stream};
use serde_json::value::RawValue;

use super::Output;
use crate::arguments::Arguments;
use crate::scalar::longest_text;

/// Events as their publisher lists them: a key or none, and the payload in the very characters that are stored.
type NewEvents<'a> = Vec<(Option<String>, &'a RawValue)>;

pub fn publish_many(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let topic = arguments.name(0, "topic")?;
    let events: NewEvents<'_> = serde_json::from_str(arguments.text(1, "events_json")?).map_err(|error| {
        Error::invalid("events_json", format!("is not a JSON array of [key or null, payload] pairs: {error}"))
    })?;
    let events = events.iter().map(|(key, payload)| (key.as_deref(), payload.get()));
    Ok(Output::json(&stream::publish_many(ctx, topic, events)?))
}

pub fn offset_at(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    stream::offset_at(ctx, arguments.instant(0, "since_unix")?).map(Output::from)
}

pub fn publish(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let key = arguments.optional_text(1, "key")?;
    stream::publish(ctx, arguments.name(0, "topic")?, key, arguments.text(2, "payload")?).map(Output::from)
}

pub fn read_since(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let topic = arguments.name(0, "topic")?;
    let offset = arguments.integer(1, "offset")?;
    let events = stream::read_since(ctx, topic, offset, arguments.integer(2, "limit")?, room(ctx))?;
    Ok(Output::json(&events))
}

/// Of one read of events or notifications.
pub(super) fn room(ctx: &Ctx<'_>) -> Room {
    Room::new(longest_text(ctx.conn()), READ_MAX_BYTES)
}

pub fn save_offset(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let (consumer, topic) = (arguments.name(0, "consumer")?, arguments.name(1, "topic")?);
    stream::save_offset(ctx, consumer, topic, arguments.integer(2, "offset")?).map(Output::from)
}

pub fn get_offset(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    stream::get_offset(ctx, arguments.name(0, "consumer")?, arguments.name(1, "topic")?).map(Output::from)
}
