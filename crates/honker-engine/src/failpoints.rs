//! Dying at a chosen statement boundary. Only in builds with the feature `failpoints`, which are never shipped.
//!
//! SQLite's trace tells of every statement when it begins, at each row it returns and when it has ended: those of the
//! host, BEGIN and COMMIT of our brackets, each inner statement and those of triggers. So the engine itself needs no
//! hook, and a statement that is added later is a boundary without a change here.
//!
//! With `HONKER_FAILPOINT=n` in the environment the process is killed at the `n`-th boundary, counted over all its
//! connections, with the one signal that nothing can clean up after.

use std::ffi::{c_int, c_uint, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, ffi};

const VARIABLE: &str = "HONKER_FAILPOINT";

static PASSED: AtomicU64 = AtomicU64::new(0);
static CHOSEN: OnceLock<u64> = OnceLock::new();

/// Counts the boundaries of a connection from here on.
pub(crate) fn install(conn: &Connection) {
    // Read at the first connection, not when the library is loaded: a test forks a process that has loaded it.
    CHOSEN.get_or_init(|| std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(0));
    let events = ffi::SQLITE_TRACE_STMT | ffi::SQLITE_TRACE_ROW | ffi::SQLITE_TRACE_PROFILE;
    // SAFETY: the handle is the one that SQLite is loading us into, and the callback needs no context.
    unsafe { ffi::sqlite3_trace_v2(conn.handle(), events, Some(boundary), std::ptr::null_mut()) };
}

/// The number of boundaries that this process has passed, and so the last at which it could have been killed.
#[must_use]
pub fn passed() -> u64 {
    PASSED.load(Ordering::SeqCst)
}

unsafe extern "C" fn boundary(
    _event: c_uint,
    _context: *mut c_void,
    _statement: *mut c_void,
    _x: *mut c_void,
) -> c_int {
    let number = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if CHOSEN.get() == Some(&number) {
        die();
    }
    0
}

#[cfg(unix)]
fn die() {
    const SIGKILL: c_int = 9;
    unsafe extern "C" {
        fn raise(signal: c_int) -> c_int;
    }
    // SAFETY: the C library's, which takes any signal.
    unsafe { raise(SIGKILL) };
}

#[cfg(not(unix))]
fn die() {
    std::process::abort();
}
