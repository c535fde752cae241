//! The parents of a job, for its handler and for inspection. Reads only.

use rusqlite::params;
use serde::Serialize;

use crate::{Ctx, Result, sql};

/// A job that another one waits for, or has waited for.
#[derive(Debug, Serialize)]
pub struct Parent {
    /// The job's id.
    pub job_id: i64,
    /// `done`, `dead` or `cancelled`; `None` while it has not ended.
    pub state: Option<String>,
    /// The result that it has saved, if it is done.
    pub result: Option<String>,
    /// The error, if it is dead.
    pub error: Option<String>,
}

/// The parents of a job that has not ended, in the order in which it has named them.
///
/// # Errors
/// Whatever SQLite reports.
pub fn parents(ctx: &Ctx<'_>, child: i64) -> Result<Vec<Parent>> {
    let mut found = ctx.rows(sql!("dependencies_parents.sql"), params![child, ctx.now()], |row| {
        let parent = Parent { job_id: row.get(1)?, state: row.get(2)?, result: row.get(3)?, error: row.get(4)? };
        Ok((row.get::<_, i64>(0)?, parent))
    })?;
    found.sort_by_key(|(position, _)| *position);
    Ok(found.into_iter().map(|(_, parent)| parent).collect())
}
