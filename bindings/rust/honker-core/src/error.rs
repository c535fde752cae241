//! Errors.

use std::fmt;

/// An error.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// SQLite, or a function of honker inside it, reported an error. A message of honker begins with a code, such as
    /// `HONKER_INVALID_ARGUMENT: `.
    Sqlite(rusqlite::Error),
    /// The pool was closed.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => write!(f, "sqlite error: {error}"),
            Self::Closed => f.write_str("HONKER_CLOSED: the pool of connections is closed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Sqlite(error) => Some(error),
            Self::Closed => None,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
