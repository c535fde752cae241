//! The connections that read.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::connection::open_conn;
use crate::error::Error;

/// A bounded number of connections to one file, opened when they are needed.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("app.db").to_str().unwrap().to_owned();
/// let readers = honker_core::Readers::new(path, 4);
/// let conn = readers.acquire()?;
/// let one: i64 = conn.query_row("SELECT 1", [], |row| row.get(0))?;
/// readers.release(conn);
/// # assert_eq!(one, 1);
/// # Ok::<(), honker_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Readers {
    path: String,
    max: usize,
    pool: Mutex<Pool>,
    /// Notified when a connection comes back, when one could not be opened, and when the pool is closed.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Connection>,
    /// Connections that are lent, or being opened.
    lent: usize,
    is_closed: bool,
}

impl Readers {
    /// A pool of up to `max` connections to a file; 0 means 1.
    #[must_use]
    pub fn new(path: String, max: usize) -> Self {
        Self { path, max: max.max(1), pool: Mutex::default(), changed: Condvar::new() }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle connection, or a new one. Waits while `max` connections are lent.
    ///
    /// # Errors
    /// [`Error::Closed`] once the pool is closed; otherwise as [`open_conn`]. A failure takes no place in the pool.
    pub fn acquire(&self) -> Result<Connection, Error> {
        let is_used_up = |pool: &mut Pool| !pool.is_closed && pool.idle.is_empty() && pool.lent >= self.max;
        let mut pool = self.changed.wait_while(self.pool(), is_used_up).unwrap_or_else(PoisonError::into_inner);
        if pool.is_closed {
            return Err(Error::Closed);
        }
        pool.lent += 1;
        if let Some(conn) = pool.idle.pop() {
            return Ok(conn);
        }
        drop(pool);
        let opened = open_conn(&self.path, false);
        if opened.is_err() {
            self.pool().lent -= 1;
            self.changed.notify_one();
        }
        opened
    }

    /// Gives a connection back. An open transaction is rolled back; after [`Readers::close`] the connection is closed.
    pub fn release(&self, conn: Connection) {
        if !conn.is_autocommit() {
            // A rollback fails only if SQLite has rolled back meanwhile.
            let _has_ended = conn.execute_batch("ROLLBACK");
        }
        let mut pool = self.pool();
        pool.lent = pool.lent.saturating_sub(1);
        let surplus = if pool.is_closed {
            Some(conn)
        } else {
            pool.idle.push(conn);
            None
        };
        drop(pool);
        self.changed.notify_one();
        drop(surplus);
    }

    /// Closes the idle connections and ends the waits for one. A lent connection is closed when it comes back. Idempotent.
    pub fn close(&self) {
        let mut pool = self.pool();
        pool.is_closed = true;
        let idle = std::mem::take(&mut pool.idle);
        drop(pool);
        self.changed.notify_all();
        drop(idle);
    }
}
