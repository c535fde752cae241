//! The check of the invariants of flow control, for maintenance and for tests. Reads only, and whole tables.
//!
//! The invariants are those of `dependencies` and `keys`. A file that only honker of this version writes has no violation
//! after any commit. Another program, or a statement by hand, may leave some: claims that find nothing and sweeps mend
//! those that would keep jobs waiting.

use rusqlite::Row;
use serde::Serialize;

use super::{keys, lost_parents};
use crate::{Ctx, Result, sql};

/// A place where an invariant does not hold.
#[derive(Debug, Serialize)]
pub struct Violation {
    /// `waiting_without_parent`, `lost_parent`, `wrong_count`, `edge_without_child`, `failure_without_effect`,
    /// `outcome_without_child` or `stranded_key`.
    pub kind: &'static str,
    /// The job.
    pub job_id: Option<i64>,
    /// The queue's name.
    pub queue: Option<String>,
    /// The key of the job, or the stranded one.
    pub key: Option<String>,
    /// The difference.
    pub problem: String,
}

/// Up to `limit` violations.
///
/// # Errors
/// Whatever SQLite reports.
pub fn violations(ctx: &Ctx<'_>, limit: usize) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    for check in [of_waiting, of_edges, of_outcomes, of_keys] {
        if found.len() < limit {
            check(ctx, limit, &mut found)?;
        }
    }
    Ok(found)
}

fn text(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<String>> {
    Ok(row.get_ref(index)?.as_str().ok().map(str::to_owned))
}

fn of_waiting(ctx: &Ctx<'_>, limit: usize, found: &mut Vec<Violation>) -> Result<()> {
    let mut statement = ctx.prepare(sql!("violations_waiting.sql"))?;
    let mut rows = statement.cursor([])?;
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let (id, open) = (row.get::<_, i64>(0)?, row.get::<_, i64>(4)?);
        let counted = row.get_ref(3)?.as_i64().ok();
        let (kind, problem) = if open == 0 {
            (
                "waiting_without_parent",
                format!("the job waits, and all of its parents have ended; waiting_for is {counted:?}"),
            )
        } else if counted != Some(open) {
            ("wrong_count", format!("{open} of its parents have not ended, and waiting_for is {counted:?}"))
        } else if let Some((parent, _)) = lost_parents::lost_parent(ctx, id)? {
            ("lost_parent", format!("the job waits for job {parent}, which has ended or is gone"))
        } else {
            continue;
        };
        found.push(Violation { kind, job_id: Some(id), queue: text(row, 1)?, key: text(row, 2)?, problem });
    }
    Ok(())
}

fn of_edges(ctx: &Ctx<'_>, limit: usize, found: &mut Vec<Violation>) -> Result<()> {
    let mut statement = ctx.prepare(sql!("violations_edges.sql"))?;
    let mut rows = statement.cursor([])?;
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let (parent, child): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (kind, problem) = match text(row, 2)? {
            None => ("edge_without_child", format!("the job is gone, and is still tied to its parent {parent}")),
            Some(state) => {
                ("failure_without_effect", format!("its parent {parent} has failed, and the job is {state}"))
            }
        };
        found.push(Violation { kind, job_id: Some(child), queue: text(row, 3)?, key: text(row, 4)?, problem });
    }
    Ok(())
}

fn of_outcomes(ctx: &Ctx<'_>, limit: usize, found: &mut Vec<Violation>) -> Result<()> {
    let mut statement = ctx.prepare(sql!("violations_outcomes.sql"))?;
    let mut rows = statement.cursor([])?;
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let problem = "the end of the job is kept, and no job is tied to it".to_owned();
        let job_id = Some(row.get(0)?);
        found.push(Violation { kind: "outcome_without_child", job_id, queue: None, key: None, problem });
    }
    Ok(())
}

fn of_keys(ctx: &Ctx<'_>, limit: usize, found: &mut Vec<Violation>) -> Result<()> {
    let blocked = ctx.rows(sql!("violations_keys.sql"), [], |row| Ok((text(row, 0)?, text(row, 1)?)))?;
    for (queue, key) in blocked {
        let (Some(queue), Some(key)) = (queue, key) else { continue };
        if found.len() >= limit {
            break;
        }
        if keys::is_stranded(ctx, &queue, &key)? {
            let problem = "jobs of the key are blocked, it has room, and none of them is a candidate".to_owned();
            found.push(Violation { kind: "stranded_key", job_id: None, queue: Some(queue), key: Some(key), problem });
        }
    }
    Ok(())
}
