//! All facts about one job.

use rusqlite::{Row, params};
use serde::Serialize;

use super::filter::Table;
use super::summary::{Summary, summary};
use super::workflows::workflow_of;
use crate::clock::Instant;
use crate::limits::RELATIVES_SHOWN;
use crate::queue::{self, Attempt};
use crate::statements::Sql;
use crate::{Ctx, Result, result, sql};

/// Another job, to which an edge leads.
#[derive(Debug, Serialize)]
pub struct Relative {
    /// Its id.
    pub job_id: i64,
    /// The end of the parent: `done`, `dead`, `cancelled`, or `None` until it has ended.
    pub outcome: Option<String>,
}

/// A job with all that is known of it.
#[derive(Debug, Serialize)]
pub struct Detail {
    /// As in a list, but for payload and error, which are whole.
    #[serde(flatten)]
    pub summary: Summary,
    /// One job of it may exist in the queue.
    pub unique_key: Option<String>,
    /// The last instant of the lease.
    pub claim_expires_at: Option<Instant>,
    /// From when on it is dead-lettered instead of claimed.
    pub expires_at: Option<Instant>,
    /// When its worker was asked to end it.
    pub cancel_requested_at: Option<Instant>,
    /// How often it was put off.
    pub snoozes: i64,
    /// Since when workers have put it back because they do not know its task.
    pub unknown_since: Option<Instant>,
    /// Its attempts that did not end in success.
    pub history: Vec<Attempt>,
    /// The jobs that it waits for, or has waited for; those first that have not ended.
    pub parents: Vec<Relative>,
    /// False if there may be more.
    pub parents_is_exact: bool,
    /// The jobs that wait for it, or have waited.
    pub children: Vec<Relative>,
    /// False if there may be more.
    pub children_is_exact: bool,
    /// The id of the recorded workflow that it belongs to.
    pub workflow: Option<i64>,
    /// The result that it has saved: JSON text.
    pub result: Option<String>,
    /// Why it is not running, or how it ended, in words.
    pub why: String,
}

/// The job of this id, live, dead or finished and kept. Reads only, in a snapshot of the caller.
///
/// # Errors
/// Whatever SQLite reports.
pub fn detail(ctx: &Ctx<'_>, id: i64) -> Result<Option<Detail>> {
    for (table, sql) in [
        (Table::Live, sql!("detail_live.sql")),
        (Table::Dead, sql!("detail_dead.sql")),
        (Table::Finished, sql!("detail_finished.sql")),
    ] {
        if let Some(summary) = summary(ctx, table, id)?
            && let Some(mut detail) = ctx.row(sql, [id], |row| read(row, summary))?
        {
            complete(ctx, table, &mut detail)?;
            return Ok(Some(detail));
        }
    }
    Ok(None)
}

fn read(row: &Row<'_>, summary: Summary) -> rusqlite::Result<Detail> {
    let text = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_str().ok().map(str::to_owned));
    let instant = |index| Ok::<_, rusqlite::Error>(Instant::from_stored(row.get_ref(index)?));
    Ok(Detail {
        summary: Summary { payload: text(0)?.unwrap_or_default(), error: text(1)?, ..summary },
        unique_key: text(2)?,
        claim_expires_at: instant(3)?,
        expires_at: instant(4)?,
        cancel_requested_at: instant(5)?,
        snoozes: row.get_ref(6)?.as_i64().unwrap_or(0),
        unknown_since: instant(7)?,
        history: Vec::new(),
        parents: Vec::new(),
        parents_is_exact: true,
        children: Vec::new(),
        children_is_exact: true,
        workflow: None,
        result: None,
        why: String::new(),
    })
}

fn complete(ctx: &Ctx<'_>, table: Table, detail: &mut Detail) -> Result<()> {
    let id = detail.summary.id;
    detail.history = queue::attempts(ctx, id)?;
    (detail.parents, detail.parents_is_exact) = relatives(ctx, sql!("parents.sql"), id)?;
    (detail.children, detail.children_is_exact) = relatives(ctx, sql!("children.sql"), id)?;
    detail.workflow = workflow_of(ctx, id)?;
    detail.result = result::get(ctx, id)?;
    detail.why = match table {
        Table::Live => queue::why(ctx, id)?.unwrap_or_default(),
        Table::Dead | Table::Finished => {
            let ended = detail.summary.ended_at.map_or_else(String::new, |at| format!(" at {at}"));
            format!("it has ended: {}{ended}", detail.summary.state)
        }
    };
    Ok(())
}

fn relatives(ctx: &Ctx<'_>, sql: &'static Sql, id: i64) -> Result<(Vec<Relative>, bool)> {
    let limit = usize::try_from(RELATIVES_SHOWN).unwrap_or(usize::MAX);
    let mut found = ctx.rows(sql, params![id, RELATIVES_SHOWN + 1], |row| {
        Ok(Relative { job_id: row.get(0)?, outcome: row.get_ref(1)?.as_str().ok().map(str::to_owned) })
    })?;
    let is_exact = found.len() <= limit;
    found.truncate(limit);
    Ok((found, is_exact))
}
