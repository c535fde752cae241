//! The policy of a claim: decides for each due row whether it is handed out.
//!
//! Rules that look at more than the row (limits, keys) belong here as further verdicts; the loop in `claim` carries a
//! verdict out and knows no rule.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::claim::ClaimedJob;
use crate::clock::Instant;

/// The decision about a due row.
pub(super) enum Verdict {
    /// Lease it.
    Take(ClaimedJob),
    /// Make a dead letter of it, with this error.
    DeadLetter(i64, String),
}

/// The facts that a decision rests on, the same for all rows of a claim.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    pub(super) now: Instant,
    pub(super) lease_end: Instant,
}

impl Policy {
    /// True if the job of a row of `claim_waiting.sql` is due. One whose `run_at` is no number never is.
    pub(super) fn is_due(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        Ok(Instant::from_stored(row.get_ref(3)?).is_some_and(|at| at <= self.now))
    }

    /// Decides about a due row of `claim_waiting.sql`.
    pub(super) fn judge(&self, row: &Row<'_>) -> rusqlite::Result<Verdict> {
        let id = row.get(0)?;
        if let Some(cause) = end_of_life(row, 4, self.now)?.or_else(|| malformed(row)) {
            return Ok(Verdict::DeadLetter(id, cause));
        }
        Ok(Verdict::Take(ClaimedJob {
            id,
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
        }))
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
