//! The state that the functions of one connection share: its prepared statements.
//!
//! Statements are kept for the life of a connection. But SQLite refuses to close a connection that has unfinalised
//! statements, and function state outlives the check. A virtual table does not: SQLite disconnects all of them before it
//! looks. So the statements belong to an eponymous virtual table, `honker_statements`, whose disconnect drops them. It is
//! never queried.
//!
//! Invariant: no statement is kept while the virtual table is not connected. Every call passes through
//! [`Engine::statements`], which connects it first; SQLite may have disconnected it when a close was refused for
//! another reason and the connection lived on.

use std::borrow::Cow;
use std::ffi::{CStr, c_int};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use honker_domain::limits::NESTED_CALLS_MAX;
use honker_domain::statements::Statements;
use honker_domain::{Error, Result};
use rusqlite::vtab::{Context, Filters, IndexInfo, Module, VTab, VTabConnection, VTabCursor};
use rusqlite::{Connection, ffi};

use crate::installation::Entry;

const OWNER: &CStr = c"honker_statements";
const CONNECT_OWNER: &str = "SELECT 1 FROM honker_statements";

/// The state that the functions of one connection share.
pub struct Engine {
    statements: Statements,
    owner_is_connected: AtomicBool,
    /// The number of functions of ours that are running now, one within the other.
    depth: AtomicU32,
}

/// A call that is running; over when dropped, also by a panic.
pub struct Running<'a>(&'a AtomicU32);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

// SAFETY: SQLite calls functions and virtual tables of a connection while holding the connection's mutex, or, in
// its multi-thread mode, relies on the host to use a connection from one thread at a time. So the engine is never
// used from two threads at once, and nothing in it is bound to a thread.
unsafe impl Send for Engine {}
// SAFETY: as above.
unsafe impl Sync for Engine {}

impl Engine {
    /// An engine on the host's connection, which it neither owns nor closes.
    ///
    /// # Safety
    /// `db` must be open, and the engine must not be used after it is closed.
    pub unsafe fn new(db: *mut ffi::sqlite3) -> rusqlite::Result<Self> {
        // SAFETY: the caller vouches for the handle.
        let statements = Statements::new(unsafe { Connection::from_handle(db)? });
        Ok(Self { statements, owner_is_connected: AtomicBool::new(false), depth: AtomicU32::new(0) })
    }

    /// Registers the virtual table that owns the engine's statements. The entry lasts as long as it is registered.
    pub fn register_owner(engine: &Arc<Self>, conn: &Connection, entry: Entry) -> rusqlite::Result<()> {
        const MODULE: Module<'static, StatementOwner> = Module::eponymous_only_module();
        conn.create_module(OWNER, &MODULE, Some(Installed { engine: Arc::clone(engine), _entry: entry }))
    }

    /// Counts a call, unless it is one of too many within each other.
    pub fn enter(&self) -> Result<Running<'_>> {
        if self.depth.load(Ordering::Relaxed) >= NESTED_CALLS_MAX {
            // SQLite's own message for triggers that call each other without end.
            let message = "too many levels of trigger recursion".to_owned();
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ERROR), Some(message)).into());
        }
        self.depth.fetch_add(1, Ordering::Relaxed);
        Ok(Running(&self.depth))
    }

    /// The statements of the connection, with an owner to drop them.
    pub fn statements(&self) -> Result<&Statements> {
        if !self.owner_is_connected.load(Ordering::Relaxed) {
            drop(self.statements.conn().prepare(CONNECT_OWNER)?);
        }
        Ok(&self.statements)
    }
}

/// The engine of a connection, as the module of the virtual table holds it.
pub struct Installed {
    engine: Arc<Engine>,
    _entry: Entry,
}

/// The virtual table that owns the statements of a connection.
#[repr(C)]
struct StatementOwner {
    /// SQLite's part; must come first.
    base: ffi::sqlite3_vtab,
    engine: Arc<Engine>,
}

impl Drop for StatementOwner {
    fn drop(&mut self) {
        self.engine.owner_is_connected.store(false, Ordering::Relaxed);
        self.engine.statements.clear();
    }
}

// SAFETY: `repr(C)` with the base class first, as SQLite expects.
unsafe impl VTab<'_> for StatementOwner {
    type Aux = Installed;
    type Cursor = NoRows;

    fn connect(
        _db: &mut VTabConnection,
        installed: Option<&Installed>,
        _module: &[u8],
        _database: &[u8],
        _table: &[u8],
        _args: &[&[u8]],
    ) -> rusqlite::Result<(Cow<'static, CStr>, Self)> {
        let installed =
            installed.ok_or_else(|| rusqlite::Error::ModuleError("honker_statements has no engine".to_owned()))?;
        let engine = &installed.engine;
        engine.owner_is_connected.store(true, Ordering::Relaxed);
        let owner = Self { base: ffi::sqlite3_vtab::default(), engine: Arc::clone(engine) };
        Ok((Cow::Borrowed(c"CREATE TABLE x (unused)"), owner))
    }

    fn best_index(&self, _info: &mut IndexInfo) -> rusqlite::Result<bool> {
        Ok(true)
    }

    fn open(&mut self) -> rusqlite::Result<NoRows> {
        Ok(NoRows { base: ffi::sqlite3_vtab_cursor::default() })
    }
}

/// A cursor over nothing.
#[repr(C)]
struct NoRows {
    /// SQLite's part; must come first.
    base: ffi::sqlite3_vtab_cursor,
}

// SAFETY: `repr(C)` with the base class first, as SQLite expects.
unsafe impl VTabCursor for NoRows {
    fn filter(&mut self, _number: c_int, _text: Option<&str>, _args: &Filters<'_>) -> rusqlite::Result<()> {
        Ok(())
    }

    fn next(&mut self) -> rusqlite::Result<()> {
        Ok(())
    }

    fn eof(&self) -> bool {
        true
    }

    fn column(&self, _context: &mut Context, _column: c_int) -> rusqlite::Result<()> {
        Ok(())
    }

    fn rowid(&self) -> rusqlite::Result<i64> {
        Ok(0)
    }
}

/// The error with SQLite's extended result code, which steps return only to hosts that asked for it. It tells a stale
/// snapshot from a held lock, and only the second is over after a wait. To be called before anything else runs.
pub fn with_extended_code(conn: &Connection, error: Error) -> Error {
    match error {
        Error::Sqlite(rusqlite::Error::SqliteFailure(failure, message)) => {
            // SAFETY: the handle is open while one of its functions runs.
            let extended = unsafe { ffi::sqlite3_extended_errcode(conn.handle()) };
            let is_its = extended & 0xff == failure.extended_code & 0xff;
            let code = if is_its { extended } else { failure.extended_code };
            Error::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), message))
        }
        other => other,
    }
}

/// The error with its reason, where SQLite calls the database read-only and a setting of the connection forbids the write.
pub fn with_reason(conn: &Connection, error: Error) -> Error {
    match error {
        Error::Sqlite(rusqlite::Error::SqliteFailure(failure, Some(message)))
            if failure.extended_code == ffi::SQLITE_READONLY
                && conn.query_row("PRAGMA query_only", [], |row| row.get(0)).unwrap_or(false) =>
        {
            let message = format!("{message}: PRAGMA query_only is ON for this connection");
            Error::Sqlite(rusqlite::Error::SqliteFailure(failure, Some(message)))
        }
        other => other,
    }
}
