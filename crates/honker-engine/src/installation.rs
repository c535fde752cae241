//! Installing the functions on a connection: all of them or none, and once.
//!
//! SQLite replaces a function only while no statement of the connection runs. `SELECT load_extension(...)` is such a
//! statement, so there a function of the host under one of our names makes the installation fail. `notify` is the one
//! name that a host is likely to use itself; it comes first, and then nothing else has been registered. The virtual table
//! comes last: should a later name be taken, the functions before it are removed where SQLite allows that, and where it
//! does not they have no statements and fail.
//!
//! A second installation would replace the virtual table that owns the statements of the first, and leave statements
//! without an owner, which keep the connection from closing. So a connection that has the engine is left as it is.

use std::collections::BTreeSet;
use std::ffi::c_int;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, ffi};

use crate::engine::Engine;
use crate::functions::Function;
use crate::{functions, scalar};

/// The function that hosts may have under the same name.
const LIKELY_TAKEN: &str = "notify";

/// The connections that have the engine, by the address of their handle. A handle stays here as long as its virtual table
/// is registered: SQLite drops that when it closes the connection, before the address can be used again.
static INSTALLED: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

/// The entry of a connection in [`INSTALLED`].
pub struct Entry(usize);

impl Entry {
    fn of(conn: &Connection) -> Self {
        let entry = Self(address(conn));
        installed(|all| all.insert(entry.0));
        entry
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        installed(|all| all.remove(&self.0));
    }
}

fn installed<T>(work: impl FnOnce(&mut BTreeSet<usize>) -> T) -> T {
    work(&mut INSTALLED.lock().unwrap_or_else(PoisonError::into_inner))
}

fn address(conn: &Connection) -> usize {
    // SAFETY: the pointer is used as a number.
    unsafe { conn.handle() }.addr()
}

/// Registers all functions, unless the connection has them.
pub fn install(conn: &Connection) -> rusqlite::Result<()> {
    if installed(|all| all.contains(&address(conn))) {
        return Ok(());
    }
    // SAFETY: the connection is open; functions and virtual tables that use the engine are dropped when it is closed.
    let engine = Arc::new(unsafe { Engine::new(conn.handle())? });
    let (first, others): (Vec<_>, Vec<_>) = functions::all().partition(|function| function.name == LIKELY_TAKEN);
    register(conn, &engine, first.into_iter().chain(others))?;
    Engine::register_owner(&engine, conn, Entry::of(conn))?;
    #[cfg(feature = "failpoints")]
    crate::failpoints::install(conn);
    Ok(())
}

/// Registers functions, or none of them.
pub fn register(
    conn: &Connection,
    engine: &Arc<Engine>,
    functions: impl Iterator<Item = &'static Function>,
) -> rusqlite::Result<()> {
    let mut done: Vec<(&Function, c_int)> = Vec::new();
    for function in functions {
        for arity in function.arities {
            // SAFETY: the connection is open.
            if let Err(error) = unsafe { scalar::register(conn.handle(), function, *arity, Arc::clone(engine)) } {
                for (function, arity) in done {
                    // SAFETY: as above.
                    unsafe { scalar::unregister(conn.handle(), function, arity) };
                }
                return Err(explained(function, *arity, error));
            }
            done.push((function, *arity));
        }
    }
    Ok(())
}

fn explained(function: &Function, arity: c_int, error: rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) if failure.extended_code == ffi::SQLITE_BUSY => {
            let name = function.name;
            let message = format!(
                "HONKER_NAME_TAKEN: this connection has a function {name} with {arity} argument(s), which SQLite cannot \
                 replace while a statement runs, and SELECT load_extension() is one; load through \
                 sqlite3_load_extension(), or remove that function"
            );
            rusqlite::Error::SqliteFailure(failure, Some(message))
        }
        other => other,
    }
}
