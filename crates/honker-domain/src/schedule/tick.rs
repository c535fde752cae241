//! Ticking: enqueueing a job for each boundary that has come.
//!
//! Invariant: each boundary fires at most once, and once more only if it comes on time again after the clock was set
//! back: see [`super::plan`]. A tick runs in one write transaction (the caller's bracket): the jobs and the schedule's
//! next boundary commit together, and of two tickers the second sees the boundary gone. If the process dies before
//! COMMIT, nothing fired and the next ticker fires it. A boundary is passed over, as its schedule may ask, by rows that
//! are read in the same transaction: a job that ends later ends after the tick.

use rusqlite::{Row, params};
use serde::Serialize;

use super::plan::{Place, Plan};
use super::{Misfire, Overlap, WhenPaused, boundary_after, latest_boundary, parse};
use crate::clock::{Instant, Span};
use crate::queue::{NewJob, enqueue, is_paused};
use crate::{Ctx, Error, Result, sql, stored};

/// A boundary that fired.
#[derive(Debug, Serialize)]
pub struct Fire {
    /// The schedule's name.
    pub name: String,
    /// The queue the job went to.
    pub queue: String,
    /// The boundary.
    pub fire_at: Instant,
    /// The job's id.
    pub job_id: i64,
}

/// Enqueues a job for every boundary at or before `until`, as each schedule's misfire policy says.
///
/// A schedule that cannot be understood is passed over, and the reason is stored in its `last_error`.
///
/// # Errors
/// Whatever SQLite reports.
pub fn tick(ctx: &Ctx<'_>, until: Instant) -> Result<Vec<Fire>> {
    let due = ctx.rows(sql!("due.sql"), params![until], |row| Ok((row.get::<_, i64>(0)?, Due::read(row))))?;
    let now = until.max(ctx.now());
    for (rowid, boundary) in too_far_ahead(ctx, now)? {
        ctx.change_one(sql!("rewind.sql"), params![rowid, boundary, now.rounded_down()])?;
    }
    let mut fires = Vec::new();
    for (rowid, schedule) in due {
        match schedule.and_then(|schedule| Ok((schedule.plan(until)?, schedule))) {
            Ok((plan, schedule)) => schedule.fire(ctx, rowid, &plan, &mut fires)?,
            Err(problem) => report(ctx, rowid, &problem)?,
        }
    }
    Ok(fires)
}

/// The first boundary of all schedules that are not paused; `None` without such a schedule. The second that has begun if
/// a tick has a schedule to rewind. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn soonest(ctx: &Ctx<'_>) -> Result<Option<Instant>> {
    let soonest = ctx.row(sql!("soonest.sql"), [], |row| Ok(Instant::from_stored(row.get_ref(0)?)))?.flatten();
    match soonest {
        Some(at) if at > ctx.now() && !too_far_ahead(ctx, ctx.now())?.is_empty() => Ok(Some(ctx.now().rounded_down())),
        _ => Ok(soonest),
    }
}

/// The schedules whose next boundary was stored by a clock that was ahead, and the boundary that they have instead.
fn too_far_ahead(ctx: &Ctx<'_>, now: Instant) -> Result<Vec<(i64, Instant)>> {
    let ahead = ctx.rows(sql!("ahead.sql"), params![now], |row| {
        let next_fire_at = Instant::from_stored(row.get_ref(3)?);
        Ok((
            row.get(0)?,
            stored::text("cron_expr", row.get_ref(1)?),
            row.get::<_, Option<String>>(2).ok(),
            next_fire_at,
        ))
    })?;
    let mut found = Vec::new();
    for (rowid, expression, time_zone, next_fire_at) in ahead {
        // One that cannot be understood is reported once its boundary comes.
        let (Ok(expression), Some(time_zone), Some(next_fire_at)) = (expression, time_zone, next_fire_at) else {
            continue;
        };
        let Ok(expression) = parse(&expression, time_zone.as_deref()) else { continue };
        if latest_boundary(&expression, now).is_ok_and(|latest| next_fire_at > latest) {
            found.push((rowid, boundary_after(&expression, now)?));
        }
    }
    Ok(found)
}

