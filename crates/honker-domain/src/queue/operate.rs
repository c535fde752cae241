//! Operations on single jobs for operators that no worker needs.

use rusqlite::params;

use super::transition::{Move, leave};
use super::{history, ties};
use crate::clock::Instant;
use crate::{Ctx, Result, sql};

/// Why an operation does not apply to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No such job exists, or a filter that names it excludes it.
    Gone,
    /// The job is not live any more.
    Ended,
    /// The job is neither a dead letter nor finished.
    NotEnded,
    /// The job is no dead letter.
    NotDead,
    /// Another job has its unique key.
    UniqueKeyTaken,
    /// It is due already.
    Due,
    /// It runs.
    Running,
    /// It runs, and its worker was asked to end it.
    Asked,
    /// Others of its key go first.
    Blocked,
    /// Its parents have not ended.
    Waiting,
    /// The rate of its key has given it its start.
    StartGiven,
    /// A program that knows other states holds it back.
    Foreign,
}

impl Refusal {
    /// The reason in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gone => "no such job",
            Self::Ended => "has ended",
            Self::NotEnded => "has not ended",
            Self::NotDead => "is no dead letter",
            Self::UniqueKeyTaken => "unique key is taken",
            Self::Due => "is due already",
            Self::Running => "is running",
            Self::Asked => "was asked to end already",
            Self::Blocked => "blocked by its key",
            Self::Waiting => "waits for its parents",
            Self::StartGiven => "the rate of its key has set its start",
            Self::Foreign => "held back by another program",
        }
    }
}

/// Makes a delayed job due, at the place in the line of its key that this gives it; the reason if it is refused.
///
/// # Errors
/// Whatever SQLite reports.
pub fn run_now(ctx: &Ctx<'_>, id: i64) -> Result<Option<Refusal>> {
    let target = ctx.row(sql!("hasten_target.sql"), [id], |row| {
        let state = row.get_ref(0)?.as_str().unwrap_or_default().to_owned();
        Ok((state, Instant::from_stored(row.get_ref(1)?), row.get_ref(2)?.as_i64().unwrap_or(0)))
    })?;
    let Some((state, run_at, ties)) = target else { return Ok(Some(Refusal::Ended)) };
    let refusal = match state.as_str() {
        "processing" => Some(Refusal::Running),
        "blocked" => Some(Refusal::Blocked),
        "waiting" => Some(Refusal::Waiting),
        "pending" if run_at.is_some_and(|at| at <= ctx.now()) => Some(Refusal::Due),
        "pending" if ties & ties::START_GIVEN != 0 => Some(Refusal::StartGiven),
        "pending" => None,
        _ => Some(Refusal::Foreign),
    };
    if refusal.is_none() {
        leave(ctx, &Move::Hasten { id })?;
    }
    Ok(refusal)
}

/// Forgets a dead letter or a finished job. Jobs that wait for the requeue of a dead letter die of its failure. True if there was
/// one.
///
/// # Errors
/// Whatever SQLite reports.
pub fn delete_ended(ctx: &Ctx<'_>, id: i64) -> Result<bool> {
    if leave(ctx, &Move::Forget { id })? {
        return Ok(true);
    }
    if ctx.execute(sql!("finished_delete.sql"), params![id])? == 0 {
        return Ok(false);
    }
    history::forget(ctx, id)?;
    Ok(true)
}
