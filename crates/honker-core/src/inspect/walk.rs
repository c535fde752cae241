//! The walk over the jobs that match a filter, by id, the greatest first.
//!
//! Live jobs, dead letters and finished jobs are three tables; the walk merges them. A table is walked by its primary key, and each
//! row is tested. Where an index gives the few ids that can match (the jobs in flight, those of a queue), these are collected and
//! looked at instead: the index orders them by time or by priority, not by id.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rusqlite::{Params, Row, Rows, params, params_from_iter};
use serde::Serialize;

use super::filter::{Filter, Range, Shown, Table};
use super::look::Look;
use crate::clock::{Instant, Span};
use crate::limits::{INSPECT_IDS, INSPECT_ROWS};
use crate::statements::{Prepared, Sql};
use crate::{Ctx, Result, sql};

/// How much later than it a job may have been enqueued whose id is smaller: by a clock that was set back.
const CLOCK_MARGIN: Span = Span::from_seconds(3_600);

/// The end of a walk.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Walked {
    /// The id below which the walk goes on; `None` if it has seen all.
    pub next: Option<i64>,
    /// False if the bound of the call has ended it, and there may be more matches than were asked for.
    pub is_complete: bool,
}

/// Visits up to `n` matches in these tables with ids below `after`.
pub(super) fn walk(
    ctx: &Ctx<'_>,
    filter: &Filter,
    tables: &[Table],
    after: Option<i64>,
    n: usize,
    look: &mut Look,
    mut visit: impl FnMut(Table, i64) -> Result<()>,
) -> Result<Walked> {
    let Some(greatest) = after.unwrap_or(i64::MAX).checked_sub(i64::from(after.is_some())) else {
        return Ok(Walked { next: None, is_complete: true });
    };
    let mut statements = tables.iter().map(|table| ctx.prepare(test_of(*table))).collect::<Result<Vec<_>>>()?;
    let mut feeds = Vec::with_capacity(tables.len());
    for (table, statement) in tables.iter().zip(&mut statements) {
        let ids = candidates(ctx, filter, *table, greatest, look)?;
        feeds.push(Feed::new(ctx, filter, *table, greatest, ids, statement)?);
    }
    let (mut found, mut last) = (0, after);
    loop {
        let best = feeds.iter_mut().filter(|feed| feed.head.is_some()).max_by_key(|feed| feed.head.map(|head| head.id));
        let Some((feed, head)) = best.and_then(|feed| feed.head.take().map(|head| (feed, head))) else {
            return Ok(Walked { next: None, is_complete: true });
        };
        if found >= n || look.is_over() {
            return Ok(Walked { next: last, is_complete: found >= n });
        }
        look.count();
        last = Some(head.id);
        if filter.since.is_some_and(|since| head.created_at.is_some_and(|at| at + CLOCK_MARGIN < since)) {
            continue; // Those of this table with smaller ids are older.
        }
        if head.is_match {
            visit(feed.table, head.id)?;
            found += 1;
        }
        feed.advance(ctx, filter)?;
    }
}

const fn test_of(table: Table) -> &'static Sql {
    match table {
        Table::Live => sql!("look_live.sql"),
        Table::Dead => sql!("look_dead.sql"),
        Table::Finished => sql!("look_finished.sql"),
    }
}

/// A job that was looked at.
#[derive(Clone, Copy)]
struct Head {
    id: i64,
    is_match: bool,
    created_at: Option<Instant>,
}

impl Head {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, is_match: row.get(1)?, created_at: Instant::from_stored(row.get_ref(2)?) })
    }
}

/// The jobs of one table, the next one looked at already.
struct Feed<'a, 'c> {
    table: Table,
    rest: Rest<'a, 'c>,
    head: Option<Head>,
}

enum Rest<'a, 'c> {
    Rows(Rows<'a>),
    Ids(std::vec::IntoIter<i64>, &'a mut Prepared<'c>),
}

impl<'a, 'c> Feed<'a, 'c> {
    fn new(
        ctx: &Ctx<'_>,
        filter: &Filter,
        table: Table,
        greatest: i64,
        ids: Option<Vec<i64>>,
        statement: &'a mut Prepared<'c>,
    ) -> Result<Self> {
        let rest = if let Some(ids) = ids {
            Rest::Ids(ids.into_iter(), statement)
        } else {
            let parameters = filter.parameters(i64::MIN, greatest, ctx.now());
            Rest::Rows(statement.cursor(params_from_iter(parameters))?)
        };
        let mut feed = Self { table, rest, head: None };
        feed.advance(ctx, filter)?;
        Ok(feed)
    }

