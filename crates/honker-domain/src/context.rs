//! The context of one call: the connection, its statements, the time, and the effects to come.

use std::cell::{Cell, RefCell};

use rusqlite::{Connection, Params, Row};

use crate::clock::{Instant, Reading, Span};
use crate::effects::Effects;
use crate::limits::TIED_JOBS_KNOWN;
use crate::moves::{self, Moved, Recording};
use crate::queue::Settings;
use crate::statements::{Prepared, Sql, Statements};
use crate::{Result, schema, test_clock};

/// One call of the engine.
///
/// The clock is read once, when the time is first asked for: all that a call writes carries one time. The bracket around
/// a call calls [`Ctx::begin`] when it has the write lock, because the lock may have been waited for.
pub struct Ctx<'c> {
    statements: &'c Statements,
    reading: Cell<Option<Reading>>,
    is_shared: Cell<Option<bool>>,
    recording: Cell<Option<Recording>>,
    /// The settings of the queue that this call has asked for last.
    settings: RefCell<Option<(String, Settings)>>,
    effects: RefCell<Effects>,
    moves: RefCell<Vec<Moved>>,
}

impl<'c> Ctx<'c> {
    /// A call on this connection.
    #[must_use]
    pub fn new(statements: &'c Statements) -> Self {
        Self {
            statements,
            reading: Cell::new(None),
            is_shared: Cell::new(None),
            recording: Cell::new(None),
            settings: RefCell::default(),
            effects: RefCell::default(),
            moves: RefCell::default(),
        }
    }

