//! Keeping schedules.

use rusqlite::{Row, params};
use serde::Serialize;

use super::{Misfire, Overlap, WhenPaused, boundary_after, latest_boundary, parse, sharing};
use crate::clock::Instant;
use crate::{Ctx, Result, sql, stored};

/// A schedule to keep.
#[derive(Debug, Clone, Copy)]
pub struct NewSchedule<'a> {
    /// The schedule's name; one that exists is replaced.
    pub name: &'a str,
    /// The queue its jobs go to.
    pub queue: &'a str,
    /// A cron expression or `@every` interval.
    pub expression: &'a str,
    /// The payload of its jobs: JSON text.
    pub payload: &'a str,
    /// The priority of its jobs.
    pub priority: i64,
    /// Seconds after its boundary from which a job is not claimed any more.
    pub expires_s: Option<i64>,
    /// The attempts of its jobs.
    pub max_attempts: i64,
    /// An IANA time zone; `None` for the zone of the process that ticks.
    pub time_zone: Option<&'a str>,
    /// The policy for boundaries that passed without a tick.
    pub misfire: Misfire,
    /// The policy for a boundary that comes before the last job has ended.
    pub overlap: Overlap,
    /// The policy for a boundary that comes while the queue is paused.
    pub when_paused: WhenPaused,
}

/// A schedule as it is kept.
#[derive(Debug, Serialize)]
pub struct Schedule {
    /// The schedule's name.
    pub name: String,
    /// The queue its jobs go to.
    pub queue: String,
    /// A cron expression or `@every` interval.
    pub cron_expr: String,
    /// The payload of its jobs: JSON text.
    pub payload: String,
    /// The priority of its jobs.
    pub priority: i64,
    /// Seconds after its boundary from which a job is not claimed any more.
    pub expires_s: Option<i64>,
    /// The next boundary.
    pub next_fire_at: Option<Instant>,
    /// False while it is paused.
    pub enabled: bool,
    /// The attempts of its jobs.
    pub max_attempts: i64,
    /// An IANA time zone; `None` for the zone of the process that ticks.
    pub time_zone: Option<String>,
    /// The misfire policy's name.
    pub misfire: String,
    /// Why the last tick passed it over.
    pub last_error: Option<String>,
    /// The overlap policy's name.
    pub overlap: String,
    /// The name of the policy for a paused queue.
    pub when_paused: String,
    /// The job that the last firing enqueued.
    pub last_job_id: Option<i64>,
}

/// Changes to a schedule: `None` leaves a property as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change<'a> {
    /// A new expression; moves the next boundary.
    pub expression: Option<&'a str>,
    /// A new payload.
    pub payload: Option<&'a str>,
    /// A new priority.
    pub priority: Option<i64>,
    /// A new expiry; `Some(None)` removes it.
    pub expires_s: Option<Option<i64>>,
    /// A new number of attempts.
    pub max_attempts: Option<i64>,
    /// A new time zone; `Some(None)` returns to that of the process. Moves the next boundary.
    pub time_zone: Option<Option<&'a str>>,
    /// A new misfire policy.
    pub misfire: Option<Misfire>,
    /// A new overlap policy.
    pub overlap: Option<Overlap>,
    /// A new policy for a paused queue.
    pub when_paused: Option<WhenPaused>,
}

impl Change<'_> {
    fn is_empty(&self) -> bool {
        self.expression.is_none()
            && self.payload.is_none()
            && self.priority.is_none()
            && self.expires_s.is_none()
            && self.max_attempts.is_none()
            && self.time_zone.is_none()
            && self.misfire.is_none()
            && self.overlap.is_none()
            && self.when_paused.is_none()
    }
}

/// Keeps a schedule, replacing one of that name. Run in a transaction: it looks if the file is shared, and then writes.
///
/// The next boundary is kept while expression and time zone stay the same: applications register at every start, and a
/// new boundary would drop those that passed while the application was down. One that a clock stored which was ahead is not
/// kept: see [`latest_boundary`]. A paused schedule stays paused.
///
/// # Errors
/// `HONKER_INVALID_ARGUMENT` for an expression or time zone that cannot be understood; nothing is written then.
pub fn register(ctx: &Ctx<'_>, schedule: &NewSchedule<'_>) -> Result<()> {
    let parsed = parse(schedule.expression, schedule.time_zone)?;
    let next_fire_at = boundary_after(&parsed, ctx.now())?;
    let expression = sharing::stored(ctx, schedule.expression)?;
    let params = params![
        schedule.name,
        schedule.queue,
        expression,
        schedule.payload,
        schedule.priority,
        schedule.expires_s,
        schedule.max_attempts,
        schedule.time_zone,
        schedule.misfire.name(),
        next_fire_at,
        latest_boundary(&parsed, ctx.now())?,
        schedule.overlap.name(),
        schedule.when_paused.name(),
        ctx.now().rounded_down(),
    ];
    ctx.change_one(sql!("register.sql"), params)
}

