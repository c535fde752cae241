//! The ids of the jobs that can match a filter, where an index gives them cheaply.
//!
//! The indexes order jobs by time or by priority, not by id. So the ids are collected, if they are not too many, and sorted. If they
//! are too many, they are no small part of the table, and a walk over it meets them soon enough.

use std::cmp::Reverse;

use rusqlite::types::Value;
use rusqlite::{Params, params};

use super::filter::{Filter, Range, Shown, Table};
use super::look::Look;
use crate::limits::{FINISHED_IDS, INSPECT_IDS};
use crate::statements::Sql;
use crate::{Ctx, Result, sql};

/// Ids that can match, the greatest first.
pub(super) struct Candidates {
    pub(super) ids: Vec<i64>,
    /// True if there may be others with smaller ids.
    pub(super) is_cut: bool,
}

/// The candidates of a table with ids up to `greatest`; `None` if no index gives them.
pub(super) fn candidates(
    ctx: &Ctx<'_>,
    filter: &Filter,
    table: Table,
    greatest: i64,
    look: &Look,
) -> Result<Option<Candidates>> {
    let mut found = Found { greatest, ids: Vec::new(), left: INSPECT_IDS, look };
    let named = filter.named();
    let is_named = named.is_some();
    let is_whole = match (named, table, &filter.queue) {
        (Some(ids), ..) => {
            found.ids.extend(ids.into_iter().filter(|id| *id <= greatest));
            true
        }
        (None, Table::Live, _) => of_live(ctx, filter, &mut found)?,
        (None, Table::Dead, Some(queue)) => found.add(ctx, sql!("ids_dead.sql"), [queue])?,
        (None, Table::Finished, Some(queue)) => {
            found.add(ctx, sql!("ids_finished.sql"), params![queue, greatest, FINISHED_IDS])?
        }
        (None, Table::Dead | Table::Finished, None) => false,
    };
    let is_cut = table == Table::Finished && i64::try_from(found.ids.len()).is_ok_and(|count| count >= FINISHED_IDS);
    Ok(is_whole.then(|| Candidates { ids: found.descending(), is_cut: is_cut && !is_named }))
}

fn of_live(ctx: &Ctx<'_>, filter: &Filter, found: &mut Found<'_>) -> Result<bool> {
    let queue = filter.queue.as_deref();
    let (first, last) = Range::of(queue).ends();
    if let (Some(queue), Some(key)) = (queue, &filter.key) {
        return found.add(ctx, sql!("ids_key.sql"), [queue, key]);
    }
    let other = |found: &mut Found<'_>, state: Option<Shown>| {
        found.add(ctx, sql!("ids_other.sql"), params![first, last, state.map(Shown::name)])
    };
    match (filter.state, queue) {
        (Some(Shown::Running), _) => found.add(ctx, sql!("ids_running.sql"), params![first, last]),
        (Some(state @ (Shown::Blocked | Shown::Waiting)), _) => other(found, Some(state)),
        (Some(state @ Shown::Delayed), _) => Ok(other(found, Some(state))? && of_time(ctx, queue, true, found)?),
        (Some(_), _) => of_time(ctx, queue, false, found),
        (None, Some(queue)) => Ok(other(found, None)?
            && found.add(ctx, sql!("ids_running.sql"), params![first, last])?
            && found.add(ctx, sql!("ids_pending.sql"), [queue])?),
        (None, None) => Ok(false),
    }
}

/// The pending jobs that are due, or that are not, of a queue or of all: a range of each priority.
fn of_time(ctx: &Ctx<'_>, queue: Option<&str>, is_delayed: bool, found: &mut Found<'_>) -> Result<bool> {
    if let Some(queue) = queue {
        return of_levels(ctx, queue, is_delayed, found);
    }
    let mut after = String::new();
    while let Some(next) = ctx.row(sql!("queue_next.sql"), [&after], |row| row.get::<_, Value>(0))? {
        // A name that is no text was written by hand, and sorts after every text.
        let Value::Text(next) = next else { break };
        if !of_levels(ctx, &next, is_delayed, found)? {
            return Ok(false);
        }
        after = next;
    }
    Ok(true)
}

fn of_levels(ctx: &Ctx<'_>, queue: &str, is_delayed: bool, found: &mut Found<'_>) -> Result<bool> {
    let sql = if is_delayed { sql!("ids_undue.sql") } else { sql!("ids_due.sql") };
    let mut above = Value::Blob(Vec::new());
    while let Some(priority) = ctx.row(sql!("level_next.sql"), params![queue, above], |row| row.get::<_, Value>(0))? {
        if !found.take() || !found.add(ctx, sql, params![queue, priority, ctx.now()])? {
            return Ok(false);
        }
        above = priority;
    }
    Ok(true)
}

/// The ids so far.
struct Found<'a> {
    greatest: i64,
    ids: Vec<i64>,
    left: usize,
    look: &'a Look,
}

impl Found<'_> {
    /// Counts a step. False if there were too many.
    fn take(&mut self) -> bool {
        if self.left == 0 || (self.left.is_multiple_of(256) && self.look.is_half_over()) {
            return false;
        }
        self.left -= 1;
        true
    }

    /// Adds the ids that a statement returns. False if they are too many to be collected.
    fn add(&mut self, ctx: &Ctx<'_>, sql: &'static Sql, params: impl Params) -> Result<bool> {
        let mut statement = ctx.prepare(sql)?;
        let mut rows = statement.cursor(params)?;
        while let Some(row) = rows.next()? {
            if !self.take() {
                return Ok(false);
            }
            let id: i64 = row.get(0)?;
            if id <= self.greatest {
                self.ids.push(id);
            }
        }
        Ok(true)
    }

    fn descending(mut self) -> Vec<i64> {
        self.ids.sort_unstable_by_key(|id| Reverse(*id));
        self.ids.dedup();
        self.ids
    }
}
