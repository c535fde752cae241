//! Reading columns that may have been edited by hand, where one bad row must not stop a reader.

use rusqlite::types::ValueRef;

/// The text of a column, or the reason why it is none, as a phrase that names the column.
pub(crate) fn text(column: &str, value: ValueRef<'_>) -> Result<String, String> {
    match value {
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(format!("{column} is not UTF-8: {error}")),
        },
        other => Err(format!("{column} is {}, not Text", other.data_type())),
    }
}

/// The same for a column that may be NULL.
pub(crate) fn optional_text(column: &str, value: ValueRef<'_>) -> Result<Option<String>, String> {
    if value == ValueRef::Null { Ok(None) } else { text(column, value).map(Some) }
}
