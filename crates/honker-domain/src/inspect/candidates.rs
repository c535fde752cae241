//! The ids of the jobs that can match a filter, where an index gives them cheaply.
//!
//! The indexes order jobs by time or by priority, not by id. So the ids are collected, if they are not too many, and sorted. If they
//! are too many, a walk over the table meets them soon, unless they are all old ones. Then, and if the index alone decides which jobs
//! match, all of the index is read for the greatest ids: SQLite compares each with the least that is wanted, and takes 0.1 us. So a
//! page is exact, and takes the time of the shorter way.

use std::cmp::Reverse;

use rusqlite::types::{ToSql, Value};
use rusqlite::{Row, params, params_from_iter};

use super::filter::{Filter, Range, Shown, Table};
use super::look::Look;
use crate::limits::{FINISHED_IDS, INSPECT_IDS, INSPECT_IDS_CHEAP, INSPECT_IDS_NEWEST, INSPECT_SAMPLES};
use crate::statements::Sql;
use crate::{Ctx, Result, sql};

/// Ids that can match, the greatest first.
pub(super) struct Candidates {
    pub(super) ids: Vec<i64>,
    /// The least of them, if there may be others with smaller ids.
    pub(super) cut_at: Option<i64>,
}

/// The candidates of a table with ids up to `greatest`; `None` if a walk over it is the better way.
pub(super) fn candidates(
    ctx: &Ctx<'_>,
    filter: &Filter,
    table: Table,
    greatest: i64,
    look: &Look,
) -> Result<Option<Candidates>> {
    if let Some(ids) = filter.named() {
        return Ok(Some(Found::of(ids, greatest, look).candidates()));
    }
    if table == Table::Finished {
        return of_finished(ctx, filter, greatest);
    }
    let is_decided = filter.is_decided_by_index(table);
    let mut found = Found::new(if is_decided { Way::Cheap } else { Way::All }, greatest, look);
    match of_indexes(ctx, filter, table, &mut found)? {
        Reading::NoIndex => return Ok(None),
        Reading::Whole => return Ok(Some(found.candidates())),
        Reading::TooMany => {}
    }
    if !is_decided || is_walk_shorter(ctx, filter, table, greatest)? {
        return Ok(None);
    }
    let mut found = Found::new(Way::Newest, greatest, look);
    let reading = of_indexes(ctx, filter, table, &mut found)?;
    look.allow_rows();
    Ok((reading == Reading::Whole).then(|| found.candidates()))
}

/// Finished jobs are the only ones with an index in the order of ids. Those of a large queue are walked if there is a further
/// condition.
fn of_finished(ctx: &Ctx<'_>, filter: &Filter, greatest: i64) -> Result<Option<Candidates>> {
    let Some(queue) = &filter.queue else { return Ok(None) };
    let mut statement = ctx.prepare(sql!("ids_finished.sql"))?;
    let mut rows = statement.cursor(params![queue, greatest, FINISHED_IDS])?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next()? {
        ids.push(row.get(0)?);
    }
    let is_cut = i64::try_from(ids.len()).is_ok_and(|count| count >= FINISHED_IDS);
    if is_cut && !filter.is_decided_by_index(Table::Finished) {
        return Ok(None);
    }
    let cut_at = if is_cut { ids.last().copied() } else { None };
    Ok(Some(Candidates { ids, cut_at }))
}

/// How far the indexes were read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// No index gives the ids.
    NoIndex,
    /// To the end.
    Whole,
    /// Until there were too many ids, or the time was over.
    TooMany,
}

impl Reading {
    const fn of(is_whole: bool) -> Self {
        if is_whole { Self::Whole } else { Self::TooMany }
    }
}

fn of_indexes(ctx: &Ctx<'_>, filter: &Filter, table: Table, found: &mut Found<'_>) -> Result<Reading> {
    match (table, &filter.queue) {
        (Table::Live, _) => of_live(ctx, filter, found),
        (Table::Dead, Some(queue)) => Ok(Reading::of(found.add(ctx, sql!("ids_dead.sql"), &[queue])?)),
        (Table::Dead | Table::Finished, _) => Ok(Reading::NoIndex),
    }
}

fn of_live(ctx: &Ctx<'_>, filter: &Filter, found: &mut Found<'_>) -> Result<Reading> {
    let queue = filter.queue.as_deref();
    let (first, last) = Range::of(queue).ends();
    if let (Some(queue), Some(key)) = (&queue, &filter.key) {
        return Ok(Reading::of(found.add(ctx, sql!("ids_key.sql"), &[queue, key])?));
    }
    let other = |found: &mut Found<'_>, state: Option<Shown>| {
        found.add(ctx, sql!("ids_other.sql"), &[&first, &last, &state.map(Shown::name)])
    };
    let is_whole = match (filter.state, queue) {
        (Some(Shown::Running), _) => found.add(ctx, sql!("ids_running.sql"), &[&first, &last])?,
        (Some(state @ (Shown::Blocked | Shown::Waiting)), _) => other(found, Some(state))?,
        (Some(state @ Shown::Delayed), _) => other(found, Some(state))? && of_time(ctx, queue, true, found)?,
        (Some(_), _) => of_time(ctx, queue, false, found)?,
        (None, Some(queue)) => {
            other(found, None)?
                && found.add(ctx, sql!("ids_running.sql"), &[&first, &last])?
                && found.add(ctx, sql!("ids_pending.sql"), &[&queue])?
        }
        (None, None) => return Ok(Reading::NoIndex),
    };
    Ok(Reading::of(is_whole))
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
        if !found.take() || !found.add(ctx, sql, &[&queue, &priority, &ctx.now()])? {
            return Ok(false);
        }
        above = priority;
    }
    Ok(true)
}

