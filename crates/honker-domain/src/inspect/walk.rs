//! The walk over the jobs that match a filter, by id, the greatest first.
//!
//! Live jobs, dead letters and finished jobs are three tables; the walk merges them. A table is walked by its primary key, and each
//! row is tested; or only the candidates are looked at that an index gives.

use rusqlite::{Row, Rows, params_from_iter};
use serde::Serialize;

use super::candidates::{Candidates, candidates};
use super::filter::{Filter, Table};
use super::look::Look;
use crate::clock::{Instant, Span};
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
        let given = candidates(ctx, filter, *table, greatest, look)?;
        feeds.push(Feed::new(ctx, filter, *table, greatest, given, statement)?);
    }
    let (mut found, mut last) = (0, after);
    loop {
        // A restored file may have an id in two tables: the end of what is known comes after the jobs.
        let best = feeds
            .iter_mut()
            .filter(|feed| feed.head.is_some())
            .max_by_key(|feed| feed.head.map(|head| (head.id, !head.is_end)));
        let Some((feed, head)) = best.and_then(|feed| feed.head.take().map(|head| (feed, head))) else {
            return Ok(Walked { next: None, is_complete: true });
        };
        if found >= n || look.is_over() {
            return Ok(Walked { next: last, is_complete: found >= n });
        }
        if head.is_end {
            return Ok(Walked { next: Some(head.id), is_complete: false });
        }
        if head.is_match {
            look.count();
        } else {
            look.count_many();
        }
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

/// A job that was looked at. Most of those that do not match never leave SQLite.
#[derive(Clone, Copy)]
struct Head {
    id: i64,
    is_match: bool,
    created_at: Option<Instant>,
    /// No job, but the id up to which the candidates are known.
    is_end: bool,
}

impl Head {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let created_at = Instant::from_stored(row.get_ref(2)?);
        Ok(Self { id: row.get(0)?, is_match: row.get(1)?, created_at, is_end: false })
    }

    const fn end(id: i64) -> Self {
        Self { id, is_match: false, created_at: None, is_end: true }
    }
}

/// The jobs of one table, the next one looked at already.
struct Feed<'a, 'c> {
    table: Table,
    rest: Rest<'a, 'c>,
    head: Option<Head>,
    /// There may be others below this id, behind the last one.
    cut_at: Option<i64>,
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
        given: Option<Candidates>,
        statement: &'a mut Prepared<'c>,
    ) -> Result<Self> {
        let cut_at = given.as_ref().and_then(|given| given.cut_at);
        let rest = if let Some(given) = given {
            Rest::Ids(given.ids.into_iter(), statement)
        } else {
            let parameters = filter.parameters(i64::MIN, greatest, ctx.now());
            Rest::Rows(statement.cursor(params_from_iter(parameters))?)
        };
        let mut feed = Self { table, rest, head: None, cut_at };
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
                head.or_else(|| self.cut_at.take().map(Head::end))
            }
        };
        Ok(())
    }
}
