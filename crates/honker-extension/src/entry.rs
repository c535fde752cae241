//! The entry point that SQLite calls when it loads the library.

use std::ffi::{c_char, c_int};
use std::sync::Arc;

use rusqlite::{Connection, ffi};

use crate::engine::Engine;
use crate::{c_api, functions, scalar};

/// The oldest SQLite on which everything works: `unixepoch()` in defaults needs 3.38.
const SQLITE_MINIMUM: c_int = 3_038_000;

/// Registers honker's functions on `db`. SQLite derives the name from the library's, so `.load ./libhonker_ext`
/// needs no entry point.
///
/// # Safety
/// To be called by SQLite only, with what it passes to extensions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sqlite3_honkerext_init(
    db: *mut ffi::sqlite3,
    error_message: *mut *mut c_char,
    api: *mut ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: SQLite passes its own handle, a place for a message and its API table; `register` only registers.
    unsafe {
        let Some(routines) = api.as_ref() else { return ffi::SQLITE_ERROR };
        if let Some(problem) = too_old(routines) {
            write_message(routines, error_message, &problem);
            return ffi::SQLITE_ERROR;
        }
        Connection::extension_init2(db, error_message, api, register)
    }
}

/// Why this SQLite cannot carry honker, if so. Asked of the API table itself: rusqlite, once initialised on a table
/// that is older than its bindings, panics.
///
/// # Safety
/// `routines` must be SQLite's.
unsafe fn too_old(routines: &ffi::sqlite3_api_routines) -> Option<String> {
    // SAFETY: the caller vouches for the table.
    let version = routines.libversion_number.map_or(0, |number| unsafe { number() });
    (version < SQLITE_MINIMUM).then(|| {
        let (major, minor) = (version / 1_000_000, version / 1_000 % 1_000);
        format!("HONKER_SQLITE_TOO_OLD: honker needs SQLite 3.38 or newer, and this process has {major}.{minor}")
    })
}

/// Hands a message to SQLite in memory of its own allocator, as it will free it.
///
/// # Safety
/// `routines` must be SQLite's, and `target` null or valid.
unsafe fn write_message(routines: &ffi::sqlite3_api_routines, target: *mut *mut c_char, message: &str) {
    // SAFETY: the caller vouches for both; the copy stays within the memory that was allocated for it.
    unsafe {
        let (Some(malloc), false) = (routines.malloc, target.is_null()) else { return };
        let Ok(length) = c_int::try_from(message.len()) else { return };
        let copy = malloc(length + 1).cast::<u8>();
        if !copy.is_null() {
            copy.copy_from_nonoverlapping(message.as_ptr(), message.len());
            copy.add(message.len()).write(0);
            *target = copy.cast::<c_char>();
        }
    }
}

/// Answers that the library must stay loaded: functions of other connections point into it.
#[expect(clippy::needless_pass_by_value, reason = "the signature is rusqlite's")]
fn register(conn: Connection) -> rusqlite::Result<bool> {
    // SAFETY: the handle is the one SQLite is loading us into; functions that use the engine die with it.
    let engine = Arc::new(unsafe { Engine::new(conn.handle())? });
    Engine::register_owner(&engine, &conn)?;
    for function in functions::all() {
        for arity in function.arities {
            // SAFETY: as above.
            unsafe { scalar::register(conn.handle(), function, *arity, Arc::clone(&engine))? };
        }
    }
    #[cfg(feature = "failpoints")]
    crate::failpoints::install(&conn);
    c_api::mark_loaded();
    Ok(true)
}