    /// The connection.
    #[must_use]
    pub fn conn(&self) -> &'c Connection {
        self.statements.conn()
    }

    pub(crate) const fn statements(&self) -> &'c Statements {
        self.statements
    }

    /// Begins the work of the call, or begins it again: forgets the time, the facts about the file and the effects so far.
    pub fn begin(&self) {
        self.reading.set(None);
        self.is_shared.set(None);
        self.recording.set(None);
        self.forget_settings();
        self.effects.take();
        self.moves.take();
    }

    /// Writes the effects that the work so far has left to do. Inside the bracket of that work: either both are there
    /// after a crash, or neither.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn flush(&self) -> Result<()> {
        while !self.effects.borrow().is_empty() {
            self.effects.take().write(self)?;
        }
        Ok(())
    }

    /// Writes the effects, and then the record of all moves of the call: see [`crate::moves`]. At the end of its work, once.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn finish(&self) -> Result<()> {
        self.flush()?;
        let moves = self.moves.take();
        if moves.is_empty() { Ok(()) } else { moves::write(self, &moves) }
    }

    /// True if [`Ctx::finish`] has nothing to write.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.effects.borrow().is_empty() && self.moves.borrow().is_empty()
    }

    /// The settings of the record of moves, the same throughout a call.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn recording(&self) -> Result<Recording> {
        if let Some(recording) = self.recording.get() {
            return Ok(recording);
        }
        let recording = moves::recording(self.statements)?;
        self.recording.set(Some(recording));
        Ok(recording)
    }

    /// Notes a move for [`Ctx::finish`].
    pub(crate) fn note_move(&self, moved: Moved) {
        self.moves.borrow_mut().push(moved);
    }

    /// Notes an effect for [`Ctx::flush`].
    pub(crate) fn note(&self, note: impl FnOnce(&mut Effects)) {
        note(&mut self.effects.borrow_mut());
    }

    fn reading(&self) -> Reading {
        if let Some(reading) = self.reading.get() {
            return reading;
        }
        let reading = test_clock::reading(self.statements);
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

    /// The last instant of a lease of `length` that starts now, as `claim_expires_at` stores it in a file of ours.
    ///
    /// A lease in whole seconds is written in the form that the reference writes and reads: the last second in which the
    /// lease holds. That makes it up to one second longer, never shorter. Any other length is exact, except in a shared
    /// file: there the end is [rounded down](Instant::rounded_down) to that form.
    #[must_use]
    pub fn end_of_lease(&self, length: Span) -> Instant {
        if length.is_whole() { Instant::from_seconds(self.second()) + length } else { self.after(length) }
    }

    /// The end of a lease as this file stores it. Run in a transaction, as [`Ctx::stored`].
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub(crate) fn stored_end_of_lease(&self, length: Span) -> Result<Instant> {
        let end = self.end_of_lease(length);
        Ok(if end.is_whole() || !self.is_shared()? { end } else { end.rounded_down() })
    }

    /// An instant in whole seconds, for a shared file. One to come is rounded up, so that nothing is early; one that has
    /// passed is rounded down, so that it has passed.
    pub(crate) fn rounded(&self, at: Instant) -> Instant {
        if at <= self.now() { at.rounded_down() } else { at.rounded_up() }
    }

    /// An instant as this file stores it: whole seconds if the file is shared with the reference.
    ///
    /// The mark of the file is read once a call, and only for an instant with a fraction. Run in a transaction: the
    /// instant must be written in the snapshot in which the mark was read, or another process may set the mark in between.
    /// A function that is one statement reads the mark in that statement instead: see [`Ctx::if_shared`].
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub(crate) fn stored(&self, at: Instant) -> Result<Instant> {
        Ok(if at.is_whole() || !self.is_shared()? { at } else { self.rounded(at) })
    }

    /// The other form of an instant, which a statement stores if it finds the file to be shared; `None` for an instant that
    /// has one form only.
    pub(crate) fn if_shared(&self, at: Instant) -> Option<Instant> {
        (!at.is_whole()).then(|| self.rounded(at))
    }

    /// True if the file is shared with the reference: see [`schema::is_shared`].
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub(crate) fn is_shared(&self) -> Result<bool> {
        if let Some(is_shared) = self.is_shared.get() {
            return Ok(is_shared);
        }
        let is_shared = schema::is_shared(self)?;
        self.is_shared.set(Some(is_shared));
        Ok(is_shared)
    }

    /// The settings of a queue, as this call has read them before or as `read` does now. A call that changes them says so by
    /// [`Ctx::forget_settings`].
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn settings(&self, queue: &str, read: impl FnOnce() -> Result<Settings>) -> Result<Settings> {
        if let Some((of, settings)) = self.settings.borrow().as_ref()
            && of == queue
        {
            return Ok(settings.clone());
        }
        let settings = read()?;
        self.settings.replace(Some((queue.to_owned(), settings.clone())));
        Ok(settings)
    }

    /// Makes the next look at settings read them again.
    pub(crate) fn forget_settings(&self) {
        self.settings.take();
    }

    /// The key after which the search for stranded keys goes on; '' for the first.
    pub(crate) fn rescue_cursor(&self, queue: &str) -> String {
        self.statements.cursors().borrow().get(queue).cloned().unwrap_or_default()
    }

    /// Remembers it for the next claim of this connection that finds nothing.
    pub(crate) fn set_rescue_cursor(&self, queue: &str, key: String) {
        let mut cursors = self.statements.cursors().borrow_mut();
        if key.is_empty() { drop(cursors.remove(queue)) } else { drop(cursors.insert(queue.to_owned(), key)) }
    }

    /// The `run_at` in milliseconds and the id after which the search for waiting jobs with lost parents goes on.
    pub(crate) fn waiting_cursor(&self, queue: &str) -> (i64, i64) {
        self.statements.waiting_cursors().borrow().get(queue).copied().unwrap_or((i64::MIN, i64::MIN))
    }

    /// Remembers it; `None` for the first.
    pub(crate) fn set_waiting_cursor(&self, queue: &str, place: Option<(i64, i64)>) {
        let mut cursors = self.statements.waiting_cursors().borrow_mut();
        match place {
            None => drop(cursors.remove(queue)),
            Some(place) => drop(cursors.insert(queue.to_owned(), place)),
        }
    }

    /// Remembers that a job which this connection claims has ties.
    pub(crate) fn remember_as_tied(&self, id: i64) {
        let mut tied = self.statements.tied().borrow_mut();
        // Those that others settle stay here, so the oldest are given up.
        while tied.len() >= TIED_JOBS_KNOWN {
            tied.pop_first();
        }
        tied.insert(id);
    }

    /// True if this connection has claimed the job and found ties; forgets it. A hint: it saves the statement that ends a plain
    /// job and, outside of a transaction, taking the write lock twice.
    pub(crate) fn is_known_as_tied(&self, id: i64) -> bool {
        let tied = self.statements.tied();
        !tied.borrow().is_empty() && tied.borrow_mut().remove(&id)
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
