//! The entry point that SQLite calls when it loads the library.

use std::ffi::{c_char, c_int};
use std::sync::atomic::{AtomicPtr, Ordering};

use honker_engine::SQLITE_MINIMUM;
use rusqlite::{Connection, ffi};

use crate::c_api;

/// Registers honker's functions on `db`. SQLite derives the name from the library's, so `.load ./libhonker_ext`
/// needs no entry point.
///
/// # Safety
/// To be called by SQLite only, with the arguments that it passes to extensions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sqlite3_honkerext_init(
    db: *mut ffi::sqlite3,
    error_message: *mut *mut c_char,
    api: *mut ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: the caller vouches for the pointers.
    unsafe { initialise(db, error_message, api, register) }
}

/// Registers honker's functions on `db`, as an automatic extension: for `sqlite3_auto_extension`, whose caller keeps the
/// library loaded.
///
/// The other entry points report that the library stays loaded, by a code that is not zero. For an automatic extension
/// that counts as a failure: SQLite runs no other extension after it, and refuses to open a connection with
/// `SQLITE_OPEN_EXRESCODE`, as rusqlite opens all of them.
///
/// # Safety
/// As [`sqlite3_honkerext_init`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sqlite3_honkerauto_init(
    db: *mut ffi::sqlite3,
    error_message: *mut *mut c_char,
    api: *mut ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: the caller vouches for the pointers.
    unsafe { initialise(db, error_message, api, register_automatically) }
}

/// Registers honker's functions and the clock that tests set. See `honker_engine::testing`.
///
/// # Safety
/// As [`sqlite3_honkerext_init`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sqlite3_honkertesting_init(
    db: *mut ffi::sqlite3,
    error_message: *mut *mut c_char,
    api: *mut ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: the caller vouches for the pointers.
    unsafe { initialise(db, error_message, api, register_testing) }
}

unsafe fn initialise(
    db: *mut ffi::sqlite3,
    error_message: *mut *mut c_char,
    api: *mut ffi::sqlite3_api_routines,
    register: fn(Connection) -> rusqlite::Result<bool>,
) -> c_int {
    // SAFETY: SQLite passes its own handle, a place for a message and its API table; `register` only registers.
    unsafe {
        let Some(routines) = api.as_ref() else { return ffi::SQLITE_ERROR };
        if let Some(problem) = too_old(routines) {
            write_message(routines, error_message, &problem);
            return ffi::SQLITE_ERROR;
        }
        if is_another_sqlite(api) {
            write_message(routines, error_message, TWO_SQLITES);
            return ffi::SQLITE_ERROR;
        }
        Connection::extension_init2(db, error_message, api, register)
    }
}

const TWO_SQLITES: &str = "HONKER_TWO_SQLITES: another SQLite library of this process has loaded honker already, and honker \
    works in one; use the same SQLite module for all connections (two libraries on one file also drop each other's locks)";

/// True if the API table is not the one that came first. rusqlite keeps one table a process, and calls of all connections
/// go through it: a second library would be called with the connections of the first.
///
/// The table is a constant of the library, so its address tells two libraries apart.
fn is_another_sqlite(api: *mut ffi::sqlite3_api_routines) -> bool {
    static FIRST: AtomicPtr<ffi::sqlite3_api_routines> = AtomicPtr::new(std::ptr::null_mut());
    match FIRST.compare_exchange(std::ptr::null_mut(), api, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => false,
        Err(first) => first != api,
    }
}

/// The message for a SQLite that is too old, or `None`. Asks the API table itself: rusqlite panics when it is
/// initialised with a table that is older than its bindings.
///
/// # Safety
/// `routines` must be SQLite's.
unsafe fn too_old(routines: &ffi::sqlite3_api_routines) -> Option<String> {
    // SAFETY: the caller vouches for the table.
    let version = routines.libversion_number.map_or(0, |number| unsafe { number() });
    (version < SQLITE_MINIMUM).then(|| honker_engine::too_old(version))
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

/// Returns true, so that the library stays loaded: functions of other connections point into it.
#[expect(clippy::needless_pass_by_value, reason = "the signature is rusqlite's")]
fn register(conn: Connection) -> rusqlite::Result<bool> {
    honker_engine::install(&conn)?;
    c_api::mark_loaded();
    Ok(true)
}

fn register_automatically(conn: Connection) -> rusqlite::Result<bool> {
    register(conn).map(|_stays_loaded| false)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is rusqlite's")]
fn register_testing(conn: Connection) -> rusqlite::Result<bool> {
    // Everything, since SQLite runs no second automatic extension after one that stays loaded.
    honker_engine::install(&conn)?;
    honker_engine::testing::install(&conn)?;
    c_api::mark_loaded();
    Ok(true)
}
