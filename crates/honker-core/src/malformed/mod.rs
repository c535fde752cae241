//! Rows that somebody edited into what cannot be understood.
//!
//! No operation is held up by such a row: a claim buries what it meets, a tick notes the reason on the schedule, a reader
//! marks the event. Some nobody ever meets, such as a waiting job whose `run_at` is a text. They are found here, by whoever
//! wants to know, because looking for them costs a pass over the tables that no operation should pay.

use rusqlite::{Connection, Row};
use serde::Serialize;

use crate::{Result, stored};

/// A row that cannot be understood.
#[derive(Debug, Serialize)]
pub struct MalformedRow {
    /// The table it is in.
    pub table: String,
    /// Its rowid there.
    pub row: i64,
    /// What is wrong with it.
    pub problem: String,
}

/// Up to `limit` rows that cannot be understood; a negative limit means all. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn rows(conn: &Connection, limit: i64) -> Result<Vec<MalformedRow>> {
    let mut statement = conn.prepare_cached(include_str!("rows.sql"))?;
    let rows = statement.query_map([limit], read)?.collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}

fn read(row: &Row<'_>) -> rusqlite::Result<MalformedRow> {
    // A schedule's own last_error may be anything, too.
    let problem = stored::text("last_error", row.get_ref(2)?).unwrap_or_else(|problem| problem);
    Ok(MalformedRow { table: row.get(0)?, row: row.get(1)?, problem })
}