/// True if a walk by id meets matches sooner than the index is read, judged by jobs at equal distances. The second match counts:
/// one match may be alone.
fn is_walk_shorter(ctx: &Ctx<'_>, filter: &Filter, table: Table, greatest: i64) -> Result<bool> {
    let (ends, sample) = match table {
        Table::Live => (sql!("ends_live.sql"), sql!("sample_live.sql")),
        Table::Dead => (sql!("ends_dead.sql"), sql!("sample_dead.sql")),
        Table::Finished => return Ok(true),
    };
    let bounds = |row: &Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
    let Some((Some(least), Some(most))) = ctx.row(ends, [greatest], bounds)? else { return Ok(true) };
    let step = most.saturating_sub(least) / INSPECT_SAMPLES;
    let (mut matches, mut second) = (0, INSPECT_SAMPLES);
    for number in 0..INSPECT_SAMPLES {
        let given = params![
            most.saturating_sub(step.saturating_mul(number)),
            filter.queue,
            filter.state.map(Shown::name),
            ctx.now(),
            filter.key
        ];
        if ctx.row(sample, given, |row| row.get::<_, bool>(0))? == Some(true) {
            matches += 1;
            if matches == 2 {
                second = number;
            }
        }
    }
    Ok(second <= matches)
}

/// The ids so far.
struct Found<'a> {
    greatest: i64,
    ids: Vec<i64>,
    way: Way,
    /// The ids up to this one are of no use.
    above: i64,
    taken: usize,
    look: &'a Look,
}

/// How many ids are collected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// All, if they are not too many.
    All,
    /// All, if they are few.
    Cheap,
    /// The greatest.
    Newest,
}

impl<'a> Found<'a> {
    const fn new(way: Way, greatest: i64, look: &'a Look) -> Self {
        Self { greatest, ids: Vec::new(), way, above: i64::MIN, taken: 0, look }
    }

    fn of(mut ids: Vec<i64>, greatest: i64, look: &'a Look) -> Self {
        ids.retain(|id| *id <= greatest);
        Self { ids, ..Self::new(Way::All, greatest, look) }
    }

    /// Counts a step. False if there were too many.
    fn take(&mut self) -> bool {
        self.taken += 1;
        let is_checked = self.taken.is_multiple_of(16);
        match self.way {
            Way::All => self.taken <= INSPECT_IDS && !(is_checked && self.look.is_half_over()),
            Way::Cheap => self.taken <= INSPECT_IDS_CHEAP && !(is_checked && self.look.is_cheap_over()),
            Way::Newest => !(is_checked && self.look.is_index_over()),
        }
    }

    /// Adds the ids that a statement returns for the greatest id, the id of which they are above, and `given`. False if they are too
    /// many to be collected.
    ///
    /// The statement begins anew when it has returned more than are wanted: from then on SQLite leaves out the smaller ones.
    fn add(&mut self, ctx: &Ctx<'_>, sql: &'static Sql, given: &[&dyn ToSql]) -> Result<bool> {
        let mut has_begun_anew = false;
        let mut statement = ctx.prepare(sql)?;
        loop {
            let (greatest, above) = (self.greatest, self.above);
            let bounds: [&dyn ToSql; 2] = [&greatest, &above];
            let mut rows = statement.cursor(params_from_iter(bounds.iter().chain(given)))?;
            loop {
                let Some(row) = rows.next()? else { return Ok(true) };
                if !self.take() {
                    return Ok(false);
                }
                let id: i64 = row.get(0)?;
                if id > self.above && id <= self.greatest {
                    self.ids.push(id);
                }
                if self.way == Way::Newest && self.ids.len() >= 2 * INSPECT_IDS_NEWEST {
                    self.leave_newest();
                    if !has_begun_anew {
                        break;
                    }
                }
            }
            has_begun_anew = true;
        }
    }

    /// Forgets all but the greatest ids. An id is among them twice at most, by a statement that began anew.
    fn leave_newest(&mut self) {
        let last = INSPECT_IDS_NEWEST - 1;
        let (_, end, _) = self.ids.select_nth_unstable_by_key(last, |id| Reverse(*id));
        self.above = *end;
        self.ids.truncate(INSPECT_IDS_NEWEST);
    }

    fn candidates(mut self) -> Candidates {
        self.ids.sort_unstable_by_key(|id| Reverse(*id));
        self.ids.dedup();
        Candidates { ids: self.ids, cut_at: (self.above > i64::MIN).then_some(self.above) }
    }
}
