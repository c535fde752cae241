//! Adding jobs.

use rusqlite::params;

use super::slack;
use crate::clock::Instant;
use crate::statements::{Prepared, Sql};
use crate::{Ctx, Result};

static ENQUEUE: Sql = Sql::new(include_str!("enqueue.sql"));

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
}

/// Adds a job and returns its id. One statement, hence atomic by itself.
///
/// "Now" is stored as the second that has begun: the job is due at once, jobs of one second keep their order
/// through the id, and the row stays readable for engines that know whole seconds only.
///
/// # Errors
/// Whatever SQLite reports, a failing COMMIT included: `execute` steps to the end, where autocommit commits.
pub fn enqueue(ctx: &Ctx<'_>, job: &NewJob<'_>) -> Result<i64> {
    insert(ctx, &mut ctx.prepare(&ENQUEUE)?, job)
}

/// Adds several jobs in order and returns their ids. Stops at the first that is an error.
///
/// All carry the same creation time, and those without a `run_at` are due at it.
///
/// # Errors
/// That of a job, or whatever SQLite reports; run in the caller's bracket, so that then none is added.
pub fn enqueue_many<'a>(ctx: &Ctx<'_>, jobs: impl Iterator<Item = Result<NewJob<'a>>>) -> Result<Vec<i64>> {
    let mut statement = ctx.prepare(&ENQUEUE)?;
    jobs.map(|job| insert(ctx, &mut statement, &job?)).collect()
}

fn insert(ctx: &Ctx<'_>, statement: &mut Prepared<'_>, job: &NewJob<'_>) -> Result<i64> {
    let second = ctx.second();
    statement.change_one(params![
        job.queue,
        job.payload,
        job.priority,
        job.run_at.unwrap_or(Instant::from_seconds(second)),
        job.max_attempts,
        job.expires_at,
        second,
        slack::of_new(job.payload),
    ])?;
    Ok(ctx.conn().last_insert_rowid())
}