    fn advance(&mut self, ctx: &Ctx<'_>, filter: &Filter) -> Result<()> {
        self.head = match &mut self.rest {
            Rest::Rows(rows) => rows.next()?.map(Head::read).transpose()?,
            Rest::Ids(ids, statement) => {
                let mut head = None;
                while head.is_none()
                    && let Some(id) = ids.next()
                {
                    head = statement.row(params_from_iter(filter.parameters(id, id, ctx.now())), Head::read)?;
                }
                head
            }
        };
        Ok(())
    }
}

/// The ids that can match, the greatest first, if an index tells them cheaply: at most so many that the bound of the call ends
/// the walk before they are all looked at.
fn candidates(ctx: &Ctx<'_>, filter: &Filter, table: Table, greatest: i64, look: &Look) -> Result<Option<Vec<i64>>> {
    if let Some(ids) = &filter.ids {
        let mut ids: Vec<i64> = ids.iter().copied().filter(|id| *id <= greatest).collect();
        ids.sort_unstable_by_key(|id| Reverse(*id));
        ids.dedup();
        return Ok(Some(ids));
    }
    let mut ids = Ids { greatest, best: BinaryHeap::new(), left: INSPECT_IDS, look };
    let queue = filter.queue.as_deref();
    let is_whole = match (table, queue) {
        (Table::Live, _) => live_candidates(ctx, filter, &mut ids)?,
        (Table::Dead, Some(queue)) => ids.add(ctx, sql!("ids_dead.sql"), [queue])?,
        (Table::Finished, Some(queue)) => {
            let limit = i64::try_from(INSPECT_ROWS).unwrap_or(i64::MAX).saturating_add(1);
            ids.add(ctx, sql!("ids_finished.sql"), params![queue, greatest, limit])?
        }
        (Table::Dead | Table::Finished, None) => false,
    };
    Ok(is_whole.then(|| ids.descending()))
}

fn live_candidates(ctx: &Ctx<'_>, filter: &Filter, ids: &mut Ids<'_>) -> Result<bool> {
    let (first, last) = Range::of(filter.queue.as_deref()).ends();
    if let (Some(queue), Some(key)) = (&filter.queue, &filter.key) {
        return ids.add(ctx, sql!("ids_key.sql"), [queue, key]);
    }
    let is_delayed = match filter.state {
        None if filter.queue.is_none() => return Ok(false),
        None => None,
        Some(Shown::Running) => return ids.add(ctx, sql!("ids_running.sql"), params![first, last]),
        Some(state @ (Shown::Blocked | Shown::Waiting)) => {
            return ids.add(ctx, sql!("ids_other.sql"), params![first, last, state.name()]);
        }
        Some(state) => Some(state == Shown::Delayed),
    };
    Ok(ids.add(ctx, sql!("ids_pending.sql"), params![first, last, is_delayed, ctx.now()])?
        && (is_delayed == Some(false)
            || ids.add(ctx, sql!("ids_other.sql"), params![first, last, is_delayed.map(|_| Shown::Delayed.name())])?)
        && (is_delayed.is_some() || ids.add(ctx, sql!("ids_running.sql"), params![first, last])?))
}

/// The greatest ids of those that indexes give.
struct Ids<'a> {
    greatest: i64,
    best: BinaryHeap<Reverse<i64>>,
    left: usize,
    look: &'a Look,
}

impl Ids<'_> {
    /// Adds the ids that a statement returns. False if they are too many to be collected.
    fn add(&mut self, ctx: &Ctx<'_>, sql: &'static Sql, params: impl Params) -> Result<bool> {
        let mut statement = ctx.prepare(sql)?;
        let mut rows = statement.cursor(params)?;
        while let Some(row) = rows.next()? {
            if self.left == 0 || (self.left.is_multiple_of(1_024) && self.look.is_late(2)) {
                return Ok(false);
            }
            self.left -= 1;
            let id: i64 = row.get(0)?;
            if id > self.greatest {
                continue;
            }
            // One more than a call looks at: the walk then ends before the list does.
            if self.best.len() <= INSPECT_ROWS {
                self.best.push(Reverse(id));
            } else if self.best.peek().is_some_and(|least| least.0 < id) {
                self.best.pop();
                self.best.push(Reverse(id));
            }
        }
        Ok(true)
    }

    fn descending(self) -> Vec<i64> {
        self.best.into_sorted_vec().into_iter().map(|Reverse(id)| id).collect()
    }
}
