//! Connections: the pragmas, the SQL functions and the tables.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ffi};

use crate::error::Error;

/// The pragmas of each connection that honker opens, as statements for [`Connection::execute_batch`].
pub const DEFAULT_PRAGMAS: &str = "PRAGMA busy_timeout = 5000;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA foreign_keys = ON;
PRAGMA cache_size = -32000;
PRAGMA temp_store = MEMORY;
PRAGMA wal_autocheckpoint = 10000;
";

/// The tables of a new file, as statements for [`Connection::execute_batch`]. They need no function of honker.
///
/// They change nothing in a file that has the tables. A file of an older honker needs [`bootstrap_honker_schema`], which
/// upgrades it; these statements then fail, or leave it old.
pub const BOOTSTRAP_HONKER_SQL: &str = honker_domain::FRESH_SCHEMA;

/// The time for which [`DEFAULT_PRAGMAS`] wait for the lock of another connection.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens a file with [`DEFAULT_PRAGMAS`], and makes it if it is not there.
///
/// With `install_notify` the connection has `notify()` and the table that it writes: see [`attach_notify`].
///
/// # Errors
/// The file cannot be opened, is no database, or is locked for longer than 5 seconds.
pub fn open_conn(path: &str, install_notify: bool) -> Result<Connection, Error> {
    let conn = Connection::open(path)?;
    apply_default_pragmas(&conn)?;
    if install_notify {
        attach_notify(&conn)?;
    }
    Ok(conn)
}

/// Sets [`DEFAULT_PRAGMAS`].
///
/// SQLite does not wait for the exclusive access that a switch to WAL mode needs. This function repeats the switch while
/// another connection prevents it, for up to 5 seconds.
///
/// # Errors
/// Whatever SQLite reports.
pub fn apply_default_pragmas(conn: &Connection) -> rusqlite::Result<()> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match conn.execute_batch(DEFAULT_PRAGMAS) {
            Err(error) if is_busy(&error) && Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            outcome => return outcome,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ffi::ErrorCode::DatabaseBusy)
}

/// Registers all SQL functions, `notify()` included. Registering them again changes nothing. Writes nothing.
///
/// # Errors
/// SQLite is older than 3.38, or the connection has a function of such a name, which a running statement uses.
pub fn attach_honker_functions(conn: &Connection) -> rusqlite::Result<()> {
    honker_engine::install(conn)
}

/// Registers the SQL functions, and makes the tables unless the file is read-only. `SELECT notify(channel, payload)` then
/// works.
///
/// # Errors
/// As [`attach_honker_functions`] and [`bootstrap_honker_schema`].
pub fn attach_notify(conn: &Connection) -> rusqlite::Result<()> {
    attach_honker_functions(conn)?;
    if conn.is_readonly(rusqlite::MAIN_DB)? { Ok(()) } else { bootstrap_honker_schema(conn) }
}

/// Makes the tables, or brings those of an older honker to this version. Changes nothing in a file of this version.
///
/// # Errors
/// A newer honker has upgraded the file (`HONKER_SCHEMA_TOO_NEW`), or whatever SQLite reports.
pub fn bootstrap_honker_schema(conn: &Connection) -> rusqlite::Result<()> {
    attach_honker_functions(conn)?;
    conn.query_row("SELECT honker_bootstrap()", [], |_| Ok(()))
}
