//! Rows that were edited by hand and cannot be understood.
//!
//! No operation stops at such a row: a claim dead-letters it, a tick notes the reason on the schedule, a reader marks the event.
//! Some rows are never met, such as a waiting job whose `run_at` is a text. They are found here only, because looking for
//! them takes a pass over the tables.

use rusqlite::Row;
use serde::Serialize;

use crate::{Ctx, Result, sql, stored};

/// A row that cannot be understood.
#[derive(Debug, Serialize)]
pub struct MalformedRow {
    /// The table it is in.
    pub table: String,
    /// Its rowid there.
    pub row: i64,
    /// Why it cannot be understood.
    pub problem: String,
}

/// Up to `limit` rows that cannot be understood; a negative limit means all. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn rows(ctx: &Ctx<'_>, limit: i64) -> Result<Vec<MalformedRow>> {
    ctx.rows(sql!("rows.sql"), [limit], read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<MalformedRow> {
    // The last_error of a schedule may be malformed, too.
    let problem = stored::text("last_error", row.get_ref(2)?).unwrap_or_else(|problem| problem);
    Ok(MalformedRow { table: row.get(0)?, row: row.get(1)?, problem })
}
