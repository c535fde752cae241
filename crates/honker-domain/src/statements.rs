//! Prepared statements, each in a numbered slot.
//!
//! A statement is prepared once per connection, not once per call, which makes an enqueue three times as fast. A slot
//! costs an index, where a cache that is keyed by SQL text hashes all of it at each use: 6 to 9 % of a claim. So a loop
//! may ask for its statement in each round.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Batch, Connection, Params, Row, Rows, Statement, StatementStatus};

use crate::moves;
use crate::test_clock::Known;
use crate::{Error, Result};

/// The text of a statement, and its slot. Always a `static`: see [`sql!`](crate::sql).
#[derive(Debug)]
pub struct Sql {
    text: &'static str,
    slot: OnceLock<usize>,
}

impl Sql {
    /// A statement with this text.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text, slot: OnceLock::new() }
    }

    /// Slots are given out in the order of first use, so that no list of all statements has to be kept.
    fn slot(&self) -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        *self.slot.get_or_init(|| NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The text without the comment at its top, which SQLite would keep with each prepared statement.
    fn body(&self) -> &'static str {
        let mut rest = self.text;
        while let Some(after) = rest.strip_prefix("--") {
            rest = after.split_once('\n').map_or("", |(_, next)| next);
        }
        rest.trim()
    }
}

/// The statement in a `.sql` file beside the calling source file.
#[macro_export]
macro_rules! sql {
    ($file:literal) => {{
        static SQL: $crate::statements::Sql = $crate::statements::Sql::new(include_str!($file));
        &SQL
    }};
}

/// A connection and its prepared statements.
pub struct Statements {
    /// Declared, and therefore dropped, before the connection that they point to.
    idle: RefCell<Vec<Option<Statement<'static>>>>,
    /// See `Ctx::rescue_cursor`. Forgetting one costs a search from the beginning.
    cursors: RefCell<BTreeMap<String, String>>,
    /// See `Ctx::waiting_cursor`.
    waiting_cursors: RefCell<BTreeMap<String, (i64, i64)>>,
    test_clock: Cell<Known>,
    /// See `Ctx::is_known_as_tied`.
    tied: RefCell<BTreeSet<i64>>,
    recording: Cell<moves::Known>,
    conn: Box<Connection>,
}

impl Statements {
    /// No statement of this connection yet.
    #[must_use]
    pub fn new(conn: Connection) -> Self {
        Self {
            idle: RefCell::default(),
            cursors: RefCell::default(),
            waiting_cursors: RefCell::default(),
            test_clock: Cell::default(),
            tied: RefCell::default(),
            recording: Cell::default(),
            conn: Box::new(conn),
        }
    }

    /// The connection.
    #[must_use]
    pub fn conn(&self) -> &Connection {
        &self.conn
    }

    pub(crate) const fn cursors(&self) -> &RefCell<BTreeMap<String, String>> {
        &self.cursors
    }

    pub(crate) const fn waiting_cursors(&self) -> &RefCell<BTreeMap<String, (i64, i64)>> {
        &self.waiting_cursors
    }

    pub(crate) const fn test_clock(&self) -> &Cell<Known> {
        &self.test_clock
    }

    pub(crate) const fn tied(&self) -> &RefCell<BTreeSet<i64>> {
        &self.tied
    }

    pub(crate) const fn recording(&self) -> &Cell<moves::Known> {
        &self.recording
    }

    /// Finalises every statement that is not in use.
    pub fn clear(&self) {
        self.idle.borrow_mut().clear();
    }

