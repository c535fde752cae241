//! Notifications: rows on a channel, for listeners that are there.

use rusqlite::{Connection, Row, params};
use serde::Serialize;

use crate::clock::{Instant, Span};
use crate::limits::{NOTIFICATION_PRUNE_EVERY, NOTIFICATION_PRUNE_MAX, NOTIFICATION_RETENTION};
use crate::{Result, stored};

/// Adds a notification and returns its id.
///
/// Run in a write transaction: now and then it also deletes old rows, so that the table stays bounded without a
/// sweeper.
///
/// # Errors
/// Whatever SQLite reports.
pub fn notify(conn: &Connection, channel: &str, payload: &str) -> Result<i64> {
    let now = Instant::now();
    conn.prepare_cached(include_str!("insert.sql"))?.execute(params![channel, payload, now.second()])?;
    let id = conn.last_insert_rowid();
    if id % NOTIFICATION_PRUNE_EVERY == 0 {
        let before = age_limit(NOTIFICATION_RETENTION);
        conn.prepare_cached(include_str!("prune.sql"))?.execute(params![before, NOTIFICATION_PRUNE_MAX])?;
    }
    Ok(id)
}

/// A notification.
#[derive(Debug, Serialize)]
pub struct Notification {
    /// Its id; grows over all channels together.
    pub id: i64,
    /// The channel's name.
    pub channel: String,
    /// The payload as stored.
    pub payload: String,
    /// When it was sent.
    pub created_at: Option<Instant>,
    /// What makes the row no notification, if anything: somebody edited it. Its payload is then empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed: Option<String>,
}

impl Notification {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let payload = stored::text("payload", row.get_ref(2)?);
        Ok(Self {
            id: row.get(0)?,
            channel: row.get(1)?,
            malformed: payload.as_ref().err().cloned(),
            payload: payload.unwrap_or_default(),
            created_at: Instant::from_stored(row.get_ref(3)?),
        })
    }
}

/// Notifications of the channel after `id`, in order; at most `limit`, all of them when it is negative. Reads only.
///
/// # Errors
/// Whatever SQLite reports; `HONKER_MALFORMED_ROW` for a row edited into the wrong types.
pub fn read_since(conn: &Connection, channel: &str, id: i64, limit: i64) -> Result<Vec<Notification>> {
    let mut statement = conn.prepare_cached(include_str!("read_since.sql"))?;
    let notifications = statement.query_map(params![channel, id, limit], Notification::read)?;
    Ok(notifications.collect::<rusqlite::Result<_>>()?)
}

/// The id of the channel's newest notification; 0 when there is none. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn last_id(conn: &Connection, channel: &str) -> Result<i64> {
    let id: Option<i64> = conn.prepare_cached(include_str!("last_id.sql"))?.query_row([channel], |row| row.get(0))?;
    Ok(id.unwrap_or(0))
}

/// Deletes the notifications of all channels that are older than `age`, and those beyond the newest `keep`; how many.
/// One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn prune(conn: &Connection, age: Option<Span>, keep: Option<i64>) -> Result<usize> {
    let before = age.map(age_limit);
    Ok(conn.prepare_cached(include_str!("prune_all.sql"))?.execute(params![before, keep])?)
}

/// The second before which a notification is surely older than `age`: times are stored as the second that had begun.
fn age_limit(age: Span) -> i64 {
    Instant::from_ms(Instant::now().as_ms().saturating_sub(age.as_ms())).second()
}
