//! The policy of a claim: decides for each due row whether it is handed out.
//!
//! Rules that look at more than the row are asked here (`keys`); the loop in `claim` carries a verdict out and knows no
//! rule. Limits of the whole queue bound how many rows that loop asks about.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::claimed_job::ClaimedJob;
use super::keys::{Candidates, Judgement, Place};
use super::settings::Settings;
use super::ties;
use crate::clock::Instant;
use crate::{Ctx, Result};

/// The decision about a due row.
pub(super) enum Verdict {
    /// Lease it.
    Take(ClaimedJob),
    /// Make a dead letter of it, with this error.
    DeadLetter(i64, String),
    /// Park it: its key, which is named, is full.
    Block(i64, String),
    /// Make it wait for this start, which the rate of its key gives it.
    Defer(i64, Instant),
}

/// The facts that a decision rests on, the same for all rows of a claim.
pub(super) struct Policy<'a> {
    pub(super) queue: &'a str,
    pub(super) settings: &'a Settings,
    pub(super) now: Instant,
    pub(super) lease_end: Instant,
}

impl Policy<'_> {
    /// True if a job with this `run_at` is due. One whose `run_at` is no number never is.
    pub(super) fn is_due(&self, run_at: Option<Instant>) -> bool {
        run_at.is_some_and(|at| at <= self.now)
    }

    /// Decides about a due row of `claim_waiting.sql`, whose `run_at` is known.
    pub(super) fn judge(
        &self,
        ctx: &Ctx<'_>,
        row: &Row<'_>,
        run_at: Option<Instant>,
        candidates: &mut Candidates,
    ) -> Result<Verdict> {
        let id = row.get(0)?;
        let job = match self.job(id, row, run_at)? {
            Ok(job) => job,
            Err(cause) => return Ok(Verdict::DeadLetter(id, cause)),
        };
        if let Some(key) = job.key.as_deref().filter(|_| self.settings.looks_at_keys()) {
            let place = Place { id, priority: job.priority, created_at: job.created_at };
            let has_start = job.ties & ties::START_GIVEN != 0;
            match candidates.judge(ctx, self.settings, self.queue, key, place, has_start)? {
                Judgement::Take => {}
                Judgement::Block => return Ok(Verdict::Block(id, key.to_owned())),
                Judgement::Later(start) => return Ok(Verdict::Defer(id, start)),
            }
        }
        Ok(Verdict::Take(job))
    }

    /// The job of a row, or why it must not be claimed. Each column is read once: a read takes the mutex of the connection
    /// twice.
    fn job(
        &self,
        id: i64,
        row: &Row<'_>,
        run_at: Option<Instant>,
    ) -> rusqlite::Result<std::result::Result<ClaimedJob, String>> {
        let life @ [attempts, max_attempts, expires_at] = [row.get_ref(4)?, row.get_ref(5)?, row.get_ref(6)?];
        if let Some(cause) = end_of_life(life, self.now) {
            return Ok(Err(cause));
        }
        let (payload, priority) = match (row.get(1), row.get(2)) {
            (Ok(payload), Ok(priority)) => (payload, priority),
            (Err(error), _) => return Ok(Err(format!("malformed row: payload: {error}"))),
            (_, Err(error)) => return Ok(Err(format!("malformed row: priority: {error}"))),
        };
        // A job with a key or with snoozes has ties: see `ties`.
        let ties = row.get_ref(11)?.as_i64().unwrap_or(0);
        let (key, snoozes) =
            if ties == 0 { (ValueRef::Null, ValueRef::Null) } else { (row.get_ref(10)?, row.get_ref(12)?) };
        Ok(Ok(ClaimedJob {
            id,
            payload,
            priority,
            run_at,
            attempts: attempts.as_i64()? + 1,
            max_attempts: max_attempts.as_i64()?,
            created_at: Instant::from_stored(row.get_ref(7)?),
            expires_at: Instant::from_stored(expires_at),
            last_error: row.get_ref(8)?.as_str().ok().map(str::to_owned),
            unknown_since: Instant::from_stored(row.get_ref(9)?),
            claim_expires_at: self.lease_end,
            key: key.as_str().ok().map(str::to_owned),
            snoozes: snoozes.as_i64().unwrap_or(0),
            has_dependents: ties & ties::DEPENDENTS != 0,
            has_parents: ties & ties::PARENTS != 0,
            ties,
        }))
    }
}

/// Why a row must not be claimed, from `attempts`, `max_attempts` and `expires_at`.
pub(super) fn end_of_life([attempts, max_attempts, expires_at]: [ValueRef<'_>; 3], now: Instant) -> Option<String> {
    if Instant::from_stored(expires_at).is_some_and(|at| at <= now) {
        return Some("expired".to_owned());
    }
    match (attempts, max_attempts) {
        (ValueRef::Integer(attempts), ValueRef::Integer(max)) if attempts < max => None,
        (ValueRef::Integer(_), ValueRef::Integer(_)) => Some("max attempts exceeded".to_owned()),
        (attempts, max) => {
            Some(format!("malformed row: attempts is {}, max_attempts is {}", attempts.data_type(), max.data_type()))
        }
    }
}
