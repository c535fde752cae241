//! The ties of a job: bits in `_honker_live.ties` that name what must be done when the job leaves its state.
//!
//! A plain job has NULL there. So the statements of the hot path (`take`, `ack`, `release`) test `ties IS NULL` and stay
//! one statement, and only a job with ties is read before it is moved. A bit is set in the commit that makes the tie, and
//! is never cleared: a tie that has become empty costs one useless look, a missing bit would strand other jobs.

use super::{dependencies, history, keys, progress};
use crate::{Ctx, Result};

/// The job has a `key`: when it leaves, the best blocked job of its key may run.
pub(super) const KEYED: i64 = 1;
/// Its unique key stays taken after its success, for `unique_for_s`.
pub(super) const UNIQUE_FOR: i64 = 1 << 1;
/// Its unique key is given up when it starts.
pub(super) const UNTIL_STARTED: i64 = 1 << 2;
/// Other jobs wait for it, or have waited: rows of `_honker_dependencies` name it as parent.
pub(super) const DEPENDENTS: i64 = 1 << 3;
/// It waits for other jobs, or has waited: rows of `_honker_dependencies` name it as child.
pub(super) const PARENTS: i64 = 1 << 4;
/// It has rows in `_honker_attempts`.
pub(super) const HISTORY: i64 = 1 << 5;
/// Its queue keeps finished jobs.
pub(super) const KEEP: i64 = 1 << 6;
/// It has a row in `_honker_progress`.
pub(super) const PROGRESS: i64 = 1 << 7;
/// The rate of its key has given it its start time, until it starts.
pub(super) const START_GIVEN: i64 = 1 << 8;
/// Its worker is asked to end it: see `cancel`.
pub(super) const REQUESTED: i64 = 1 << 9;

/// Where a tied job has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// It succeeded, and has no row.
    Done,
    /// It was cancelled, and has no row.
    Cancelled,
    /// It is a dead letter.
    Dead,
    /// It waits again.
    Back,
}

/// A move of a job with ties, for the effects of the call.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    pub(crate) id: i64,
    pub(crate) queue: String,
    pub(crate) key: Option<String>,
    pub(crate) ties: i64,
    pub(crate) to: To,
    /// Why it failed; empty if it did not.
    pub(crate) error: String,
}

impl Left {
    /// True if the job has any of these ties.
    pub(crate) const fn has(&self, ties: i64) -> bool {
        self.ties & ties != 0
    }

    /// True if the job will not run again, unless it is requeued.
    pub(crate) fn has_ended(&self) -> bool {
        self.to != To::Back
    }
}

/// Writes the effects of a move of a job with ties, except on its key, which is shared by the moves of a call.
pub(crate) fn write_left(ctx: &Ctx<'_>, left: &Left) -> Result<()> {
    if left.has(DEPENDENTS) && left.has_ended() {
        dependencies::settle(ctx, left)?;
    }
    if left.has(PARENTS) && left.to == To::Dead {
        dependencies::detach_if_own_death(ctx, left.id)?;
    }
    if left.has(PARENTS) && matches!(left.to, To::Done | To::Cancelled) {
        dependencies::forget(ctx, left.id)?;
    }
    if left.has(HISTORY) && !left.has(KEEP) && matches!(left.to, To::Done | To::Cancelled) {
        history::forget(ctx, left.id)?;
    }
    if left.has(PROGRESS) {
        progress::forget(ctx, left.id)?;
    }
    keys::hold_line(ctx, left)
}