    /// Takes a statement out of its slot, or prepares it. A call within a call, through a trigger, finds the slot empty
    /// and prepares a second one.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn prepare(&self, sql: &'static Sql) -> Result<Prepared<'_>> {
        let slot = sql.slot();
        let idle = self.idle.borrow_mut().get_mut(slot).and_then(Option::take);
        let is_new = idle.is_none();
        let statement = match idle {
            Some(statement) => statement,
            None => self.prepare_anew(sql)?,
        };
        Ok(Prepared { statement: Some(statement), slot, is_new, home: self })
    }

    #[cold]
    fn prepare_anew(&self, sql: &Sql) -> Result<Statement<'static>> {
        let statement = self.conn.prepare_with_flags(sql.body(), rusqlite::PrepFlags::SQLITE_PREPARE_PERSISTENT)?;
        // SAFETY: only the lifetime changes. The statement points to the boxed connection, which stays where it is and is
        // dropped after `idle`. `Prepared` borrows `self` and hands the statement out under no longer lifetime.
        Ok(unsafe { std::mem::transmute::<Statement<'_>, Statement<'static>>(statement) })
    }

    /// As [`Statements::prepare`], but leaves a kept statement behind: for one that must not be prepared again by SQLite.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn prepare_again(&self, sql: &'static Sql) -> Result<Prepared<'_>> {
        Ok(Prepared { statement: Some(self.prepare_anew(sql)?), slot: sql.slot(), is_new: true, home: self })
    }

    fn put_back(&self, slot: usize, mut statement: Statement<'static>) {
        // A payload bound to a statement that writes may be large. Those that read hold names and numbers only, and clearing
        // would make SQLite 3.54 prepare most of them again at the next use.
        if !statement.readonly() {
            statement.clear_bindings();
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() <= slot {
            idle.resize_with(slot + 1, || None);
        }
        idle[slot] = Some(statement);
    }
}

/// Runs a statement to its end.
pub(crate) fn pass_over(rows: &mut Rows<'_>) -> rusqlite::Result<()> {
    while rows.next()?.is_some() {}
    Ok(())
}

/// Runs statements of a text one after the other, each to its end: see [`Prepared::execute`].
///
/// # Errors
/// Whatever SQLite reports.
pub(crate) fn execute_all(conn: &Connection, statements: &str) -> Result<()> {
    let mut batch = Batch::new(conn, statements);
    while let Some(mut statement) = batch.next()? {
        pass_over(&mut statement.query([])?)?;
    }
    Ok(())
}

/// A statement in use; goes back into its slot when dropped.
pub struct Prepared<'a> {
    /// `None` only while it is dropped.
    statement: Option<Statement<'static>>,
    slot: usize,
    is_new: bool,
    home: &'a Statements,
}

impl Drop for Prepared<'_> {
    fn drop(&mut self) {
        if let Some(statement) = self.statement.take() {
            self.home.put_back(self.slot, statement);
        }
    }
}

impl Prepared<'_> {
    /// Never handed out: a caller could move a `Statement<'static>` out of it.
    fn statement(&mut self) -> &mut Statement<'static> {
        self.statement.as_mut().expect("a statement is taken out only by drop")
    }

    /// True if the statement was not kept from an earlier use.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// True if the statement has been prepared, or prepared again because it was outdated, since this was asked last.
    pub fn was_prepared(&mut self) -> bool {
        let is_new = std::mem::take(&mut self.is_new);
        self.statement().reset_status(StatementStatus::RePrepare) > 0 || is_new
    }

    /// Runs a statement to its end; the number of rows it changed.
    ///
    /// Rows are passed over: under `PRAGMA count_changes` of the host every statement that writes returns its count as a
    /// row, and `Statement::execute` of rusqlite fails on a row, after the write.
    ///
    /// # Errors
    /// Whatever SQLite reports, a COMMIT that fails in autocommit included.
    pub fn execute(&mut self, params: impl Params) -> Result<usize> {
        pass_over(&mut self.statement().query(params)?)?;
        Ok(usize::try_from(self.home.conn.changes()).unwrap_or(usize::MAX))
    }

    /// Runs a statement that must change one row.
    ///
    /// # Errors
    /// Whatever SQLite reports; a constraint error if no row was changed, because a trigger of the application skipped it
    /// with RAISE(IGNORE). A caller that went on would report a job that is not there, or delete one that was not copied.
    pub fn change_one(&mut self, params: impl Params) -> Result<()> {
        if self.execute(params)? == 1 { Ok(()) } else { Err(Error::skipped_row()) }
    }

    /// The first row of a statement that reads, if there is one.
    ///
    /// # Errors
    /// Whatever SQLite reports, or `read`.
    pub fn row<T>(
        &mut self,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let mut rows = self.statement().query(params)?;
        Ok(rows.next()?.map(read).transpose()?)
    }

    /// All rows. A statement that writes and returns rows is complete only after its last row.
    ///
    /// # Errors
    /// Whatever SQLite reports, or `read`.
    pub fn rows<T>(
        &mut self,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        Ok(self.statement().query_map(params, read)?.collect::<rusqlite::Result<_>>()?)
    }

    /// A cursor, for a reader that may stop before the end.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn cursor(&mut self, params: impl Params) -> Result<Rows<'_>> {
        Ok(self.statement().query(params)?)
    }
}
