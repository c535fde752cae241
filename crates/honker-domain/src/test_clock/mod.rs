//! The clock of a testing file, which all processes that have the file open share.
//!
//! Two rows of `_honker_meta` hold it: an offset to the system's clock, or an instant at which the time stands still. A
//! file that has one of them is a testing file. A file that has had jobs never becomes one, so that no call moves the
//! time of an application's jobs.
//!
//! An ordinary file pays nothing: a connection looks for the rows when it first needs the time, and remembers that there
//! are none. It looks again after [`forget`] and after any connection of its process has found or set such a clock.
//! A process that has used the file before another process makes it a testing file does not notice.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::clock::{Instant, Reading, Span};
use crate::limits::INSTANT_S;
use crate::statements::Statements;
use crate::{Ctx, Error, Result, schema, sql};

const OFFSET_MS: &str = "test_clock_offset_ms";
const STOPPED_MS: &str = "test_clock_stopped_ms";

/// The clock of a testing file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestClock {
    /// It runs, ahead of the system's clock by this span.
    Ahead(Span),
    /// It stands still.
    Stopped(Instant),
}

impl TestClock {
    fn reading(self) -> Reading {
        match self {
            Self::Ahead(span) => Reading::take().shifted(span),
            Self::Stopped(at) => Reading::of(at),
        }
    }

    fn later_by(self, span: Span) -> Self {
        match self {
            Self::Ahead(offset) => Self::Ahead(Span::from_ms(offset.as_ms().saturating_add(span.as_ms()))),
            Self::Stopped(at) => Self::Stopped(at + span),
        }
    }

    const fn row(self) -> (&'static str, i64) {
        match self {
            Self::Ahead(span) => (OFFSET_MS, span.as_ms()),
            Self::Stopped(at) => (STOPPED_MS, at.as_ms()),
        }
    }
}

/// The state of a clock, as functions return it. One field is null.
#[derive(Debug, Serialize)]
pub struct State {
    /// Seconds by which the clock is ahead of the system's.
    pub offset_s: Option<Span>,
    /// The instant at which it stands still.
    pub stopped_at: Option<Instant>,
}

impl From<TestClock> for State {
    fn from(clock: TestClock) -> Self {
        match clock {
            TestClock::Ahead(span) => Self { offset_s: Some(span), stopped_at: None },
            TestClock::Stopped(at) => Self { offset_s: None, stopped_at: Some(at) },
        }
    }
}

/// The knowledge of one connection about the clock of its file.
#[derive(Debug, Clone, Copy, Default)]
pub enum Known {
    /// Not looked yet.
    #[default]
    Nothing,
    /// The file was an ordinary one at this [`generation`].
    Ordinary(u64),
    /// The file is a testing file; its clock when it was last read.
    Testing(TestClock),
}

/// Counts the connections of this process that have found or set the clock of a testing file.
static GENERATION: AtomicU64 = AtomicU64::new(0);

fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// The time, for a call on this connection.
///
/// If the row of a testing file cannot be read, because the database is locked or the connection interrupted, the clock
/// as it was last read counts. The statement that needs the time then reports the error.
pub(crate) fn reading(statements: &Statements) -> Reading {
    let known = statements.test_clock();
    match known.get() {
        Known::Ordinary(since) if since == generation() => Reading::take(),
        _ => look(statements, known).map_or_else(Reading::take, TestClock::reading),
    }
}

#[cold]
fn look(statements: &Statements, known: &Cell<Known>) -> Option<TestClock> {
    let before = generation();
    match (read(statements), known.get()) {
        (Ok(Some(clock)), last) => {
            known.set(Known::Testing(clock));
            if !matches!(last, Known::Testing(_)) {
                GENERATION.fetch_add(1, Ordering::Relaxed);
            }
            Some(clock)
        }
        (Ok(None) | Err(Error::NotBootstrapped(_)), _) => {
            known.set(Known::Ordinary(before));
            None
        }
        (Err(_), Known::Testing(clock)) => Some(clock),
        (Err(_), _) => None,
    }
}

fn read(statements: &Statements) -> Result<Option<TestClock>> {
    let row = statements.prepare(sql!("get.sql"))?.row([], |row| {
        let offset = row.get::<_, Option<i64>>(0)?.map(|ms| TestClock::Ahead(Span::from_ms(ms)));
        Ok(offset.or(row.get::<_, Option<i64>>(1)?.map(|ms| TestClock::Stopped(Instant::from_ms(ms)))))
    })?;
    Ok(row.flatten())
}

/// Makes the connection look again, because the tables may have been made since.
pub fn forget(ctx: &Ctx<'_>) {
    ctx.statements().test_clock().set(Known::Nothing);
}

/// The clock of the file; `None` for an ordinary file. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn get(ctx: &Ctx<'_>) -> Result<Option<State>> {
    Ok(read(ctx.statements())?.map(State::from))
}

/// Sets the clock, and makes the file a testing file. Returns the time that it shows. Errors name the `argument`. Run in a
/// write transaction.
///
/// # Errors
/// `HONKER_INVALID_ARGUMENT` if the file has had jobs and is no testing file, or if the time is outside the years 1 to
/// 9999; or whatever SQLite reports.
pub fn set(ctx: &Ctx<'_>, argument: &'static str, clock: TestClock) -> Result<Instant> {
    schema::require_writer(ctx)?;
    let is_marked = read(ctx.statements())?.is_some();
    if !is_marked && ctx.row(sql!("has_had_jobs.sql"), [], |row| row.get::<_, bool>(0))?.unwrap_or(true) {
        let problem = "is refused: this file has had jobs, and only a testing file has a clock that can be set; set the \
            clock of a new file before its first job";
        return Err(Error::invalid(argument, problem));
    }
    let now = clock.reading().floor();
    if !INSTANT_S.contains(&now.second()) {
        return Err(Error::invalid(argument, "leads out of the years 1 to 9999"));
    }
    ctx.execute(sql!("clear.sql"), [])?;
    ctx.change_one(sql!("put.sql"), clock.row())?;
    ctx.statements().test_clock().set(Known::Testing(clock));
    GENERATION.fetch_add(1, Ordering::Relaxed);
    Ok(now)
}

/// Moves the clock forward, and makes the file a testing file. Returns the time that it shows. Run in a write transaction.
///
/// # Errors
/// As [`set`].
pub fn advance(ctx: &Ctx<'_>, by: Span) -> Result<Instant> {
    let clock = read(ctx.statements())?.unwrap_or(TestClock::Ahead(Span::from_ms(0)));
    set(ctx, "seconds", clock.later_by(by))
}
