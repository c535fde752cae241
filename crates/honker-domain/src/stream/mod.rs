//! Event streams: an append-only log per topic, and the offset that each consumer has reached.

mod retain;

use rusqlite::{Row, params};
use serde::Serialize;

use crate::clock::Instant;
use crate::json_length::Room;
use crate::statements::Prepared;
use crate::{Ctx, Result, sql, stored};

pub use retain::prune;

/// An event of a stream.
#[derive(Debug, Serialize)]
pub struct Event {
    /// Its place in the log; grows over all topics together.
    pub offset: i64,
    /// The topic's name.
    pub topic: String,
    /// The key it was published with.
    pub key: Option<String>,
    /// The payload as stored: JSON text.
    pub payload: String,
    /// When it was published.
    pub created_at: Option<Instant>,
    /// Why the row cannot be read, if it was edited by hand. Its payload is then empty. It is handed out nevertheless, so
    /// that a consumer can report it and go on to the events behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed: Option<String>,
}

impl Event {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let key = stored::optional_text("key", row.get_ref(2)?);
        let payload = stored::text("payload", row.get_ref(3)?);
        Ok(Self {
            offset: row.get(0)?,
            topic: row.get(1)?,
            malformed: payload.as_ref().err().or(key.as_ref().err()).cloned(),
            key: key.unwrap_or_default(),
            payload: payload.unwrap_or_default(),
            created_at: Instant::from_stored(row.get_ref(4)?),
        })
    }
}

/// Appends an event and returns its offset. One statement; at some offsets others follow that delete the events given up
/// by the topic's retention policy.
///
/// # Errors
/// Whatever SQLite reports.
pub fn publish(ctx: &Ctx<'_>, topic: &str, key: Option<&str>, payload: &str) -> Result<i64> {
    let offset = insert(ctx, &mut ctx.prepare(sql!("publish.sql"))?, topic, key, payload)?;
    keep_to_policy(ctx, topic, &[offset])?;
    Ok(offset)
}

/// Appends several events and returns their offsets. Run in the caller's bracket. All carry the same time.
///
/// # Errors
/// Whatever SQLite reports.
pub fn publish_many<'a>(
    ctx: &Ctx<'_>,
    topic: &str,
    events: impl Iterator<Item = (Option<&'a str>, &'a str)>,
) -> Result<Vec<i64>> {
    let mut statement = ctx.prepare(sql!("publish.sql"))?;
    let publish = |(key, payload)| insert(ctx, &mut statement, topic, key, payload);
    let offsets: Vec<i64> = events.map(publish).collect::<Result<_>>()?;
    keep_to_policy(ctx, topic, &offsets)?;
    Ok(offsets)
}

/// A failure here is not reported: the events are stored, and a later publish prunes again. It is reported only if it has
/// ended the transaction around us, and undone the events with it.
fn keep_to_policy(ctx: &Ctx<'_>, topic: &str, offsets: &[i64]) -> Result<()> {
    let is_within = !ctx.conn().is_autocommit();
    match retain::keep_to_policy(ctx, topic, offsets) {
        Err(error) if is_within && ctx.conn().is_autocommit() => Err(error),
        _ => Ok(()),
    }
}

fn insert(ctx: &Ctx<'_>, statement: &mut Prepared<'_>, topic: &str, key: Option<&str>, payload: &str) -> Result<i64> {
    statement.change_one(params![topic, key, payload, ctx.second()])?;
    Ok(ctx.conn().last_insert_rowid())
}

/// Events of the topic after `offset`, in order; at most `limit`, unless it is negative, and no more than there is room
/// for. At least one if there is any. Reads only.
///
/// # Errors
/// Whatever SQLite reports; `HONKER_MALFORMED_ROW` for a row edited into the wrong types.
pub fn read_since(ctx: &Ctx<'_>, topic: &str, offset: i64, limit: i64, mut room: Room) -> Result<Vec<Event>> {
    let mut statement = ctx.prepare(sql!("read_since.sql"))?;
    let mut rows = statement.cursor(params![topic, offset, limit])?;
    let mut events = Vec::new();
    while room.is_left()
        && let Some(row) = rows.next()?
    {
        let event = Event::read(row)?;
        let malformed = event.malformed.as_deref().unwrap_or_default();
        if !room.take(
            event.offset,
            &event.payload,
            &[&event.topic, event.key.as_deref().unwrap_or_default(), malformed],
        )? {
            break;
        }
        events.push(event);
    }
    Ok(events)
}

/// Raises the consumer's offset; never lowers it. True if it rose or is new. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn save_offset(ctx: &Ctx<'_>, consumer: &str, topic: &str, offset: i64) -> Result<bool> {
    Ok(ctx.execute(sql!("save_offset.sql"), params![consumer, topic, offset])? == 1)
}

/// The consumer's offset; 0 when it has saved none. Reads only.
///
/// # Errors
/// Whatever SQLite reports. A failure is no offset 0: that would replay the topic.
pub fn get_offset(ctx: &Ctx<'_>, consumer: &str, topic: &str) -> Result<i64> {
    Ok(ctx.row(sql!("get_offset.sql"), [consumer, topic], |row| row.get(0))?.unwrap_or(0))
}

/// The offset after which the events created in the second of `since` or later follow, in any topic. Reads only.
///
/// A binary search over the offsets, since the time has no index: a few dozen seeks in any log. It relies on times that
/// grow with offsets; where the clock was set back, it may return an earlier offset and so replay too much, or, within
/// the stretch that was written twice, a later one.
///
/// # Errors
/// Whatever SQLite reports.
pub fn offset_at(ctx: &Ctx<'_>, since: Instant) -> Result<i64> {
    // Events are stored under the second that had begun.
    let since = Instant::from_seconds(since.second());
    let bounds = ctx.row(sql!("bounds.sql"), [], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get(1)?)))?;
    let Some((Some(mut low), Some(last))) = bounds else { return Ok(0) };
    // Everything before `low` is older than `since`; nothing from `high` on is.
    let mut high = i64::saturating_add(last, 1);
    let mut probe = ctx.prepare(sql!("probe.sql"))?;
    while low < high {
        // Neither overflows nor rounds up to `high`, for any offsets.
        let middle = low.saturating_add_unsigned(low.abs_diff(high) / 2);
        let found = probe
            .row(params![middle, high], |row| Ok((row.get::<_, i64>(0)?, Instant::from_stored(row.get_ref(1)?))))?;
        match found {
            Some((offset, created_at)) if created_at.is_none_or(|at| at < since) => low = offset.saturating_add(1),
            // The event found is young enough, or no event lies between the middle and `high`.
            Some(_) | None => high = middle,
        }
    }
    Ok(low.saturating_sub(1))
}
