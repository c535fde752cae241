//! Making several writes one, wherever the function that makes them is called.
//!
//! SQLite commits each inner statement of a function by itself when no transaction is open; a crash between two of
//! them would lose a job that was deleted here and not yet inserted there. Three positions, three brackets:
//!
//! - in autocommit (`SELECT honker_retry(...)`): BEGIN IMMEDIATE ... COMMIT. Immediate, so that the write lock is
//!   waited for, by the host's busy handler, before anything is read; a deferred begin fails at once when another
//!   process wrote since. A COMMIT that fails is rolled back and its error reaches the caller.
//! - in a transaction of the caller: SAVEPOINT ... RELEASE.
//! - inside a statement that writes (a trigger, `INSERT ... SELECT honker_enqueue(...)`): SQLite refuses savepoints there,
//!   and BEGIN would leave the connection in a transaction that nobody ends. A statement of ours carries the work and
//!   brings its journal; see [`crate::carrier`].

use honker_core::Result;
use rusqlite::{Connection, ffi};

use crate::carrier::carried;
use crate::engine::with_extended_code;

/// Runs `work` so that all it writes is there afterwards, or, if it fails, none.
pub fn atomically<T>(conn: &Connection, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if is_inside_write_statement(conn) {
        return carried(conn, work);
    }
    bracketed(conn, if conn.is_autocommit() { Bracket::TRANSACTION } else { Bracket::SAVEPOINT }, work)
}

/// Runs `work`, which only reads, on one state of the database: what others commit meanwhile is not seen by half.
pub fn consistently<T>(conn: &Connection, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if !conn.is_autocommit() || is_inside_write_statement(conn) {
        return work();
    }
    bracketed(conn, Bracket::READ_FIRST, work)
}

fn bracketed<T>(conn: &Connection, bracket: Bracket, work: impl FnOnce() -> Result<T>) -> Result<T> {
    run(conn, bracket.open)?;
    let guard = Guard { conn, bracket };
    // Asked for before the guard's rollback, which replaces the code.
    let done = work().map_err(|error| with_extended_code(conn, error))?;
    run(conn, bracket.close).map_err(|error| with_extended_code(conn, error))?;
    std::mem::forget(guard);
    Ok(done)
}

/// Runs `look`, which only reads, and, if it found something, `work` on it, in one snapshot and with one outcome.
///
/// In autocommit it begins as a reader and takes the write lock at the first write, so that finding nothing costs no
/// lock, and finding something no second look. If somebody else is writing, or has written since the look, SQLite
/// refuses that first write at once, without the busy handler, because waiting would not freshen the snapshot. Then all
/// is rolled back and begun anew behind the write lock.
pub fn atomically_if_found<P, T>(
    conn: &Connection,
    look: impl Fn() -> Result<Option<P>>,
    work: impl Fn(P) -> Result<T>,
) -> Result<Option<T>> {
    let both = || look()?.map(&work).transpose();
    if !conn.is_autocommit() || is_inside_write_statement(conn) {
        return match look()? {
            Some(found) => atomically(conn, || work(found)).map(Some),
            None => Ok(None),
        };
    }
    match bracketed(conn, Bracket::READ_FIRST, both) {
        Err(error) if error.sqlite_code() & 0xff == ffi::SQLITE_BUSY => bracketed(conn, Bracket::TRANSACTION, both),
        outcome => outcome,
    }
}

#[derive(Clone, Copy)]
struct Bracket {
    open: &'static str,
    close: &'static str,
    undo: &'static [&'static str],
}

impl Bracket {
    const TRANSACTION: Self = Self { open: "BEGIN IMMEDIATE", close: "COMMIT", undo: &["ROLLBACK"] };
    const READ_FIRST: Self = Self { open: "BEGIN", ..Self::TRANSACTION };
    const SAVEPOINT: Self =
        Self { open: "SAVEPOINT honker", close: "RELEASE honker", undo: &["ROLLBACK TO honker", "RELEASE honker"] };
}

/// Undoes the bracket when dropped: on an error, a failed COMMIT and a panic alike.
struct Guard<'a> {
    conn: &'a Connection,
    bracket: Bracket,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // A full disk or an I/O error rolls the whole transaction back by itself; then there is nothing to undo, and
        // the error that the caller gets is the one that counts.
        for statement in self.bracket.undo {
            if !self.conn.is_autocommit() {
                let _already_failing = run(self.conn, statement);
            }
        }
    }
}

fn run(conn: &Connection, statement: &str) -> Result<()> {
    conn.prepare_cached(statement)?.execute([])?;
    Ok(())
}

/// Whether a statement that writes is being stepped on this connection. If it is not the one that called us but one
/// that the host has suspended, there is no way to tell, and SQLite would refuse a savepoint just the same.
fn is_inside_write_statement(conn: &Connection) -> bool {
    // SAFETY: the handle is open while one of its functions runs, and the statements it lists are alive.
    unsafe {
        let db = conn.handle();
        let mut statement = ffi::sqlite3_next_stmt(db, std::ptr::null_mut());
        while !statement.is_null() {
            if ffi::sqlite3_stmt_busy(statement) != 0 && ffi::sqlite3_stmt_readonly(statement) == 0 {
                return true;
            }
            statement = ffi::sqlite3_next_stmt(db, statement);
        }
    }
    false
}
