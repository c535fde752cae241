//! Making several writes one, in every position a function can be called from.
//!
//! SQLite commits each inner statement of a function by itself when no transaction is open; a crash between two of
//! them would lose a job that was deleted here and not yet inserted there. Three positions, three brackets:
//!
//! - in autocommit (`SELECT honker_retry(...)`): BEGIN IMMEDIATE ... COMMIT. Immediate, so that the write lock is
//!   waited for, by the host's busy handler, before anything is read; a deferred begin fails at once when another
//!   process wrote since. A COMMIT that fails is rolled back and its error reaches the caller.
//! - in a transaction of the caller: SAVEPOINT ... RELEASE. If the transaction has neither read nor written yet, the write
//!   lock is taken before; see [`lock_first`].
//! - inside a statement that writes (a trigger, `INSERT ... SELECT honker_enqueue(...)`): SQLite refuses savepoints there,
//!   and BEGIN would leave the connection in a transaction that is never ended. A statement of ours carries the work and
//!   brings its journal; see [`crate::carrier`].

use honker_domain::schema::WRITE_LOCK;
use honker_domain::statements::{Prepared, Sql};
use honker_domain::{Ctx, Result};
use rusqlite::{Connection, ffi};

use crate::carrier::carried;
use crate::engine::with_extended_code;

/// Runs `work` and writes its effects: all of that is there afterwards, or, if anything fails, nothing.
pub fn atomically<T>(ctx: &Ctx<'_>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if is_inside_write_statement(ctx.conn()) {
        return carried(ctx, || whole(ctx, work));
    }
    lock_first(ctx)?;
    bracketed(ctx, if ctx.conn().is_autocommit() { Bracket::TRANSACTION } else { Bracket::NESTED }, work)
}

/// Takes the write lock in a transaction of the host that has neither read nor written the database yet, as after a plain
/// BEGIN or SAVEPOINT. The host's busy handler waits for it.
///
/// A function reads before it writes, and that read would fix the snapshot of the transaction. After a commit of
/// another connection SQLite fails a write in an older snapshot at once, without the busy handler. If the host has read in
/// the transaction, the snapshot is fixed, and SQLite's rule stands.
pub fn lock_first(ctx: &Ctx<'_>) -> Result<()> {
    if ctx.conn().is_autocommit() || !is_untouched(ctx.conn()) {
        return Ok(());
    }
    match ctx.execute(&WRITE_LOCK, []) {
        // No table of ours yet, an authorizer or a database for readers only: the function goes on and reports it, if it
        // has anything to write at all. These errors, unlike a full disk, leave the host's transaction open.
        Err(error)
            if matches!(error.sqlite_code() & 0xff, ffi::SQLITE_ERROR | ffi::SQLITE_AUTH | ffi::SQLITE_READONLY) =>
        {
            Ok(())
        }
        locked => locked.map(drop).map_err(|error| with_extended_code(ctx.conn(), error)),
    }
}

/// True if no transaction of the database is open: the one that the host has begun exists in name only.
fn is_untouched(conn: &Connection) -> bool {
    // SAFETY: the handle is open while one of its functions runs, and the name is a C string.
    unsafe { ffi::sqlite3_txn_state(conn.handle(), c"main".as_ptr()) == ffi::SQLITE_TXN_NONE }
}

/// Runs `work`, which only reads, on one state of the database: none of the commits of other connections meanwhile is
/// seen in part.
pub fn consistently<T>(ctx: &Ctx<'_>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if !ctx.conn().is_autocommit() || is_inside_write_statement(ctx.conn()) {
        return work();
    }
    bracketed(ctx, Bracket::READ_FIRST, work)
}

/// The work and its effects. The time is read after the lock was waited for.
fn whole<T>(ctx: &Ctx<'_>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    ctx.begin();
    let done = work()?;
    ctx.finish()?;
    Ok(done)
}

fn bracketed<T>(ctx: &Ctx<'_>, bracket: Bracket, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let guard = Guard::open(ctx, bracket)?;
    // Asked for before the guard's rollback, which replaces the code.
    let done = whole(ctx, work).map_err(|error| with_extended_code(ctx.conn(), error))?;
    ctx.execute(bracket.close, []).map_err(|error| with_extended_code(ctx.conn(), error))?;
    guard.close();
    Ok(done)
}

