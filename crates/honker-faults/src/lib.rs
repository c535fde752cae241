//! A SQLite VFS that fails when told to, for the crash tests. Never shipped.
//!
//! `honker_faults` stands between SQLite and its default VFS. It counts what SQLite asks of the disk, lets one of these
//! operations fail, or kills the process there; and it keeps a log of all that was written and synced, from which a
//! test makes the disk that a power cut would have left behind.
//!
//! - [`vfs`] and [`file`] are SQLite's two interfaces, each call of which asks [`plan`] and then goes to the real disk.
//! - [`plan`] decides which operation fails.
//! - [`trace`] is the log.
//!
//! Loaded like an extension, into any connection: loading registers the VFS with the host's own SQLite. Tests steer it
//! through the C functions of this module.

mod file;
mod plan;
mod trace;
mod vfs;

use std::ffi::{CStr, c_char, c_int};

use rusqlite::{Connection, ffi};

use crate::plan::Plan;

/// Registers the VFS.
///
/// # Safety
/// To be called by SQLite only, with the arguments that it passes to extensions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sqlite3_honkerfaults_init(
    db: *mut ffi::sqlite3,
    error_message: *mut *mut c_char,
    api: *mut ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: SQLite passes its own handle, a place for a message and its API table.
    unsafe { Connection::extension_init2(db, error_message, api, |_| vfs::register().map(|()| true)) }
}

/// Starts counting the operations of the kinds in `mask` (bits of [`plan::Kind`]) at 0. The `nth` of them, counted from
/// 1, fails with `code`, and with `is_lasting` all after it as well; 0 lets none fail. A `code` of -1 kills the process.
#[unsafe(no_mangle)]
pub extern "C" fn honker_faults_arm(mask: u32, nth: u64, code: c_int, is_lasting: c_int) {
    *plan::lock() = Plan { mask, nth, code, is_lasting: is_lasting != 0, ..Plan::default() };
}

/// How many operations were counted since the plan was made.
#[unsafe(no_mangle)]
pub extern "C" fn honker_faults_seen() -> u64 {
    plan::lock().seen
}

/// How many of them failed.
#[unsafe(no_mangle)]
pub extern "C" fn honker_faults_failed() -> u64 {
    plan::lock().failed
}

/// Starts the log in a new file. 0 if that could be made.
///
/// # Safety
/// `path` must be a text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn honker_faults_trace(path: *const c_char) -> c_int {
    // SAFETY: the caller vouches for the text.
    let path = unsafe { CStr::from_ptr(path) };
    c_int::from(trace::begin(&path.to_string_lossy()).is_err())
}

/// Puts a mark into the log: what the caller was told to be done by then.
#[unsafe(no_mangle)]
pub extern "C" fn honker_faults_mark(number: u64) {
    trace::record(trace::Event::Mark, "", number, &[]);
}

/// Ends the log. 0 if all of it was written.
#[unsafe(no_mangle)]
pub extern "C" fn honker_faults_trace_end() -> c_int {
    c_int::from(trace::end().is_err())
}
