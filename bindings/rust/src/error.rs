//! Errors, and the code that each of them has.

use std::fmt;

use rusqlite::ffi;

/// The result of the functions of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error.
///
/// [`Error::kind`] is what programs decide by; [`Error::code`] is the same as stable text, equal in every language.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let db = honker::Database::open(folder.path().join("app.db"))?;
/// use honker::{EnqueueOpts, ErrorKind, QueueOpts};
///
/// let queue = db.queue("emails", QueueOpts::default());
/// let error = queue.enqueue(&1, EnqueueOpts { run_at: Some(i64::MAX), ..Default::default() }).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidArgument);
/// assert_eq!(error.code(), "HONKER_INVALID_ARGUMENT");
/// # Ok::<(), honker::Error>(())
/// ```
#[derive(Debug)]
pub enum Error {
    /// SQLite, or a function of honker inside it, reported an error.
    Sqlite(rusqlite::Error),
    /// A payload could not be encoded or decoded.
    Json(serde_json::Error),
    /// This crate reports an error. The text begins with a code.
    Core(String),
    /// No further updates come: the handle was closed, or the watcher ended because the file was replaced.
    UpdateClosed,
}

/// The kinds of errors, one for each code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument has a wrong type or is outside its range.
    InvalidArgument,
    /// The file lacks tables of honker.
    NotBootstrapped,
    /// A newer honker has upgraded the file.
    SchemaTooNew,
    /// A stored row was edited by hand into something invalid.
    MalformedRow,
    /// Another job has the unique key.
    UniqueKeyTaken,
    /// A job that another is to run after is not known.
    UnknownParent,
    /// Another connection held the lock for longer than 5 seconds. Repeat the call.
    Busy,
    /// The file or the connection is read-only.
    ReadOnly,
    /// The disk is full.
    Full,
    /// The operating system failed to read or write.
    Io,
    /// The file cannot be opened.
    CantOpen,
    /// The file is damaged, or no database.
    Corrupt,
    /// A constraint or a trigger of the application refused the change.
    Constraint,
    /// The statement was interrupted.
    Interrupted,
    /// The SQLite that is linked is older than 3.38.
    SqliteTooOld,
    /// The connection has a function of its own under a name of honker.
    NameTaken,
    /// Commits to the file cannot be watched.
    Watcher,
    /// The handle was closed.
    Closed,
    /// The file was deleted or replaced. Open it again.
    Replaced,
    /// The thread holds a transaction, and the call is not part of it.
    NestedTransaction,
    /// A payload could not be encoded or decoded.
    Payload,
    /// A defect in honker.
    Internal,
    /// Any other error of SQLite.
    Sqlite,
}

const CODES: [(&str, ErrorKind); 23] = [
    ("HONKER_INVALID_ARGUMENT", ErrorKind::InvalidArgument),
    ("HONKER_NOT_BOOTSTRAPPED", ErrorKind::NotBootstrapped),
    ("HONKER_SCHEMA_TOO_NEW", ErrorKind::SchemaTooNew),
    ("HONKER_MALFORMED_ROW", ErrorKind::MalformedRow),
    ("HONKER_UNIQUE_KEY_TAKEN", ErrorKind::UniqueKeyTaken),
    ("HONKER_UNKNOWN_PARENT", ErrorKind::UnknownParent),
    ("HONKER_BUSY", ErrorKind::Busy),
    ("HONKER_READ_ONLY", ErrorKind::ReadOnly),
    ("HONKER_FULL", ErrorKind::Full),
    ("HONKER_IO", ErrorKind::Io),
    ("HONKER_CANTOPEN", ErrorKind::CantOpen),
    ("HONKER_CORRUPT", ErrorKind::Corrupt),
    ("HONKER_CONSTRAINT", ErrorKind::Constraint),
    ("HONKER_INTERRUPTED", ErrorKind::Interrupted),
    ("HONKER_SQLITE_TOO_OLD", ErrorKind::SqliteTooOld),
    ("HONKER_NAME_TAKEN", ErrorKind::NameTaken),
    ("HONKER_WATCHER", ErrorKind::Watcher),
    ("HONKER_CLOSED", ErrorKind::Closed),
    ("HONKER_REPLACED", ErrorKind::Replaced),
    ("HONKER_NESTED_TRANSACTION", ErrorKind::NestedTransaction),
    ("HONKER_INVALID_PAYLOAD", ErrorKind::Payload),
    ("HONKER_INTERNAL", ErrorKind::Internal),
    ("HONKER_SQLITE", ErrorKind::Sqlite),
];

