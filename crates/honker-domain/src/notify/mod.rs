//! Notifications: rows on a channel, for listeners that are connected.

use rusqlite::{Row, params};
use serde::Serialize;

use crate::clock::{Instant, Span};
use crate::json_length::Room;
use crate::limits::{NOTIFICATION_PRUNE_EVERY, NOTIFICATION_PRUNE_MAX, NOTIFICATION_RETENTION};
use crate::{Ctx, Result, sql, stored};

/// Adds a notification and returns its id.
///
/// Run in a write transaction: one call in [`NOTIFICATION_PRUNE_EVERY`] also deletes old rows, so that the table stays bounded without a
/// sweeper.
///
/// # Errors
/// Whatever SQLite reports.
pub fn notify(ctx: &Ctx<'_>, channel: &str, payload: &str) -> Result<i64> {
    ctx.change_one(sql!("insert.sql"), params![channel, payload, ctx.second()])?;
    let id = ctx.conn().last_insert_rowid();
    if id % NOTIFICATION_PRUNE_EVERY == 0 {
        let before = ctx.ago(NOTIFICATION_RETENTION).second();
        let after = (ctx.now() + NOTIFICATION_RETENTION).second();
        ctx.execute(sql!("prune.sql"), params![before, NOTIFICATION_PRUNE_MAX, after])?;
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
    /// Why the row cannot be read, if it was edited by hand. Its payload is then empty.
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

/// Notifications of the channel after `id`, in order; at most `limit`, unless it is negative, and no more than there is
/// room for. At least one if there is any. Reads only.
///
/// # Errors
/// Whatever SQLite reports; `HONKER_MALFORMED_ROW` for a row edited into the wrong types.
pub fn read_since(ctx: &Ctx<'_>, channel: &str, id: i64, limit: i64, mut room: Room) -> Result<Vec<Notification>> {
    let mut statement = ctx.prepare(sql!("read_since.sql"))?;
    let mut rows = statement.cursor(params![channel, id, limit])?;
    let mut notifications = Vec::new();
    while room.is_left()
        && let Some(row) = rows.next()?
    {
        let notification = Notification::read(row)?;
        let malformed = notification.malformed.as_deref().unwrap_or_default();
        if !room.take(notification.id, &notification.payload, &[&notification.channel, malformed])? {
            break;
        }
        notifications.push(notification);
    }
    Ok(notifications)
}

/// The id of the channel's newest notification; 0 for an empty channel. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn last_id(ctx: &Ctx<'_>, channel: &str) -> Result<i64> {
    let id: Option<Option<i64>> = ctx.row(sql!("last_id.sql"), [channel], |row| row.get(0))?;
    Ok(id.flatten().unwrap_or(0))
}

/// Deletes the notifications of all channels that are older than `age`, and those beyond the newest `keep`. Returns the
/// number deleted.
/// One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn prune(ctx: &Ctx<'_>, age: Option<Span>, keep: Option<i64>) -> Result<usize> {
    // Times are stored as the second that had begun: a row of an earlier second than this is surely older.
    let before = age.map(|age| ctx.ago(age).second());
    ctx.execute(sql!("prune_all.sql"), params![before, keep])
}
