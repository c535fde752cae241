//! Finished jobs, in queues that keep them: those that succeeded, and those that were cancelled.
//!
//! Invariant: a job is live, dead or finished, and never two of these. It is copied in the bracket that deletes its live row, by
//! a statement that reads the settings of the queue as they are then.
//!
//! There is no sweeper. Each job that is kept deletes a few that have been kept for long enough, so the table stays near what
//! the settings say as long as it is written to; a list shows no expired one. A clock that was ahead dates a job, and its
//! expiry, in the future: such a job of the queue is deleted as well once it lies further ahead than [`FUTURE_MARGIN`].

use rusqlite::params;
use serde::Serialize;

use super::history;
use super::ties::To;
use crate::clock::Instant;
use crate::json_length::Room;
use crate::limits::{EXPIRED_ROWS_PER_WRITE, FUTURE_MARGIN};
use crate::{Ctx, Result, sql};

/// A finished job.
#[derive(Debug, Serialize)]
pub struct FinishedJob {
    /// The job's id.
    pub id: i64,
    /// The queue's name.
    pub queue: String,
    /// The payload as stored: JSON text.
    pub payload: String,
    /// `done` or `cancelled`.
    pub state: String,
    /// Larger ran sooner.
    pub priority: i64,
    /// Claims that were charged.
    pub attempts: i64,
    /// Claims before it would have been dead-lettered.
    pub max_attempts: i64,
    /// The key whose jobs share a limit.
    pub key: Option<String>,
    /// The worker that held the last claim.
    pub worker_id: Option<String>,
    /// The error of its last attempt that failed.
    pub last_error: Option<String>,
    /// When it was enqueued.
    pub created_at: Option<Instant>,
    /// When it ended.
    pub finished_at: Option<Instant>,
    /// From when on it is forgotten.
    pub expires_at: Option<Instant>,
}

/// Keeps a live job that ends, if its queue keeps finished jobs. Before its row goes. True if it is kept.
pub(super) fn keep(ctx: &Ctx<'_>, id: i64, queue: Option<&str>, to: To) -> Result<bool> {
    let state = if to == To::Done { "done" } else { "cancelled" };
    let finished_at = ctx.stored(ctx.now())?;
    let is_kept = ctx.execute(sql!("finished_insert.sql"), params![id, state, finished_at, ctx.second()])? == 1;
    if is_kept {
        forget_old(ctx, queue)?;
    }
    Ok(is_kept)
}

fn forget_old(ctx: &Ctx<'_>, queue: Option<&str>) -> Result<()> {
    let ahead = ctx.now() + FUTURE_MARGIN;
    let old = params![ctx.now(), EXPIRED_ROWS_PER_WRITE, queue, ahead];
    let ids: Vec<i64> = ctx.rows(sql!("finished_old.sql"), old, |row| row.get(0))?;
    for id in ids {
        history::forget(ctx, id)?;
        ctx.execute(sql!("finished_delete.sql"), [id])?;
    }
    Ok(())
}

/// The finished jobs of a queue with an id below `before`, the greatest id first; at most `n`, and no more than there is room
/// for. At least one if there is any. Reads only.
///
/// # Errors
/// Whatever SQLite reports; `HONKER_MALFORMED_ROW` for a row edited into the wrong types.
pub fn finished(ctx: &Ctx<'_>, queue: &str, before: Option<i64>, n: i64, mut room: Room) -> Result<Vec<FinishedJob>> {
    let mut statement = ctx.prepare(sql!("finished_list.sql"))?;
    let mut rows = statement.cursor(params![queue, before.unwrap_or(i64::MAX), n, ctx.now()])?;
    let mut jobs = Vec::new();
    while room.is_left()
        && let Some(row) = rows.next()?
    {
        let job = FinishedJob {
            id: row.get(0)?,
            queue: queue.to_owned(),
            payload: row.get(1)?,
            state: row.get(2)?,
            priority: row.get(3)?,
            attempts: row.get(4)?,
            max_attempts: row.get(5)?,
            key: row.get(6)?,
            worker_id: row.get(7)?,
            last_error: row.get(8)?,
            created_at: Instant::from_stored(row.get_ref(9)?),
            finished_at: Instant::from_stored(row.get_ref(10)?),
            expires_at: Instant::from_stored(row.get_ref(11)?),
        };
        let others = [queue, &job.state, job.key.as_deref().unwrap_or_default()];
        let more = [job.worker_id.as_deref().unwrap_or_default(), job.last_error.as_deref().unwrap_or_default()];
        if !room.take(job.id, &job.payload, &[others[0], others[1], others[2], more[0], more[1]])? {
            break;
        }
        jobs.push(job);
    }
    Ok(jobs)
}
