//! The SQL functions on connections that other crates open.

use std::ffi::{c_char, c_int};

use rusqlite::{auto_extension, ffi};

use crate::error::Result;

/// Registers the SQL functions on every connection that this process opens from now on, through any crate that links
/// the same SQLite, such as Diesel. Repeated calls change nothing.
///
/// Their pragmas stay as they are. The tables are not created: [`Database::open`](crate::Database::open) or
/// `SELECT honker_bootstrap()` does that.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("app.db");
/// honker::install_on_new_connections()?;
/// let conn = honker::rusqlite::Connection::open(path)?;
/// conn.query_row("SELECT honker_bootstrap()", [], |_| Ok(()))?;
/// # Ok::<(), honker::Error>(())
/// ```
///
/// # Errors
/// SQLite has no memory for it.
pub fn install_on_new_connections() -> Result<()> {
    // SAFETY: the function opens and closes no database, and leaves the list of automatic extensions alone.
    #[expect(unsafe_code, reason = "SQLite calls the function while a connection opens")]
    let registered = unsafe { auto_extension::register_auto_extension(install_on) };
    Ok(registered?)
}

#[expect(unsafe_code, reason = "SQLite calls it, with pointers")]
unsafe extern "C" fn install_on(
    db: *mut ffi::sqlite3,
    error: *mut *mut c_char,
    _api: *const ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: SQLite passes the connection that it opens, and a place for a message.
    unsafe { auto_extension::init_auto_extension(db, error, |conn| honker_engine::install(&conn)) }
}
