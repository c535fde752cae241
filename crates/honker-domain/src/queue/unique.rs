//! Unique jobs: one job of a unique key at a time in a queue.
//!
//! Invariant: a partial unique index holds at most one live job for each (queue, unique key), so no race can make two. The
//! key is free in the very commit that ends its job, or starts it, because the row of the index goes with it: nothing has to
//! be released. No move but an enqueue and a requeue takes a key, and both look first, under the write lock. So no other
//! move can fail on a key: a retry keeps the one it has, or has given it up at its start.
//!
//! - *The process dies.* Look, change of the existing job and insert run in one bracket: a crash between any two undoes them.
//!   `run_after` takes the key from the running job first, and the new row takes it in the same commit. `keep_taken` writes
//!   its row in the commit that deletes the job, so the key is never free in between.
//! - *Two processes.* Both hold the write lock from the look to the commit, and the second sees the first's job, or its
//!   absence after a rollback. The index would refuse a second job of any other process.
//! - *COMMIT fails.* The bracket rolls back; nothing is kept in memory.
//! - *The clock jumps.* Only keys kept after a success and debounced starts know the time. Ahead: they end early. Back: a kept
//!   key that would stay taken for longer than its span is cut down to that span by the first enqueue that meets it, and is
//!   free at once beyond twice the span, so that an enqueue that is refused, and rolled back, cannot hold it for ever. A
//!   debounced start is never later than `debounce` from the last event.
//!
//! A job has started when an attempt was charged, so one between two attempts is not replaced: it may have done half of its
//! work with the old payload. A debounced event that comes then is not lost either: it runs after that job.

use rusqlite::params;

use super::enqueue::NewJob;
use super::{slack, ties};
use crate::clock::{Instant, Span};
use crate::limits::EXPIRED_ROWS_PER_WRITE;
use crate::{Ctx, Error, Result, sql};

/// What happens if a job of the same unique key exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// The existing job is returned.
    #[default]
    Existing,
    /// An existing job that has not started takes the payload and the options of the new one.
    Replace,
    /// If the existing job is running, the new one runs after it; otherwise the existing job is returned.
    Rerun,
    /// [`Error::UniqueKeyTaken`].
    Raise,
}

/// The uniqueness of a new job.
#[derive(Debug, Clone, Copy)]
pub struct Unique<'a> {
    /// The key, of which one job may exist in the queue.
    pub key: &'a str,
    /// See [`OnConflict`].
    pub on_conflict: OnConflict,
    /// The key is free as soon as the job starts.
    pub until_started: bool,
    /// The key stays taken so long after the job has succeeded.
    pub unique_for: Option<Span>,
    /// The job starts so long after the last of several; the latest payload wins.
    pub debounce: Option<Span>,
    /// But no later than so long after the first.
    pub debounce_max: Option<Span>,
}

/// What to do with a new job.
pub(super) enum Resolution {
    /// Add it.
    New,
    /// This one stands for it.
    Existing(i64),
    /// Add it, to run after this one, whose key is free now.
    After(i64),
}

/// The live job that has a unique key.
struct Holder {
    id: i64,
    is_running: bool,
    is_unstarted: bool,
    created_at: Option<Instant>,
    key: Option<String>,
}

impl Holder {
    fn of(ctx: &Ctx<'_>, queue: &str, unique_key: &str) -> Result<Option<Self>> {
        ctx.row(sql!("unique_holder.sql"), [queue, unique_key], |row| {
            Ok(Self {
                id: row.get(0)?,
                is_running: row.get(1)?,
                is_unstarted: row.get(2)?,
                created_at: Instant::from_stored(row.get_ref(3)?),
                key: row.get_ref(4)?.as_str().ok().map(str::to_owned),
            })
        })
    }
}

/// Decides about a new job, and makes the change to the existing one that the decision needs.
pub(super) fn resolve(ctx: &Ctx<'_>, job: &NewJob<'_>, unique: &Unique<'_>) -> Result<Resolution> {
    let Some(holder) = Holder::of(ctx, job.queue, unique.key)? else {
        return match kept(ctx, job.queue, unique.key)? {
            None => Ok(Resolution::New),
            Some(id) if unique.on_conflict == OnConflict::Raise => Err(taken(job.queue, unique.key, id)),
            Some(id) => Ok(Resolution::Existing(id)),
        };
    };
    match unique.on_conflict {
        OnConflict::Raise => Err(taken(job.queue, unique.key, holder.id)),
        OnConflict::Replace if holder.is_unstarted => replace(ctx, job, unique, &holder),
        // The job may have read its data before this event.
        OnConflict::Replace if unique.debounce.is_some() => run_after(ctx, holder.id),
        OnConflict::Rerun if holder.is_running => run_after(ctx, holder.id),
        OnConflict::Existing | OnConflict::Replace | OnConflict::Rerun => Ok(Resolution::Existing(holder.id)),
    }
}

