//! Jobs, leased and stored.

use rusqlite::Connection;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::connection::one;
use crate::database::Database;
use crate::error::Result;
use crate::row::{nested, whole, whole_or_none};
use crate::transaction::Transaction;

/// A job that is leased to a worker. Dropping it does nothing: the lease lapses, and the job runs again.
///
/// Each method that settles it returns false if the lease was lost, and then nothing was changed.
#[derive(Debug, Clone)]
pub struct Job {
    /// The id, unique in the file.
    pub id: i64,
    /// The queue's name.
    pub queue: String,
    /// The payload: JSON text.
    pub payload: Vec<u8>,
    /// The worker that holds the lease.
    pub worker_id: String,
    /// The number of this attempt, from 1.
    pub attempts: i64,
    db: Database,
}

/// A claimed job, as the SQL function returns it.
#[derive(Deserialize)]
pub struct Claimed {
    id: i64,
    queue: String,
    #[serde(deserialize_with = "nested")]
    payload: Vec<u8>,
    worker_id: String,
    attempts: i64,
}

impl Job {
    pub(crate) fn new(db: Database, claimed: Claimed) -> Self {
        let Claimed { id, queue, payload, worker_id, attempts } = claimed;
        Self { id, queue, payload, worker_id, attempts, db }
    }

    /// Decodes the payload.
    ///
    /// # Errors
    /// [`Error::Json`](crate::Error::Json) if it is not JSON, or not that of a `T`.
    pub fn payload_as<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.payload)?)
    }

    /// The job is done.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn ack(&self) -> Result<bool> {
        self.db.shared().write(|conn| self.ack_on(conn))
    }

    /// As [`Job::ack`], as part of a transaction: the job is done if the rows that it wrote are there.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn ack_tx(&self, tx: &Transaction<'_>) -> Result<bool> {
        self.ack_on(tx.conn())
    }

    fn ack_on(&self, conn: &Connection) -> Result<bool> {
        one(conn, "SELECT honker_ack(?1, ?2, ?3)", (self.id, &self.worker_id, self.attempts))
    }

    /// The attempt failed: the job waits for `delay_s` seconds, or is a dead letter after its last attempt.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a negative delay, and errors of writing.
    pub fn retry(&self, delay_s: i64, error: &str) -> Result<bool> {
        const RETRY: &str = "SELECT honker_retry(?1, ?2, ?3, ?4, ?5)";
        let params = (self.id, &self.worker_id, delay_s, error, self.attempts);
        self.db.shared().write(|conn| one(conn, RETRY, params))
    }

    /// The job failed and is not tried again: it is a dead letter.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn fail(&self, error: &str) -> Result<bool> {
        let params = (self.id, &self.worker_id, error, self.attempts);
        self.db.shared().write(|conn| one(conn, "SELECT honker_fail(?1, ?2, ?3, ?4)", params))
    }

    /// Extends the lease to `extend_s` seconds from now.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) outside 1 to 31,536,000, and errors of writing.
    pub fn heartbeat(&self, extend_s: i64) -> Result<bool> {
        let params = (self.id, &self.worker_id, extend_s, self.attempts);
        self.db.shared().write(|conn| one(conn, "SELECT honker_heartbeat(?1, ?2, ?3, ?4)", params))
    }

    /// Gives the job back, without a charge for the attempt: it waits at its old place.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn release(&self) -> Result<bool> {
        let params = (self.id, &self.worker_id, self.attempts);
        self.db.shared().write(|conn| one(conn, "SELECT honker_release(?1, ?2, ?3)", params))
    }

    /// Puts the job off for `delay_s` seconds, without a charge for the attempt.
    ///
    /// The next claim has the same attempt number, so do not settle the job afterwards.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a negative delay, and errors of writing.
    pub fn snooze(&self, delay_s: i64) -> Result<bool> {
        let params = (self.id, &self.worker_id, delay_s, self.attempts);
        self.db.shared().write(|conn| one(conn, "SELECT honker_snooze(?1, ?2, ?3, ?4)", params))
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn db(&self) -> &Database {
        &self.db
    }
}

/// A job that waits or runs, as stored. Instants are Unix seconds, rounded down to whole ones.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobRow {
    /// The id.
    pub id: i64,
    /// The queue's name.
    pub queue: String,
    /// The payload: JSON text.
    pub payload: String,
    /// `pending`, `processing`, `blocked` or `waiting`.
    pub state: String,
    /// A larger priority is claimed sooner.
    pub priority: i64,
    /// The instant from which on it may be claimed.
    #[serde(deserialize_with = "whole")]
    pub run_at: i64,
    /// The worker that holds it.
    pub worker_id: Option<String>,
    /// The end of the lease.
    #[serde(deserialize_with = "whole_or_none")]
    pub claim_expires_at: Option<i64>,
    /// The number of claims so far.
    pub attempts: i64,
    /// Claims before it is a dead letter.
    pub max_attempts: i64,
    /// The instant of the enqueue.
    #[serde(deserialize_with = "whole")]
    pub created_at: i64,
    /// The instant after which it is not claimed any more.
    #[serde(deserialize_with = "whole_or_none")]
    pub expires_at: Option<i64>,
}