impl ErrorKind {
    /// The code, such as `HONKER_BUSY`.
    ///
    /// # Panics
    /// Never: each kind has a code.
    #[must_use]
    pub fn code(self) -> &'static str {
        CODES.iter().find(|(_, kind)| *kind == self).expect("each kind has a code").0
    }
}

impl Error {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Sqlite(error) => sqlite_kind(error),
            Self::Json(_) => ErrorKind::Payload,
            Self::Core(message) => kind_of_message(message).unwrap_or(ErrorKind::Internal),
            Self::UpdateClosed => ErrorKind::Closed,
        }
    }

    /// The stable code, such as `HONKER_BUSY`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind().code()
    }

    /// True if the same call may succeed later without any change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind(), ErrorKind::Busy | ErrorKind::Full | ErrorKind::Io | ErrorKind::Interrupted)
    }

    /// An error of this crate.
    pub(crate) fn core(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self::Core(format!("{}: {message}", kind.code()))
    }

    pub(crate) fn closed() -> Self {
        Self::core(ErrorKind::Closed, "the database handle is closed")
    }
}

fn kind_of_message(message: &str) -> Option<ErrorKind> {
    let code = message.split_once(':')?.0;
    CODES.iter().find(|(name, _)| *name == code).map(|(_, kind)| *kind)
}

fn sqlite_kind(error: &rusqlite::Error) -> ErrorKind {
    let rusqlite::Error::SqliteFailure(failure, message) = error else { return ErrorKind::Sqlite };
    if let Some(kind) = message.as_deref().and_then(kind_of_message) {
        return kind;
    }
    match failure.extended_code & 0xff {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => ErrorKind::Busy,
        ffi::SQLITE_READONLY => ErrorKind::ReadOnly,
        ffi::SQLITE_FULL => ErrorKind::Full,
        ffi::SQLITE_IOERR => ErrorKind::Io,
        ffi::SQLITE_CANTOPEN => ErrorKind::CantOpen,
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => ErrorKind::Corrupt,
        ffi::SQLITE_CONSTRAINT => ErrorKind::Constraint,
        ffi::SQLITE_INTERRUPT => ErrorKind::Interrupted,
        _ => ErrorKind::Sqlite,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => write!(f, "sqlite error: {error}"),
            Self::Json(error) => write!(f, "json error: {error}"),
            Self::Core(message) => write!(f, "core error: {message}"),
            Self::UpdateClosed => f.write_str("update channel closed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Sqlite(error) => Some(error),
            Self::Json(error) => Some(error),
            Self::Core(_) | Self::UpdateClosed => None,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_honker_gives_its_kind_and_any_other_gives_that_of_the_result_code() {
        let failure = |code, message: &str| {
            Error::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(message.to_owned())))
        };
        assert_eq!(failure(ffi::SQLITE_ERROR, "HONKER_WATCHER: cannot").kind(), ErrorKind::Watcher);
        assert_eq!(failure(ffi::SQLITE_BUSY, "database is locked").code(), "HONKER_BUSY");
        assert_eq!(failure(ffi::SQLITE_CONSTRAINT_UNIQUE, "UNIQUE: n").kind(), ErrorKind::Constraint);
        assert_eq!(failure(ffi::SQLITE_ERROR, "no such table: t").kind(), ErrorKind::Sqlite);
    }

    #[test]
    fn each_form_has_its_prefix() {
        assert_eq!(Error::closed().to_string(), "core error: HONKER_CLOSED: the database handle is closed");
        assert_eq!(Error::UpdateClosed.to_string(), "update channel closed");
        let error = Error::from(serde_json::from_str::<i64>("{").unwrap_err());
        assert!(error.to_string().starts_with("json error: "), "{error}");
        assert!(Error::from(rusqlite::Error::InvalidQuery).to_string().starts_with("sqlite error: "));
    }
}
