//! The operations of `honker-domain` as SQL functions.
//!
//! - [`install`] registers the functions on a connection. `honker-extension` calls it when SQLite loads the library; a
//!   program written in Rust calls it on its own connections and needs no library.
//! - [`functions`] is the table of the SQL functions, one row each, and the decoding of their arguments.
//! - [`installation`] registers all functions on a connection, once.
//! - [`engine`] keeps prepared statements for the life of a connection.
//! - [`bracket`] makes functions that write more than once atomic in every position they can be called from.
//! - [`carrier`] is used by [`bracket`] inside statements that write.
//! - [`busy`] waits for the lock of another process, on connections that ask for it.
//! - [`arguments`] checks the arguments of calls.
//! - [`scalar`] registers functions with SQLite. With `bracket`, `busy`, `carrier`, `direct` and `engine` it holds all
//!   unsafe code of this crate.
//! - [`testing`] registers a clock that tests set, on connections that ask for it.
//! - `failpoints`, in builds for the crash tests alone, kills the process at a chosen statement boundary.
//!
//! This crate turns on neither `loadable_extension` nor `bundled`: the crate that links it decides where SQLite comes
//! from. Installing writes nothing and reads nothing.

mod arguments;
mod bracket;
mod busy;
mod carrier;
mod direct;
mod engine;
#[cfg(feature = "failpoints")]
pub mod failpoints;
mod functions;
mod installation;
mod scalar;
pub mod testing;

use std::ffi::c_int;

use rusqlite::{Connection, ffi};

/// The oldest SQLite on which everything works: `unixepoch()` in defaults needs 3.38.
pub const SQLITE_MINIMUM: c_int = 3_038_000;

/// Registers the SQL functions on a connection, for as long as it is open. Installing them again changes nothing.
///
/// # Errors
/// The SQLite that is linked is older than [`SQLITE_MINIMUM`], or the connection has a function of one of the names and
/// a statement of it is running, so that SQLite does not replace the function.
pub fn install(conn: &Connection) -> rusqlite::Result<()> {
    let found = rusqlite::version_number();
    if found < SQLITE_MINIMUM {
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ERROR), Some(too_old(found))));
    }
    installation::install(conn)
}

/// The message for a SQLite that is older than [`SQLITE_MINIMUM`].
#[must_use]
pub fn too_old(version: c_int) -> String {
    let (major, minor) = (version / 1_000_000, version / 1_000 % 1_000);
    format!("HONKER_SQLITE_TOO_OLD: honker needs SQLite 3.38 or newer, and this process has {major}.{minor}")
}