fn report(ctx: &Ctx<'_>, rowid: i64, problem: &Error) -> Result<()> {
    ctx.execute(sql!("report.sql"), params![rowid, problem.to_string()])?;
    Ok(())
}

/// A schedule with a boundary that has come.
struct Due {
    name: String,
    queue: String,
    expression: String,
    payload: String,
    priority: i64,
    expires_s: Option<i64>,
    max_attempts: i64,
    place: Place,
    time_zone: Option<String>,
    misfire: Misfire,
    overlap: Overlap,
    when_paused: WhenPaused,
    last_job_id: Option<i64>,
}

impl Due {
    /// Reads a row of `due.sql`; an error says why it cannot be understood.
    fn read(row: &Row<'_>) -> Result<Self> {
        let next_fire_at = Instant::from_stored(row.get_ref(8)?);
        Ok(Self {
            name: row.get(1)?,
            queue: row.get(2)?,
            expression: row.get(3)?,
            payload: row.get(4)?,
            priority: row.get(5)?,
            expires_s: row.get(6)?,
            max_attempts: row.get(7)?,
            place: Place {
                next_fire_at: next_fire_at
                    .ok_or_else(|| Error::MalformedRow("next_fire_at is no number".to_owned()))?,
                fired_before: Instant::from_stored(row.get_ref(14)?),
                set_back_at: Instant::from_stored(row.get_ref(15)?),
            },
            time_zone: row.get(9)?,
            misfire: policy(row, 10, "misfire", Misfire::from_name)?,
            overlap: policy(row, 11, "overlap", Overlap::from_name)?,
            when_paused: policy(row, 12, "when_paused", WhenPaused::from_name)?,
            last_job_id: row.get(13)?,
        })
    }

    fn plan(&self, until: Instant) -> Result<Plan> {
        Plan::of(&parse(&self.expression, self.time_zone.as_deref())?, &self.place, self.misfire, until)
    }

    /// Enqueues the planned jobs, but those that a policy passes over. Their expiry counts from the boundary, so that it
    /// drops late ones.
    fn fire(mut self, ctx: &Ctx<'_>, rowid: i64, plan: &Plan, fires: &mut Vec<Fire>) -> Result<()> {
        for fire_at in &plan.fire_at {
            if self.passes_over(ctx)? {
                continue;
            }
            let job_id = enqueue(
                ctx,
                &NewJob {
                    queue: &self.queue,
                    payload: &self.payload,
                    priority: self.priority,
                    run_at: None,
                    max_attempts: self.max_attempts,
                    expires_at: self.expires_s.map(|seconds| *fire_at + Span::from_seconds(seconds)),
                    flow: None,
                },
            )?;
            self.last_job_id = Some(job_id);
            fires.push(Fire { name: self.name.clone(), queue: self.queue.clone(), fire_at: *fire_at, job_id });
        }
        ctx.change_one(sql!("advance.sql"), params![rowid, plan.next_fire_at, self.last_job_id, plan.fired_before])
    }

    /// True if a boundary becomes no job now: its queue is paused, or the job of the last firing has not ended.
    fn passes_over(&self, ctx: &Ctx<'_>) -> Result<bool> {
        if self.when_paused == WhenPaused::Skip && is_paused(ctx, &self.queue)? {
            return Ok(true);
        }
        match (self.overlap, self.last_job_id) {
            (Overlap::Skip, Some(id)) => {
                Ok(ctx.row(sql!("unfinished.sql"), params![id, ctx.now()], |row| row.get(0))?.unwrap_or(false))
            }
            _ => Ok(false),
        }
    }
}

/// The policy in a column; an error names a value that is none.
fn policy<P>(row: &Row<'_>, index: usize, column: &str, from_name: fn(&str) -> Option<P>) -> Result<P> {
    let name: String = row.get(index)?;
    from_name(&name).ok_or_else(|| Error::MalformedRow(format!("there is no {column} policy {name:?}")))
}
