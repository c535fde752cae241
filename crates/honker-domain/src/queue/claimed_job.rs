//! A job as a claim hands it out.

use serde::Serialize;

use crate::clock::Instant;

/// A claimed job.
#[derive(Debug, Serialize)]
pub struct ClaimedJob {
    /// The job's id.
    pub id: i64,
    /// The payload as stored: JSON text.
    pub payload: String,
    /// Claims so far, this one included.
    pub attempts: i64,
    /// The last instant of the lease.
    pub claim_expires_at: Instant,
    /// Larger runs sooner.
    pub priority: i64,
    /// When the job became due.
    pub run_at: Option<Instant>,
    /// Claims before the job is dead-lettered.
    pub max_attempts: i64,
    /// When the job was enqueued.
    pub created_at: Option<Instant>,
    /// From when on the job would not be claimed any more.
    pub expires_at: Option<Instant>,
    /// Why the attempt before failed.
    pub last_error: Option<String>,
    /// Since when workers have put the job back because they do not know its task.
    pub unknown_since: Option<Instant>,
    /// The key whose jobs share a limit.
    pub key: Option<String>,
    /// How often the job was put off.
    pub snoozes: i64,
    /// Other jobs wait for this one, and may want its result.
    pub has_dependents: bool,
    /// The job has waited for others, whose results it may want.
    pub has_parents: bool,
    /// See `ties`.
    #[serde(skip)]
    pub(super) ties: i64,
}