/// Runs `look`, which only reads, and, if it found something, `work` on it, in one snapshot and with one outcome.
///
/// In autocommit it begins as a reader and takes the write lock at the first write. So finding nothing costs no lock, and
/// finding something no second look. If another connection is writing, or has written since the look, SQLite fails that
/// first write at once, without the busy handler, because waiting would not freshen the snapshot. Then all is rolled back
/// and begun anew behind the write lock.
pub fn atomically_if_found<P, T>(
    ctx: &Ctx<'_>,
    look: impl Fn() -> Result<Option<P>>,
    work: impl Fn(P) -> Result<T>,
) -> Result<Option<T>> {
    let both = || look()?.map(&work).transpose();
    if !ctx.conn().is_autocommit() || is_inside_write_statement(ctx.conn()) {
        // Before the look, which would fix the snapshot, and nothing here may begin the host's transaction anew.
        lock_first(ctx)?;
        return match look()? {
            Some(found) => atomically(ctx, || work(found)).map(Some),
            None => Ok(None),
        };
    }
    match bracketed(ctx, Bracket::READ_FIRST, both) {
        Err(error) if error.sqlite_code() & 0xff == ffi::SQLITE_BUSY => bracketed(ctx, Bracket::TRANSACTION, both),
        outcome => outcome,
    }
}

static BEGIN: Sql = Sql::new("BEGIN");
static BEGIN_IMMEDIATE: Sql = Sql::new("BEGIN IMMEDIATE");
static COMMIT: Sql = Sql::new("COMMIT");
static ROLLBACK: Sql = Sql::new("ROLLBACK");
static SAVEPOINT: Sql = Sql::new("SAVEPOINT honker");
static RELEASE: Sql = Sql::new("RELEASE honker");
static ROLLBACK_TO: Sql = Sql::new("ROLLBACK TO honker");

#[derive(Clone, Copy)]
struct Bracket {
    open: &'static Sql,
    close: &'static Sql,
    undo: &'static [&'static Sql],
}

impl Bracket {
    const TRANSACTION: Self = Self { open: &BEGIN_IMMEDIATE, close: &COMMIT, undo: &[&ROLLBACK] };
    const READ_FIRST: Self = Self { open: &BEGIN, ..Self::TRANSACTION };
    const NESTED: Self = Self { open: &SAVEPOINT, close: &RELEASE, undo: &[&ROLLBACK_TO, &RELEASE] };
}

/// Undoes the bracket when dropped: on an error, a failed COMMIT and a panic alike.
///
/// The statement that undoes may fail as well. An interrupt stays in force until all statements of the connection have
/// ended, the host's call of our function included, so ROLLBACK is interrupted too; and an authorizer may refuse it. The
/// last resort then relies on SQLite's own rule that an interrupted statement which writes rolls the whole transaction
/// back (<https://sqlite.org/c3ref/interrupt.html>). A transaction of the host ends with it, as after any interrupted
/// write of its own.
struct Guard<'a> {
    ctx: &'a Ctx<'a>,
    bracket: Bracket,
    /// A statement that writes, ready to be stepped: in the middle of an interrupt SQLite prepares none.
    last_resort: Prepared<'a>,
    is_open: bool,
}

impl<'a> Guard<'a> {
    fn open(ctx: &'a Ctx<'a>, bracket: Bracket) -> Result<Self> {
        // Also before: an interrupt that comes once the bracket is open keeps SQLite from preparing anything.
        let writes = std::ptr::eq(bracket.open, &raw const BEGIN_IMMEDIATE);
        let mut last_resort = if writes { None } else { Some(ctx.prepare(&BEGIN_IMMEDIATE)?) };
        let mut open = ctx.prepare(bracket.open)?;
        if open.is_new() {
            // Before anything is open as well. An authorizer that refuses them does so here.
            for statement in bracket.undo {
                drop(ctx.prepare(statement)?);
            }
        }
        open.execute([])?;
        // What makes SQLite prepare a statement again (a new authorizer, a changed schema) outdates the other too.
        if !writes
            && open.was_prepared()
            && let Ok(fresh) = ctx.prepare_again(&BEGIN_IMMEDIATE)
        {
            last_resort = Some(fresh);
        }
        Ok(Self { ctx, bracket, last_resort: last_resort.unwrap_or(open), is_open: true })
    }

    /// The bracket has been closed.
    fn close(mut self) {
        self.is_open = false;
    }

    fn undo(&mut self) {
        let conn = self.ctx.conn();
        for statement in self.bracket.undo {
            // A full disk or an I/O error rolls the whole transaction back by itself; then there is nothing to undo.
            if conn.is_autocommit() {
                return;
            }
            if self.ctx.execute(statement, []).is_err() && !conn.is_autocommit() {
                // SAFETY: the handle is open while one of its functions runs.
                unsafe { ffi::sqlite3_interrupt(conn.handle()) };
                let _interrupted = self.last_resort.execute([]);
                return;
            }
        }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // The effects of work that is undone must not be written by a later flush.
            self.ctx.begin();
            // If this fails, the error that the caller gets is the one that made us undo.
            self.undo();
        }
    }
}

/// True if a statement that writes is being stepped on this connection. If it is not the one that called us but one that
/// the host has suspended, we cannot tell the two apart, and SQLite would refuse a savepoint just the same.
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