/// Removes a schedule. True if there was one. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn unregister(ctx: &Ctx<'_>, name: &str) -> Result<bool> {
    Ok(ctx.execute(sql!("unregister.sql"), [name])? == 1)
}

/// Stops a schedule from firing. False if it was paused already. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn pause(ctx: &Ctx<'_>, name: &str) -> Result<bool> {
    set_enabled(ctx, name, false)
}

/// Lets a paused schedule fire again, from the boundary it had come to. True if it was paused. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn resume(ctx: &Ctx<'_>, name: &str) -> Result<bool> {
    set_enabled(ctx, name, true)
}

fn set_enabled(ctx: &Ctx<'_>, name: &str, enabled: bool) -> Result<bool> {
    Ok(ctx.execute(sql!("set_enabled.sql"), params![name, enabled])? == 1)
}

/// Every schedule, by name. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(ctx: &Ctx<'_>) -> Result<Vec<Schedule>> {
    ctx.rows(sql!("list.sql"), [], listed)
}

/// A row as it is. If it was edited into the wrong types, the columns that can be read, with the reason in `last_error`.
fn listed(row: &Row<'_>) -> rusqlite::Result<Schedule> {
    let text = |index, column| Ok::<_, rusqlite::Error>(stored::text(column, row.get_ref(index)?));
    let optional_text = |index, column| Ok::<_, rusqlite::Error>(stored::optional_text(column, row.get_ref(index)?));
    let (name, queue, cron_expr) = (text(0, "name")?, text(1, "queue")?, text(2, "cron_expr")?);
    let (payload, misfire) = (text(3, "payload")?, text(10, "misfire")?);
    let (overlap, when_paused) = (text(12, "overlap")?, text(13, "when_paused")?);
    let (time_zone, last_error) = (optional_text(9, "time_zone")?, optional_text(11, "last_error")?);
    let (priority, max_attempts) = (row.get::<_, i64>(4), row.get::<_, i64>(8));
    let (expires_s, last_job_id) = (row.get::<_, Option<i64>>(5), row.get::<_, Option<i64>>(14));
    let texts = [&name, &queue, &cron_expr, &payload, &misfire, &overlap, &when_paused];
    let problem = texts.into_iter().find_map(|text| text.as_ref().err());
    let problem = problem.or(time_zone.as_ref().err()).or(last_error.as_ref().err()).cloned();
    let numbers =
        [priority.as_ref().err(), max_attempts.as_ref().err(), expires_s.as_ref().err(), last_job_id.as_ref().err()];
    let problem = problem.or_else(|| numbers.into_iter().flatten().next().map(ToString::to_string));
    Ok(Schedule {
        name: name.unwrap_or_default(),
        queue: queue.unwrap_or_default(),
        cron_expr: cron_expr.unwrap_or_default(),
        payload: payload.unwrap_or_default(),
        priority: priority.unwrap_or_default(),
        expires_s: expires_s.unwrap_or_default(),
        next_fire_at: Instant::from_stored(row.get_ref(6)?),
        enabled: row.get(7)?,
        max_attempts: max_attempts.unwrap_or_default(),
        time_zone: time_zone.unwrap_or_default(),
        misfire: misfire.unwrap_or_default(),
        last_error: problem.map(|problem| format!("malformed row: {problem}")).or(last_error.unwrap_or_default()),
        overlap: overlap.unwrap_or_default(),
        when_paused: when_paused.unwrap_or_default(),
        last_job_id: last_job_id.unwrap_or_default(),
    })
}

/// Changes properties of a schedule. True if there is such a schedule and anything to change.
///
/// Run in a write transaction: it looks and then writes.
///
/// # Errors
/// `HONKER_INVALID_ARGUMENT` for an expression or time zone that cannot be understood; nothing is changed then.
pub fn update(ctx: &Ctx<'_>, name: &str, change: &Change<'_>) -> Result<bool> {
    let timing =
        ctx.row(sql!("timing.sql"), [name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)))?;
    let Some((old_expression, old_zone)) = timing else { return Ok(false) };
    if change.is_empty() {
        return Ok(false);
    }
    let expression = change.expression.unwrap_or(&old_expression);
    let time_zone = change.time_zone.unwrap_or(old_zone.as_deref());
    let moves = change.expression.is_some() || change.time_zone.is_some();
    let next_fire_at = if moves { Some(boundary_after(&parse(expression, time_zone)?, ctx.now())?) } else { None };
    let expression = change.expression.map_or(Ok(old_expression), |new| sharing::stored(ctx, new))?;
    let params = params![
        name,
        expression,
        time_zone,
        next_fire_at,
        change.payload,
        change.priority,
        change.expires_s.is_some(),
        change.expires_s.flatten(),
        change.max_attempts,
        change.misfire.map(Misfire::name),
        change.overlap.map(Overlap::name),
        change.when_paused.map(WhenPaused::name),
    ];
    ctx.execute(sql!("update.sql"), params)?;
    Ok(true)
}
