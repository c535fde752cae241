//! Errors as data: one enum, each kind with a stable code that begins its message in SQL.

use std::fmt;

use rusqlite::ffi;

/// The result of an operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation failed. No operation that fails leaves anything behind.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An argument has the wrong type, is outside its range, or is refused for its content.
    InvalidArgument {
        /// The parameter's name in `reference.yaml`.
        argument: &'static str,
        /// The value seen, the values allowed and the next step.
        problem: String,
    },
    /// The file was written by a newer honker.
    SchemaTooNew {
        /// The version found in the file.
        found: i64,
        /// The newest version this build understands.
        supported: i64,
    },
    /// The file lacks honker's tables, indexes or columns; `honker_bootstrap()` makes them.
    NotBootstrapped(String),
    /// A stored row cannot be understood.
    MalformedRow(String),
    /// A unique key is taken: by this job of this queue.
    UniqueKeyTaken {
        /// The queue's name.
        queue: String,
        /// The unique key.
        unique_key: String,
        /// The job that has it.
        job_id: i64,
    },
    /// A job that was named as a parent is not known: it never existed, or ended without a trace.
    UnknownParent(i64),
    /// Commits to a file cannot be watched.
    Watcher(String),
    /// SQLite refused: busy, full, read-only, corrupt, a constraint, a trigger of the application.
    Sqlite(rusqlite::Error),
}

impl Error {
    /// An argument that is refused.
    pub fn invalid(argument: &'static str, problem: impl Into<String>) -> Self {
        Self::InvalidArgument { argument, problem: problem.into() }
    }

    /// A row that a statement had to change and did not.
    pub(crate) fn skipped_row() -> Self {
        let message = "a trigger of the application skipped a row of honker with RAISE(IGNORE); nothing was changed";
        Self::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CONSTRAINT), Some(message.to_owned())))
    }

    /// A row that cannot be returned, because it alone is longer than a text may be.
    pub(crate) fn row_too_long(id: i64, bytes: usize, longest_text: usize) -> Self {
        let message = format!(
            "string or blob too big: row {id} takes up to {bytes} bytes as JSON, and SQLITE_LIMIT_LENGTH of this connection \
             is {longest_text}"
        );
        Self::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), Some(message)))
    }

    /// The same of an argument that is given as a list, with the place of the element that is refused.
    #[must_use]
    pub fn at(self, position: usize) -> Self {
        match self {
            Self::InvalidArgument { argument, problem } => {
                Self::InvalidArgument { argument, problem: format!("at position {position} {problem}") }
            }
            other => other,
        }
    }

    /// The stable code with which the message begins.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidArgument { .. } => "HONKER_INVALID_ARGUMENT",
            Self::SchemaTooNew { .. } => "HONKER_SCHEMA_TOO_NEW",
            Self::NotBootstrapped(_) => "HONKER_NOT_BOOTSTRAPPED",
            Self::MalformedRow(_) => "HONKER_MALFORMED_ROW",
            Self::UniqueKeyTaken { .. } => "HONKER_UNIQUE_KEY_TAKEN",
            Self::UnknownParent(_) => "HONKER_UNKNOWN_PARENT",
            Self::Watcher(_) => "HONKER_WATCHER",
            Self::Sqlite(_) => match self.sqlite_code() & 0xff {
                ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => "HONKER_BUSY",
                ffi::SQLITE_READONLY => "HONKER_READ_ONLY",
                ffi::SQLITE_FULL => "HONKER_FULL",
                ffi::SQLITE_IOERR => "HONKER_IO",
                ffi::SQLITE_CANTOPEN => "HONKER_CANTOPEN",
                ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => "HONKER_CORRUPT",
                ffi::SQLITE_CONSTRAINT => "HONKER_CONSTRAINT",
                ffi::SQLITE_INTERRUPT => "HONKER_INTERRUPTED",
                _ => "HONKER_SQLITE",
            },
        }
    }

    /// SQLite's extended result code, so that a host which knows only SQLite still sees BUSY as BUSY.
    #[must_use]
    pub fn sqlite_code(&self) -> i32 {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => failure.extended_code,
            Self::InvalidArgument { .. } | Self::MalformedRow(_) => ffi::SQLITE_MISMATCH,
            Self::UniqueKeyTaken { .. } => ffi::SQLITE_CONSTRAINT_UNIQUE,
            _ => ffi::SQLITE_ERROR,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code())?;
        match self {
            Self::InvalidArgument { argument, problem } => write!(f, "{argument} {problem}"),
            Self::SchemaTooNew { found, supported } => write!(
                f,
                "this database has honker schema {found}, and this build supports up to {supported}; upgrade honker"
            ),
            Self::NotBootstrapped(missing) => {
                write!(f, "{missing}; run SELECT honker_bootstrap() once on this database")
            }
            Self::UniqueKeyTaken { queue, unique_key, job_id } => write!(
                f,
                "unique_key {unique_key:?} of queue {queue:?} is taken by job {job_id}; wait until it is free, cancel that \
                 job, or give on_conflict \"existing\""
            ),
            Self::UnknownParent(id) => write!(
                f,
                "after names job {id}, which never existed or has ended without a result that is kept; enqueue parent and \
                 child in one transaction, or keep the parent's result"
            ),
            Self::MalformedRow(problem) | Self::Watcher(problem) => f.write_str(problem),
            Self::Sqlite(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Sqlite(error) => Some(error),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(_, Some(message)) if names_a_missing_object(message) => {
                Self::NotBootstrapped(message.clone())
            }
            rusqlite::Error::InvalidColumnType(_, column, found) => {
                Self::MalformedRow(format!("column {column} holds {found}"))
            }
            rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::Utf8Error(..) => {
                Self::MalformedRow(error.to_string())
            }
            _ => Self::Sqlite(error),
        }
    }
}

/// SQLite has no result code of its own for this. Triggers of the application may miss objects too, so only our own
/// names count.
fn names_a_missing_object(message: &str) -> bool {
    const OBJECTS: [&str; 4] = [
        "no such table: main._honker",
        // SQLite makes it with the first table of ours.
        "no such table: main.sqlite_sequence",
        "no such index: _honker",
        "table _honker",
    ];
    const LATER_COLUMNS: [&str; 16] = [
        "last_error",
        "time_zone",
        "misfire",
        "slack",
        "unknown_since",
        "key",
        "ties",
        "unique_key",
        "unique_for_s",
        "waiting_for",
        "snoozes",
        "cancel_requested_at",
        "q.paused_until",
        "paused_until",
        "q.concurrency",
        "concurrency",
    ];
    OBJECTS.iter().any(|object| message.starts_with(object))
        || message.strip_prefix("no such column: ").is_some_and(|column| LATER_COLUMNS.contains(&column))
}
