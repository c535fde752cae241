//! A clock that tests set.
//!
//! [`install`] registers `honker_clock_set(unix_s)` on one connection. Nothing else registers it, so the function is not
//! there unless a program asks for it by this name: in Rust by this call, elsewhere by loading the extension
//! under the entry point `sqlite3_honkertesting_init`. A database file cannot call it, because it is direct-only.
//!
//! The clock that it stops is that of the process: all connections with the engine read it, and no other process does.

use std::sync::Arc;

use rusqlite::Connection;

use crate::engine::Engine;
use crate::{functions, installation};

/// Registers `honker_clock_set(unix_s)` on a connection that has the engine. The function stops the clock of this process
/// at an instant, and with NULL lets it run again; it returns its argument.
///
/// # Errors
/// SQLite refuses the function because a statement of the connection is running.
pub fn install(conn: &Connection) -> rusqlite::Result<()> {
    // SAFETY: the connection is open; the function that uses the engine is dropped when it is closed.
    let engine = Arc::new(unsafe { Engine::new(conn.handle())? });
    installation::register(conn, &engine, functions::testing())
}
