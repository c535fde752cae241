//! Looking at single jobs. Reads only.

use rusqlite::params;
use serde::Serialize;

use crate::clock::Instant;
use crate::{Ctx, Result, sql};

/// A job that is waiting or leased.
#[derive(Debug, Serialize)]
pub struct LiveJob {
    /// The job's id.
    pub id: i64,
    /// The queue's name.
    pub queue: String,
    /// The payload as stored: JSON text.
    pub payload: String,
    /// `pending`, `processing`, `blocked` or `waiting`.
    pub state: String,
    /// Larger runs sooner.
    pub priority: i64,
    /// The earliest claim.
    pub run_at: Option<Instant>,
    /// The worker that holds the lease.
    pub worker_id: Option<String>,
    /// The last instant of the lease.
    pub claim_expires_at: Option<Instant>,
    /// Claims so far.
    pub attempts: i64,
    /// Claims before the job is dead-lettered.
    pub max_attempts: i64,
    /// When the job was enqueued.
    pub created_at: Option<Instant>,
    /// From when on the job is dead-lettered instead of claimed.
    pub expires_at: Option<Instant>,
    /// Since when workers have put the job back because they do not know its task.
    pub unknown_since: Option<Instant>,
    /// When its worker was asked to end it.
    pub cancel_requested_at: Option<Instant>,
}

/// The live job of that id, in `queue` or in any; `None` when it was acked, cancelled, dead-lettered or never existed.
///
/// # Errors
/// Whatever SQLite reports; `HONKER_MALFORMED_ROW` for a row edited into the wrong types.
pub fn get_job(ctx: &Ctx<'_>, id: i64, queue: Option<&str>) -> Result<Option<LiveJob>> {
    ctx.row(sql!("get_job.sql"), params![id, queue], |row| {
        Ok(LiveJob {
            id: row.get(0)?,
            queue: row.get(1)?,
            payload: row.get(2)?,
            state: row.get(3)?,
            priority: row.get(4)?,
            run_at: Instant::from_stored(row.get_ref(5)?),
            worker_id: row.get(6)?,
            claim_expires_at: Instant::from_stored(row.get_ref(7)?),
            attempts: row.get(8)?,
            max_attempts: row.get(9)?,
            created_at: Instant::from_stored(row.get_ref(10)?),
            expires_at: Instant::from_stored(row.get_ref(11)?),
            unknown_since: Instant::from_stored(row.get_ref(12)?),
            cancel_requested_at: Instant::from_stored(row.get_ref(13)?),
        })
    })
}

/// The state of a job, for callers that wait for its result.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// `pending`, `processing`, `dead`, `cancelled`, `gone` for a job that was acknowledged, or `unknown` for an id
    /// that no committed job has had.
    pub state: String,
    /// The error of the last attempt that failed, if it is known.
    pub error: Option<String>,
}

/// The state of a job, live or not. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn outcome(ctx: &Ctx<'_>, id: i64) -> Result<Outcome> {
    let read = |row: &rusqlite::Row<'_>| Ok(Outcome { state: row.get(0)?, error: row.get(1)? });
    let found = ctx.row(sql!("outcome.sql"), params![id, ctx.now()], read)?;
    Ok(found.unwrap_or_else(|| Outcome { state: "gone".to_owned(), error: None }))
}
