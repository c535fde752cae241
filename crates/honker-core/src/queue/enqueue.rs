//! Adding jobs.

use rusqlite::{Connection, Statement, params};

use crate::Result;
use crate::clock::Instant;

/// What a row with a large payload ends in; the longest blob whose length SQLite writes in one byte. See the migration
/// `0006_slack.sql`.
const SLACK: &[u8] = &[0; 57];

/// Bytes of a payload whose row surely fits into one page of 4 KiB, where there is nothing to save.
const SMALL_PAYLOAD_BYTES: usize = 3_000;

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
pub fn enqueue(conn: &Connection, job: &NewJob<'_>) -> Result<i64> {
    let mut statement = conn.prepare_cached(include_str!("enqueue.sql"))?;
    insert(&mut statement, job, Instant::now().second())?;
    Ok(conn.last_insert_rowid())
}

/// Adds several jobs in order and returns their ids. Stops at the first that is an error.
///
/// All carry the same creation time, and those without a `run_at` are due at it. The statement is taken out of the
/// cache once, not once per job, which is a good part of what an insert costs.
///
/// # Errors
/// That of a job, or whatever SQLite reports; run in the caller's bracket, so that then none is added.
pub fn enqueue_many<'a>(conn: &Connection, jobs: impl Iterator<Item = Result<NewJob<'a>>>) -> Result<Vec<i64>> {
    let second = Instant::now().second();
    let mut statement = conn.prepare_cached(include_str!("enqueue.sql"))?;
    jobs.map(|job| {
        insert(&mut statement, &job?, second)?;
        Ok(conn.last_insert_rowid())
    })
    .collect()
}

fn insert(statement: &mut Statement<'_>, job: &NewJob<'_>, second: i64) -> Result<()> {
    let run_at = job.run_at.unwrap_or(Instant::from_seconds(second));
    statement.execute(params![
        job.queue,
        job.payload,
        job.priority,
        run_at,
        job.max_attempts,
        job.expires_at,
        second,
        (job.payload.len() > SMALL_PAYLOAD_BYTES).then_some(SLACK)
    ])?;
    Ok(())
}
