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
    /// True if the job of a row of `claim_waiting.sql` is due. One whose `run_at` is no number never is.
    pub(super) fn is_due(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        Ok(Instant::from_stored(row.get_ref(3)?).is_some_and(|at| at <= self.now))
    }

    /// Decides about a due row of `claim_waiting.sql`.
    pub(super) fn judge(&self, ctx: &Ctx<'_>, row: &Row<'_>, candidates: &mut Candidates) -> Result<Verdict> {
        let id = row.get(0)?;
        if let Some(cause) = end_of_life(row, 4, self.now)?.or_else(|| malformed(row)) {
            return Ok(Verdict::DeadLetter(id, cause));
        }
        let job = self.job(row)?;
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

    fn job(&self, row: &Row<'_>) -> rusqlite::Result<ClaimedJob> {
        let ties = row.get_ref(11)?.as_i64().unwrap_or(0);
        Ok(ClaimedJob {
            id: row.get(0)?,
            payload: row.get(1)?,
            priority: row.get(2)?,
            run_at: Instant::from_stored(row.get_ref(3)?),
            attempts: row.get::<_, i64>(4)? + 1,
            max_attempts: row.get(5)?,
            created_at: Instant::from_stored(row.get_ref(7)?),
            expires_at: Instant::from_stored(row.get_ref(6)?),
            last_error: row.get_ref(8)?.as_str().ok().map(str::to_owned),
            unknown_since: Instant::from_stored(row.get_ref(9)?),
            claim_expires_at: self.lease_end,
            key: row.get_ref(10)?.as_str().ok().map(str::to_owned),
            snoozes: row.get_ref(12)?.as_i64().unwrap_or(0),
            has_dependents: ties & ties::DEPENDENTS != 0,
            has_parents: ties & ties::PARENTS != 0,
            ties,
        })
    }
}

/// Why a row must not be claimed, from `attempts`, `max_attempts` and `expires_at`, which start at `column`.
pub(super) fn end_of_life(row: &Row<'_>, column: usize, now: Instant) -> rusqlite::Result<Option<String>> {
    let expires_at = row.get_ref(column + 2)?;
    if Instant::from_stored(expires_at).is_some_and(|at| at <= now) {
        return Ok(Some("expired".to_owned()));
    }
    Ok(match (row.get_ref(column)?, row.get_ref(column + 1)?) {
        (ValueRef::Integer(attempts), ValueRef::Integer(max)) if attempts < max => None,
        (ValueRef::Integer(_), ValueRef::Integer(_)) => Some("max attempts exceeded".to_owned()),
        (attempts, max) => {
            Some(format!("malformed row: attempts is {}, max_attempts is {}", attempts.data_type(), max.data_type()))
        }
    })
}

/// Why a row cannot be read as a job, if it was edited by hand.
fn malformed(row: &Row<'_>) -> Option<String> {
    if let Err(error) = row.get::<_, String>(1) {
        return Some(format!("malformed row: payload: {error}"));
    }
    row.get::<_, i64>(2).err().map(|error| format!("malformed row: priority: {error}"))
}
