//! The connection that writes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

/// One connection that writes, lent to one caller at a time.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("app.db");
/// use honker_core::{Writer, open_conn};
///
/// let writer = Writer::new(open_conn(path.to_str().unwrap(), true)?);
/// let conn = writer.acquire().expect("the writer is open");
/// assert!(writer.try_acquire().is_none());
/// writer.release(conn);
/// writer.close();
/// assert!(writer.acquire().is_none());
/// # Ok::<(), honker_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer {
    slot: Mutex<Slot>,
    /// Notified when the connection comes back and when the writer is closed.
    changed: Condvar,
}

#[derive(Debug)]
struct Slot {
    /// None while it is lent, and after the end.
    conn: Option<Connection>,
    is_closed: bool,
}

impl Writer {
    /// Lends this connection.
    #[must_use]
    pub fn new(conn: Connection) -> Self {
        Self { slot: Mutex::new(Slot { conn: Some(conn), is_closed: false }), changed: Condvar::new() }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the connection; none once the writer is closed. A connection that is not released is never lent again.
    #[must_use]
    pub fn acquire(&self) -> Option<Connection> {
        let is_lent = |slot: &mut Slot| slot.conn.is_none() && !slot.is_closed;
        let mut slot = self.changed.wait_while(self.slot(), is_lent).unwrap_or_else(PoisonError::into_inner);
        slot.conn.take()
    }

    /// The connection, if it is there now.
    #[must_use]
    pub fn try_acquire(&self) -> Option<Connection> {
        self.slot().conn.take()
    }

    /// Gives the connection back. An open transaction is rolled back; after [`Writer::close`] the connection is closed.
    pub fn release(&self, conn: Connection) {
        if !conn.is_autocommit() {
            // A rollback fails only if SQLite has rolled back meanwhile.
            let _has_ended = conn.execute_batch("ROLLBACK");
        }
        let mut slot = self.slot();
        if slot.is_closed {
            drop(slot);
            drop(conn);
            return;
        }
        slot.conn = Some(conn);
        drop(slot);
        self.changed.notify_one();
    }

    /// Closes the connection and ends the waits for it. A lent connection is closed when it comes back. Idempotent.
    pub fn close(&self) {
        let mut slot = self.slot();
        slot.is_closed = true;
        let conn = slot.conn.take();
        drop(slot);
        self.changed.notify_all();
        drop(conn);
    }
}
