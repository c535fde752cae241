//! The connections of a handle: one that writes, lent to one thread at a time, and some that read.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use rusqlite::types::FromSql;
use rusqlite::{Connection, Params, ffi};

use crate::error::{Error, ErrorKind, Result};

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const PRAGMAS: &str = "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -32000;
    PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 10000;";
/// The statements of this crate, and some of the application's.
const STATEMENTS: usize = 64;
/// Idle connections that are kept.
const IDLE_READERS: usize = 4;

/// Opens a connection with the SQL functions and the pragmas.
pub fn open(path: &str) -> Result<Connection> {
    let conn = Connection::open(path)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    honker_engine::install(&conn)?;
    // The busy handler of the engine, which asks more often than SQLite's while a short transaction ends.
    conn.query_row("SELECT honker_busy_timeout(?1)", [i64::try_from(BUSY_TIMEOUT.as_millis()).unwrap_or(0)], |_| {
        Ok(())
    })?;
    enter_wal(&conn)?;
    conn.execute_batch(PRAGMAS)?;
    Ok(conn)
}

/// Switches the file to WAL mode.
///
/// SQLite does not wait for the exclusive access that the switch needs: when several processes open a new file at once,
/// it fails for all but the first.
fn enter_wal(conn: &Connection) -> Result<()> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        let switched = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        match switched.map_err(Error::from) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let message = format!("the file stays in journal mode {mode:?}; honker needs a file in WAL mode");
                return Err(Error::core(ErrorKind::CantOpen, message));
            }
            Err(error) if error.kind() == ErrorKind::Busy && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error),
        }
    }
}

/// The first column of the first row.
pub fn one<T: FromSql>(conn: &Connection, sql: &str, params: impl Params) -> Result<T> {
    Ok(conn.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
}

/// The connection that writes.
#[derive(Debug)]
pub struct Writer {
    state: Mutex<State>,
    /// Told when the connection comes back, and when the handle is closed.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// None while it is lent, and after the end.
    conn: Option<Box<Connection>>,
    /// The thread that it is lent to.
    holder: Option<ThreadId>,
    is_closed: bool,
}

impl Writer {
    pub fn new(conn: Connection) -> Self {
        let state = State { conn: Some(Box::new(conn)), holder: None, is_closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the connection.
    pub fn lend(&self) -> Result<Lent<'_>> {
        let mut state = self.state();
        loop {
            state.check()?;
            if let Some(conn) = state.conn.take() {
                state.holder = Some(std::thread::current().id());
                return Ok(Lent { writer: self, conn: Some(conn), stays_in_its_thread: PhantomData });
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Fails where [`Writer::lend`] would fail without waiting.
    pub fn check(&self) -> Result<()> {
        self.state().check()
    }

    /// Closes the connection; one that is lent is closed when it comes back.
    pub fn close(&self) {
        let conn = {
            let mut state = self.state();
            state.is_closed = true;
            state.conn.take()
        };
        self.changed.notify_all();
        drop(conn);
    }

    fn take_back(&self, conn: Box<Connection>) {
        let mut state = self.state();
        state.holder = None;
        if state.is_closed {
            drop(state);
            drop(conn);
            return;
        }
        state.conn = Some(conn);
        drop(state);
        self.changed.notify_one();
    }
}

impl State {
    fn check(&self) -> Result<()> {
        if self.is_closed {
            return Err(Error::closed());
        }
        if self.holder == Some(std::thread::current().id()) {
            return Err(Error::core(
                ErrorKind::NestedTransaction,
                "this thread holds a transaction or the connection of with_conn, and the call would wait for itself; \
                 use the _tx form or the connection, or end the transaction first",
            ));
        }
        Ok(())
    }
}

/// The connection that writes, until the drop. An open transaction is then rolled back.
#[derive(Debug)]
pub struct Lent<'a> {
    writer: &'a Writer,
    conn: Option<Box<Connection>>,
    /// [`State::holder`] names a thread, so the connection must not go to another.
    stays_in_its_thread: PhantomData<*const ()>,
}

impl Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn.as_ref().expect("only the drop takes it")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let Some(conn) = self.conn.take() else { return };
        if !conn.is_autocommit() {
            // A rollback fails only if SQLite has rolled back meanwhile.
            let _has_ended = conn.execute_batch("ROLLBACK");
        }
        self.writer.take_back(conn);
    }
}

/// Connections that only read.
#[derive(Debug)]
pub struct Readers {
    path: String,
    /// That of the file at the beginning. A reader of another file than the writer's would not see its commits.
    identity: Option<(u64, u64)>,
    /// None after the end.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub fn new(path: String) -> Self {
        Self { identity: identity_of(&path), path, idle: Mutex::new(Some(Vec::new())) }
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a function with an idle connection, or with a new one.
    pub fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.idle().as_mut().ok_or_else(Error::closed)?.pop();
        let conn = match idle {
            Some(conn) => conn,
            None => self.open()?,
        };
        let value = read(&conn);
        let mut kept = self.idle();
        match kept.as_mut() {
            Some(idle) if idle.len() < IDLE_READERS => idle.push(conn),
            _ => {
                drop(kept);
                drop(conn);
            }
        }
        value
    }

    fn open(&self) -> Result<Connection> {
        if identity_of(&self.path) != self.identity {
            let message = format!("{} was deleted or replaced since it was opened; open it again", self.path);
            return Err(Error::core(ErrorKind::Replaced, message));
        }
        let conn = open(&self.path)?;
        conn.execute_batch("PRAGMA query_only = ON")?;
        Ok(conn)
    }

    pub fn close(&self) {
        let idle = self.idle().take();
        drop(idle);
    }
}

/// Device and number of a file; none where there is no file, or the system has no such numbers.
#[cfg(unix)]
fn identity_of(path: &str) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity_of(_path: &str) -> Option<(u64, u64)> {
    None
}

/// An error of SQLite with a message of its own.
pub fn not_a_file(path: &str) -> Error {
    let message = format!("HONKER_CANTOPEN: {path:?} names no file; each connection would have a database of its own");
    Error::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CANTOPEN), Some(message)))
}
