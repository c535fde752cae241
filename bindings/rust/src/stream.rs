//! Streams: events in order, and the offsets of their consumers.

use std::sync::Arc;

use rusqlite::Connection;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::connection::one;
use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::row::{encode, nested, parse, whole};
use crate::stream_subscription::StreamSubscription;
use crate::transaction::Transaction;

/// An event of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StreamEvent {
    /// The offset, from 1, which grows.
    pub offset: i64,
    /// The stream's topic.
    pub topic: String,
    /// The key that the publisher gave.
    pub key: Option<String>,
    /// The payload: JSON text.
    #[serde(deserialize_with = "nested")]
    pub payload: Vec<u8>,
    /// The instant of the publish: Unix seconds, rounded down to whole ones.
    #[serde(deserialize_with = "whole")]
    pub created_at: i64,
    #[serde(default)]
    malformed: Option<String>,
}

impl StreamEvent {
    /// Decodes the payload.
    ///
    /// # Errors
    /// [`Error::Json`] if it is not JSON, or not that of a `T`.
    pub fn payload_as<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.payload)?)
    }

    /// The event, or the error of a row that was edited by hand into no event.
    pub(crate) fn checked(self) -> Result<Self> {
        match &self.malformed {
            Some(problem) => Err(Error::core(ErrorKind::MalformedRow, problem)),
            None => Ok(self),
        }
    }
}

/// A stream, made by [`Database::stream`]. Clones are cheap.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let db = honker::Database::open(folder.path().join("app.db"))?;
/// let orders = db.stream("orders");
/// orders.publish(&serde_json::json!({"id": 7}))?;
///
/// let mut subscription = orders.subscribe("billing")?;
/// let event = subscription.next().unwrap()?;
/// assert_eq!(event.payload_as::<serde_json::Value>()?["id"], 7);
/// subscription.save_offset()?;
/// assert_eq!(orders.get_offset("billing")?, event.offset);
/// # Ok::<(), honker::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Stream {
    db: Database,
    topic: Arc<str>,
}

impl Stream {
    pub(crate) fn new(db: &Database, topic: &str) -> Self {
        Self { db: db.clone(), topic: topic.into() }
    }

    pub(crate) fn db(&self) -> &Database {
        &self.db
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Publishes an event. Returns its offset.
    ///
    /// # Errors
    /// [`Error::Json`] for a payload that JSON cannot hold, and errors of writing.
    pub fn publish<P: Serialize + ?Sized>(&self, payload: &P) -> Result<i64> {
        let payload = encode(payload)?;
        self.db.shared().write(|conn| self.insert(conn, None, &payload))
    }

    /// As [`Stream::publish`], with a key.
    ///
    /// # Errors
    /// As [`Stream::publish`].
    pub fn publish_with_key<P: Serialize + ?Sized>(&self, key: &str, payload: &P) -> Result<i64> {
        let payload = encode(payload)?;
        self.db.shared().write(|conn| self.insert(conn, Some(key), &payload))
    }

    /// As [`Stream::publish`], as part of a transaction.
    ///
    /// # Errors
    /// As [`Stream::publish`].
    pub fn publish_tx<P: Serialize + ?Sized>(&self, tx: &Transaction<'_>, payload: &P) -> Result<i64> {
        self.insert(tx.conn(), None, &encode(payload)?)
    }

    /// As [`Stream::publish_with_key`], as part of a transaction.
    ///
    /// # Errors
    /// As [`Stream::publish`].
    pub fn publish_with_key_tx<P: Serialize + ?Sized>(
        &self,
        tx: &Transaction<'_>,
        key: &str,
        payload: &P,
    ) -> Result<i64> {
        self.insert(tx.conn(), Some(key), &encode(payload)?)
    }

    /// As [`Stream::publish`], on a connection of yours; see [`install`](crate::install).
    ///
    /// # Errors
    /// As [`Stream::publish`].
    pub fn publish_on<P: Serialize + ?Sized>(&self, conn: &Connection, payload: &P) -> Result<i64> {
        self.insert(conn, None, &encode(payload)?)
    }

    fn insert(&self, conn: &Connection, key: Option<&str>, payload: &str) -> Result<i64> {
        one(conn, "SELECT honker_stream_publish(?1, ?2, ?3)", (self.topic(), key, payload))
    }

    /// Reads up to `limit` events behind an offset, in order.
    ///
    /// # Errors
    /// [`ErrorKind::MalformedRow`] for a row that was edited by hand, and errors of reading.
    pub fn read_since(&self, offset: i64, limit: i64) -> Result<Vec<StreamEvent>> {
        self.page(offset, limit)?.into_iter().map(StreamEvent::checked).collect()
    }

    /// As [`Stream::read_since`], with rows that are no events among them.
    pub(crate) fn page(&self, offset: i64, limit: i64) -> Result<Vec<StreamEvent>> {
        const READ: &str = "SELECT honker_stream_read_since(?1, ?2, ?3)";
        parse(&self.db.shared().read(|conn| one::<String>(conn, READ, (self.topic(), offset, limit)))?)
    }

    /// Reads up to `limit` events behind the offset of a consumer. The offset stays.
    ///
    /// # Errors
    /// As [`Stream::read_since`].
    pub fn read_from_consumer(&self, consumer: &str, limit: i64) -> Result<Vec<StreamEvent>> {
        self.read_since(self.get_offset(consumer)?, limit)
    }

    /// Raises the offset of a consumer. False if it was as high already.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn save_offset(&self, consumer: &str, offset: i64) -> Result<bool> {
        self.db.shared().write(|conn| self.save(conn, consumer, offset))
    }

    /// As [`Stream::save_offset`], as part of a transaction.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn save_offset_tx(&self, tx: &Transaction<'_>, consumer: &str, offset: i64) -> Result<bool> {
        self.save(tx.conn(), consumer, offset)
    }

    fn save(&self, conn: &Connection, consumer: &str, offset: i64) -> Result<bool> {
        one(conn, "SELECT honker_stream_save_offset(?1, ?2, ?3)", (consumer, self.topic(), offset))
    }

    /// The offset of a consumer: its last event. 0 before the first.
    ///
    /// # Errors
    /// Errors of reading.
    pub fn get_offset(&self, consumer: &str) -> Result<i64> {
        const GET: &str = "SELECT honker_stream_get_offset(?1, ?2)";
        self.db.shared().read(|conn| one(conn, GET, (consumer, self.topic())))
    }

    /// Subscribes a consumer, from behind its saved offset.
    ///
    /// # Errors
    /// [`ErrorKind::Watcher`] if the file cannot be watched, and errors of reading.
    pub fn subscribe(&self, consumer: &str) -> Result<StreamSubscription> {
        StreamSubscription::new(self, consumer)
    }
}
