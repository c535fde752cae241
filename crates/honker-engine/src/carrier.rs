//! Undoing the writes of a function inside a statement of the host that writes.
//!
//! There SQLite allows neither BEGIN nor SAVEPOINT, and it may keep no journal for the host's statement: if the function
//! fails midway in a single-row `INSERT ... VALUES (honker_fail(...))` within a transaction, the statement fails but what
//! the function had written stays. A statement of ours around the work brings a journal of its own. `INSERT ... SELECT`
//! may insert many rows and fail at one, so SQLite always keeps one for it; its condition is a function that does the work
//! and then says no. So nothing is inserted, and if the work fails, the statement fails and SQLite undoes all that was
//! written since it began.

use std::cell::Cell;
use std::mem;

use honker_domain::schema::CARRIER;
use honker_domain::{Ctx, Error, Result};
use rusqlite::ffi;

use crate::engine::with_extended_code;

/// Work to be done; says whether it succeeded.
type Work<'a> = dyn FnMut() -> bool + 'a;

thread_local! {
    /// What `honker_carry` is to do next. SQLite calls it on the thread that steps the statement.
    static PENDING: Cell<Option<*mut Work<'static>>> = const { Cell::new(None) };
}

/// Runs `work` so that nothing that it wrote stays if it fails.
pub fn carried<T>(ctx: &Ctx<'_>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let conn = ctx.conn();
    let mut statement = ctx.prepare(&CARRIER)?;
    let mut work = Some(work);
    let mut outcome = None;
    let mut run = || {
        // Asked for the extended code before SQLite's undoing replaces it.
        outcome = work.take().map(|work| work().map_err(|error| with_extended_code(conn, error)));
        matches!(outcome, Some(Ok(_)))
    };
    let pending: *mut Work<'_> = &raw mut run;
    // SAFETY: only the lifetime changes. The pointer is taken back before this function returns, and `run` lives so long.
    #[expect(clippy::transmute_ptr_to_ptr, reason = "`as` cannot change the lifetime of a trait object")]
    PENDING.set(Some(unsafe { mem::transmute::<*mut Work<'_>, *mut Work<'static>>(pending) }));
    let carried = statement.execute([]);
    PENDING.set(None);
    match (outcome, carried) {
        // Without an outcome: the write lock was not to be had, or the work panicked.
        (Some(Ok(_)) | None, Err(error)) => Err(with_extended_code(conn, error)),
        (Some(outcome), _) => outcome,
        (None, Ok(_)) => Err(Error::Sqlite(failure(ffi::SQLITE_INTERNAL))),
    }
}

/// Runs the work that is pending on this thread, if there is any. For `honker_carry`.
pub fn run_pending() -> Result<()> {
    match PENDING.take() {
        // SAFETY: `carried` waits in this very call stack and keeps the closure alive.
        Some(work) if !unsafe { (*work)() } => Err(Error::Sqlite(failure(ffi::SQLITE_ABORT))),
        _ => Ok(()),
    }
}

fn failure(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}
