//! The context of one call: the connection, its statements, the time, and the effects to come.

use std::cell::{Cell, RefCell};

use rusqlite::{Connection, Params, Row};

use crate::Result;
use crate::clock::{Instant, Reading, Span};
use crate::effects::Effects;
use crate::statements::{Prepared, Sql, Statements};

/// One call of the engine.
///
/// The clock is read once, when the time is first asked for: all that a call writes carries one time. The bracket around
/// a call calls [`Ctx::begin`] when it has the write lock, because the lock may have been waited for.
pub struct Ctx<'c> {
    statements: &'c Statements,
    reading: Cell<Option<Reading>>,
    effects: RefCell<Effects>,
}

impl<'c> Ctx<'c> {
    /// A call on this connection.
    #[must_use]
    pub fn new(statements: &'c Statements) -> Self {
        Self { statements, reading: Cell::new(None), effects: RefCell::default() }
    }

    /// The connection.
    #[must_use]
    pub fn conn(&self) -> &'c Connection {
        self.statements.conn()
    }

    /// Begins the work of the call, or begins it again: forgets the time and the effects so far.
    pub fn begin(&self) {
        self.reading.set(None);
        self.effects.take();
    }

    /// Writes the effects that the work so far has left to do. Inside the bracket of that work: either both are there
    /// after a crash, or neither.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn flush(&self) -> Result<()> {
        let effects = self.effects.take();
        if effects.is_empty() { Ok(()) } else { effects.write(self) }
    }

    /// True if [`Ctx::flush`] has nothing to write.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.effects.borrow().is_empty()
    }

    /// Notes an effect for [`Ctx::flush`].
    pub(crate) fn note(&self, note: impl FnOnce(&mut Effects)) {
        note(&mut self.effects.borrow_mut());
    }

    fn reading(&self) -> Reading {
        if let Some(reading) = self.reading.get() {
            return reading;
        }
        let reading = Reading::take();
        self.reading.set(Some(reading));
        reading
    }

    /// The time of this call, rounded down to the millisecond.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.reading().floor()
    }

    /// The second that the time of this call lies in.
    #[must_use]
    pub fn second(&self) -> i64 {
        self.reading().second()
    }

    /// The instant `span` from now, rounded up to the millisecond, so that it is never early.
    #[must_use]
    pub fn after(&self, span: Span) -> Instant {
        self.reading().ceil() + span
    }

    /// The instant `span` ago; before it everything is older than `span`.
    #[must_use]
    pub fn ago(&self, span: Span) -> Instant {
        Instant::from_ms(self.now().as_ms().saturating_sub(span.as_ms()))
    }

    /// The last instant of a lease of `length` that starts now, as `claim_expires_at` stores it.
    ///
    /// A lease in whole seconds is written in the form that the reference writes and reads: the last second in which the
    /// lease holds. That makes it up to one second longer, never shorter. Any other length is exact.
    #[must_use]
    pub fn end_of_lease(&self, length: Span) -> Instant {
        if length.is_whole() { Instant::from_seconds(self.second()) + length } else { self.after(length) }
    }

    /// Fails if the host has interrupted the connection, which SQLite shows only to a statement that runs.
    ///
    /// # Errors
    /// The interrupt.
    pub fn check_interrupt(&self) -> Result<()> {
        static NOTHING: Sql = Sql::new("SELECT 1");
        self.row(&NOTHING, [], |_row| Ok(())).map(drop)
    }

    /// A statement to run several times.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn prepare(&self, sql: &'static Sql) -> Result<Prepared<'c>> {
        self.statements.prepare(sql)
    }

    /// See [`Statements::prepare_again`].
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn prepare_again(&self, sql: &'static Sql) -> Result<Prepared<'c>> {
        self.statements.prepare_again(sql)
    }

    /// See [`Prepared::execute`].
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn execute(&self, sql: &'static Sql, params: impl Params) -> Result<usize> {
        self.prepare(sql)?.execute(params)
    }

    /// See [`Prepared::change_one`].
    ///
    /// # Errors
    /// Whatever SQLite reports, or a constraint error if no row was changed.
    pub fn change_one(&self, sql: &'static Sql, params: impl Params) -> Result<()> {
        self.prepare(sql)?.change_one(params)
    }

    /// See [`Prepared::row`].
    ///
    /// # Errors
    /// Whatever SQLite reports, or `read`.
    pub fn row<T>(
        &self,
        sql: &'static Sql,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.prepare(sql)?.row(params, read)
    }

    /// See [`Prepared::rows`].
    ///
    /// # Errors
    /// Whatever SQLite reports, or `read`.
    pub fn rows<T>(
        &self,
        sql: &'static Sql,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.prepare(sql)?.rows(params, read)
    }
}
