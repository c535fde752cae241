//! Adding jobs.

use rusqlite::params;

use super::admission::{Flow, admit};
use super::slack;
use crate::clock::Instant;
use crate::moves::{self, Kind};
use crate::{Ctx, Result, sql};

/// A job to add.
#[derive(Debug, Clone, Copy)]
pub struct NewJob<'a> {
    /// The queue's name.
    pub queue: &'a str,
    /// JSON text; not looked into.
    pub payload: &'a str,
    /// Larger runs sooner.
    pub priority: i64,
    /// The earliest claim; `None` means now.
    pub run_at: Option<Instant>,
    /// Claims before the job is dead-lettered.
    pub max_attempts: i64,
    /// From then on the job is dead-lettered instead of claimed; `None` means never.
    pub expires_at: Option<Instant>,
    /// Its relations to other jobs; `None` for a plain job.
    pub flow: Option<Flow<'a>>,
}

/// Adds a job and returns its id. One statement for a plain job, hence atomic by itself; one with [`Flow`] needs the
/// caller's bracket.
///
/// "Now" is stored as the second that has begun: the job is due at once, jobs of one second keep their order
/// through the id, and the row stays readable for engines that know whole seconds only.
///
/// # Errors
/// Whatever SQLite reports, a failing COMMIT included: `execute` steps to the end, where autocommit commits.
pub fn enqueue(ctx: &Ctx<'_>, job: &NewJob<'_>) -> Result<i64> {
    insert(ctx, job)
}

/// Adds several jobs in order and returns their ids. Stops at the first that is an error.
///
/// All carry the same creation time, and those without a `run_at` are due at it.
///
/// # Errors
/// That of a job, or whatever SQLite reports; run in the caller's bracket, so that then none is added.
pub fn enqueue_many<'a>(ctx: &Ctx<'_>, jobs: impl Iterator<Item = Result<NewJob<'a>>>) -> Result<Vec<i64>> {
    jobs.map(|job| insert(ctx, &job?)).collect()
}

/// Two statements, so that a job whose instants are whole seconds, as most are, does not pay for the mark of a shared file.
fn insert(ctx: &Ctx<'_>, job: &NewJob<'_>) -> Result<i64> {
    if let Some(flow) = &job.flow {
        return Ok(admit(ctx, job, flow)?.id);
    }
    let (second, slack) = (ctx.second(), slack::of_new(job.payload));
    let run_at = job.run_at.unwrap_or(Instant::from_seconds(second));
    let NewJob { queue, payload, priority, max_attempts, expires_at, .. } = *job;
    let whole = (ctx.if_shared(run_at), expires_at.and_then(|at| ctx.if_shared(at)));
    match whole {
        (None, None) => {
            let row = params![queue, payload, priority, run_at, max_attempts, expires_at, second, slack];
            ctx.change_one(sql!("enqueue.sql"), row)?;
        }
        (whole_run_at, whole_expires_at) => ctx.change_one(
            sql!("enqueue_fraction.sql"),
            params![
                queue,
                payload,
                priority,
                run_at,
                max_attempts,
                expires_at,
                second,
                slack,
                whole_run_at,
                whole_expires_at
            ],
        )?,
    }
    let id = ctx.conn().last_insert_rowid();
    moves::note(ctx, Kind::Enqueued, id, queue, payload)?;
    Ok(id)
}
