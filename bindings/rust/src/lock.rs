//! Locks.

use rusqlite::Connection;

use crate::connection::{self, one};
use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};

/// A lock that is held, made by [`Database::try_lock`]. Released on drop.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let db = honker::Database::open(folder.path().join("app.db"))?;
/// if let Some(lock) = db.try_lock("report", "host-1", 60)? {
///     // Only here, until the end of the block.
///     assert!(db.try_lock("report", "host-2", 60)?.is_none());
///     drop(lock);
/// }
/// assert!(db.try_lock("report", "host-2", 60)?.is_some());
/// # Ok::<(), honker::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a lock that is dropped is released"]
pub struct Lock {
    db: Database,
    name: String,
    owner: String,
    is_released: bool,
}

impl Lock {
    pub(crate) fn acquire(db: &Database, name: &str, owner: &str, ttl_s: i64) -> Result<Option<Self>> {
        const ACQUIRE: &str = "SELECT honker_lock_acquire(?1, ?2, ?3)";
        let is_held: bool = db.shared().write(|conn| one(conn, ACQUIRE, (name, owner, ttl_s)))?;
        let lock = || Self { db: db.clone(), name: name.to_owned(), owner: owner.to_owned(), is_released: false };
        Ok(is_held.then(lock))
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The owner.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Releases the lock. False if it had lapsed.
    ///
    /// # Errors
    /// Errors of writing; the lock then lapses at the end of its time.
    pub fn release(mut self) -> Result<bool> {
        self.is_released = true;
        self.give_up()
    }

    /// Holds the lock for `ttl_s` seconds from now. False if it had lapsed and another may hold it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) outside 1 to 31,536,000, and errors of writing.
    pub fn heartbeat(&self, ttl_s: i64) -> Result<bool> {
        const RENEW: &str = "SELECT honker_lock_renew(?1, ?2, ?3)";
        self.db.shared().write(|conn| one(conn, RENEW, (&self.name, &self.owner, ttl_s)))
    }

    fn give_up(&self) -> Result<bool> {
        self.db.shared().write(|conn| self.release_on(conn))
    }

    /// Releases the lock of a handle that was closed meanwhile, as that of a scheduler, for which others would wait.
    fn give_up_when_closed(&self, error: Error) -> Result<bool> {
        if error.kind() != ErrorKind::Closed {
            return Err(error);
        }
        self.release_on(&connection::open(self.db.path())?)
    }

    fn release_on(&self, conn: &Connection) -> Result<bool> {
        one(conn, "SELECT honker_lock_release(?1, ?2)", (&self.name, &self.owner))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.is_released {
            // A drop reports nothing; the lock then lapses at the end of its time. `release` returns the error.
            let _lapses_later = self.give_up().or_else(|error| self.give_up_when_closed(error));
        }
    }
}
