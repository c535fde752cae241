//! Event streams: an append-only log per topic, and the offset that each consumer has reached.

mod retain;

use rusqlite::{Connection, OptionalExtension, Row, Statement, params};
use serde::Serialize;

use crate::clock::Instant;
use crate::{Result, stored};

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
    /// What makes the row no event, if anything: somebody edited it. Its payload is then empty. It is handed out all the
    /// same, so that a consumer can pass it and say so, and comes to the events behind it.
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

/// Appends an event and returns its offset. One statement; now and then others follow that delete what the topic's
/// policy of retention gives up.
///
/// # Errors
/// Whatever SQLite reports.
pub fn publish(conn: &Connection, topic: &str, key: Option<&str>, payload: &str) -> Result<i64> {
    let mut statement = conn.prepare_cached(include_str!("publish.sql"))?;
    insert(&mut statement, topic, key, payload, Instant::now().second())?;
    let offset = conn.last_insert_rowid();
    keep_to_policy(conn, topic, &[offset])?;
    Ok(offset)
}

/// Appends several events and returns their offsets. To be bracketed by the caller.
///
/// All carry the same time. The statement is taken out of the cache once, not once per event.
///
/// # Errors
/// Whatever SQLite reports.
pub fn publish_many<'a>(
    conn: &Connection,
    topic: &str,
    events: impl Iterator<Item = (Option<&'a str>, &'a str)>,
) -> Result<Vec<i64>> {
    let second = Instant::now().second();
    let mut statement = conn.prepare_cached(include_str!("publish.sql"))?;
    let publish = |(key, payload)| {
        insert(&mut statement, topic, key, payload, second)?;
        Ok(conn.last_insert_rowid())
    };
    let offsets: Vec<i64> = events.map(publish).collect::<Result<_>>()?;
    keep_to_policy(conn, topic, &offsets)?;
    Ok(offsets)
}

/// What fails here is not the publisher's business: the events are there, and the next turn will do what this one could
/// not. Unless the failure has ended the transaction around us, and the events with it.
fn keep_to_policy(conn: &Connection, topic: &str, offsets: &[i64]) -> Result<()> {
    let is_within = !conn.is_autocommit();
    match retain::keep_to_policy(conn, topic, offsets) {
        Err(error) if is_within && conn.is_autocommit() => Err(error),
        _ => Ok(()),
    }
}

fn insert(statement: &mut Statement<'_>, topic: &str, key: Option<&str>, payload: &str, second: i64) -> Result<()> {
    statement.execute(params![topic, key, payload, second])?;
    Ok(())
}

/// Events of the topic after `offset`, in order; at most `limit`, all of them when it is negative. Reads only.
///
/// # Errors
/// Whatever SQLite reports; `HONKER_MALFORMED_ROW` for a row edited into the wrong types.
pub fn read_since(conn: &Connection, topic: &str, offset: i64, limit: i64) -> Result<Vec<Event>> {
    let mut statement = conn.prepare_cached(include_str!("read_since.sql"))?;
    let events = statement.query_map(params![topic, offset, limit], Event::read)?;
    Ok(events.collect::<rusqlite::Result<_>>()?)
}

/// Raises the consumer's offset; never lowers it. Whether it rose or is new. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn save_offset(conn: &Connection, consumer: &str, topic: &str, offset: i64) -> Result<bool> {
    Ok(conn.prepare_cached(include_str!("save_offset.sql"))?.execute(params![consumer, topic, offset])? == 1)
}

/// The consumer's offset; 0 when it has saved none. Reads only.
///
/// # Errors
/// Whatever SQLite reports. A failure is no offset 0: that would replay the topic.
pub fn get_offset(conn: &Connection, consumer: &str, topic: &str) -> Result<i64> {
    let mut statement = conn.prepare_cached(include_str!("get_offset.sql"))?;
    Ok(statement.query_row([consumer, topic], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The offset after which the events created in the second of `since` or later follow, in any topic. Reads only.
///
/// A binary search over the offsets, since the time has no index: a few dozen seeks in any log. It relies on times that
/// grow with offsets; where the clock was set back, it may return an earlier offset and so replay too much, or, within
/// the stretch that was written twice, a later one.
///
/// # Errors
/// Whatever SQLite reports.
pub fn offset_at(conn: &Connection, since: Instant) -> Result<i64> {
    // Events are stored under the second that had begun.
    let since = Instant::from_seconds(since.second());
    let mut bounds = conn.prepare_cached(include_str!("bounds.sql"))?;
    let (first, last): (Option<i64>, Option<i64>) = bounds.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(mut low), Some(last)) = (first, last) else { return Ok(0) };
    // Everything before `low` is older than `since`; nothing from `high` on is.
    let mut high = last.saturating_add(1);
    let mut probe = conn.prepare_cached(include_str!("probe.sql"))?;
    while low < high {
        // Neither overflows nor rounds up to `high`, whatever the offsets that somebody wrote.
        let middle = low.saturating_add_unsigned(low.abs_diff(high) / 2);
        let found = probe
            .query_row(params![middle, high], |row| Ok((row.get::<_, i64>(0)?, Instant::from_stored(row.get_ref(1)?))));
        match found.optional()? {
            Some((offset, created_at)) if created_at.is_none_or(|at| at < since) => low = offset.saturating_add(1),
            // The event found is young enough, or there is none between the middle and `high`.
            Some(_) | None => high = middle,
        }
    }
    Ok(low.saturating_sub(1))
}