fn taken(queue: &str, unique_key: &str, job_id: i64) -> Error {
    Error::UniqueKeyTaken { queue: queue.to_owned(), unique_key: unique_key.to_owned(), job_id }
}

fn run_after(ctx: &Ctx<'_>, id: i64) -> Result<Resolution> {
    ctx.change_one(sql!("unique_give_up.sql"), [id])?;
    Ok(Resolution::After(id))
}

fn replace(ctx: &Ctx<'_>, job: &NewJob<'_>, unique: &Unique<'_>, holder: &Holder) -> Result<Resolution> {
    let run_at = start(ctx, job, unique, holder.created_at).unwrap_or(Instant::from_seconds(ctx.second()));
    let run_at = ctx.stored(run_at)?;
    let expires_at = job.expires_at.map(|at| ctx.stored(at)).transpose()?;
    let NewJob { queue, payload, priority, max_attempts, .. } = *job;
    let slack = slack::of_new(payload);
    let now = ctx.now();
    ctx.change_one(
        sql!("unique_replace.sql"),
        params![holder.id, payload, priority, run_at, max_attempts, expires_at, slack, now, ties::START_GIVEN],
    )?;
    if let Some(key) = &holder.key {
        // It may have left the line of its key, or moved in it.
        ctx.note(|effects| effects.key_has_room(queue, key));
    }
    Ok(Resolution::Existing(holder.id))
}

/// The start of a job; one that is debounced waits for the quiet after it, up to `debounce_max` from the first of the row,
/// which was at `first_at`, or is this one.
pub(super) fn start(
    ctx: &Ctx<'_>,
    job: &NewJob<'_>,
    unique: &Unique<'_>,
    first_at: Option<Instant>,
) -> Option<Instant> {
    let Some(debounce) = unique.debounce else { return job.run_at };
    let quiet = ctx.after(debounce);
    let last = unique.debounce_max.map(|most| first_at.map_or_else(|| ctx.after(most), |first_at| first_at + most));
    let start = last.map_or(quiet, |last| quiet.min(last));
    Some(job.run_at.map_or(start, |run_at| run_at.max(start)))
}

/// Keeps the unique key of a job taken that succeeds. Before its row goes.
pub(super) fn keep_taken(ctx: &Ctx<'_>, id: i64) -> Result<()> {
    ctx.execute(sql!("unique_prune.sql"), params![ctx.now(), EXPIRED_ROWS_PER_WRITE])?;
    ctx.execute(sql!("unique_keep.sql"), params![id, ctx.second()])?;
    Ok(())
}

/// The job that has succeeded and keeps a unique key taken. A row that does so no more is deleted.
fn kept(ctx: &Ctx<'_>, queue: &str, unique_key: &str) -> Result<Option<i64>> {
    let row = ctx.row(sql!("unique_kept.sql"), [queue, unique_key], |row| {
        // What another program has written there instead of a number keeps nothing taken.
        let number = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_i64().unwrap_or(0));
        Ok((number(0)?, number(1)?, number(2)?))
    })?;
    let Some((id, expires_at, unique_for_s)) = row else { return Ok(None) };
    let left_s = expires_at.saturating_sub(ctx.second());
    // The second in which the job succeeded counts in full.
    let most_s = unique_for_s.saturating_add(1);
    if left_s <= 0 || left_s > most_s.saturating_mul(2) {
        ctx.change_one(sql!("unique_drop.sql"), [queue, unique_key])?;
        return Ok(None);
    }
    if left_s > most_s {
        let expires_at = ctx.second().saturating_add(most_s);
        ctx.change_one(sql!("unique_shorten.sql"), params![queue, unique_key, expires_at])?;
    }
    Ok(Some(id))
}

/// Refuses to requeue a dead letter whose unique key another job has.
pub(super) fn check_requeue(ctx: &Ctx<'_>, id: i64, queue: Option<&str>) -> Result<()> {
    let key: Option<(String, String)> =
        ctx.row(sql!("unique_dead.sql"), params![id, queue], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((queue, unique_key)) = key else { return Ok(()) };
    let job_id = match Holder::of(ctx, &queue, &unique_key)? {
        // The same job, of a merged or restored file: then nothing is copied.
        Some(holder) if holder.id == id => None,
        Some(holder) => Some(holder.id),
        None => kept(ctx, &queue, &unique_key)?,
    };
    job_id.map_or(Ok(()), |job_id| Err(taken(&queue, &unique_key, job_id)))
}
