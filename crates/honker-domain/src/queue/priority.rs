//! The priority of a level of waiting jobs, of any stored type.
//!
//! A text or a blob may have been written into the column by hand, even a text that is not UTF-8. Such a level sorts
//! above all numbers, so a claim meets it first: it must dead-letter the jobs at that level and go on below.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, Value, ValueRef};

/// A stored priority of any type, bound again exactly as it was read.
#[derive(Debug)]
pub(super) enum Priority {
    /// An ordinary one, or a real number, which is malformed but harmless.
    Number(Value),
    /// A text in the database's own bytes, which need not be UTF-8.
    Text(Vec<u8>),
    /// A blob.
    Blob(Vec<u8>),
}

impl FromSql for Priority {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(match value {
            ValueRef::Text(bytes) => Self::Text(bytes.to_vec()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Self::Number(value.try_into()?),
        })
    }
}

impl ToSql for Priority {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Number(number) => number.into(),
            Self::Text(bytes) => ValueRef::Text(bytes),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
