//! The history of a job: its attempts that did not end in success, bounded.
//!
//! Invariant: a job has rows in `_honker_attempts` only if its row, live or dead, has the tie [`ties::HISTORY`], or its id is
//! among the finished jobs. So the move that removes the job finds them, and none is left behind. Row and tie are written in the
//! commit that ends the attempt: a crash, or a COMMIT that fails, leaves neither.
//!
//! The first [`HISTORY_FIRST`] attempts of a job are kept and the last [`HISTORY_LAST`]; numbers go on over the gap. A run of
//! snoozes is one row, which its next snooze changes. Attempts survive the death of the job and its requeue.
//!
//! - *A clock that is set back* dates an attempt before the one before it; the order is that of the numbers.
//! - *A reference process or an older honker* that ends the job leaves its attempts. Ids are never used again.

use rusqlite::params;
use serde::Serialize;

use super::held::Held;
use super::ties;
use crate::clock::Instant;
use crate::limits::{HISTORY_ERROR_BYTES, HISTORY_FIRST, HISTORY_LAST};
use crate::{Ctx, Result, sql};

/// How an attempt ended that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its handler failed.
    Failed,
    /// Its lease lapsed.
    Lost,
    /// Its holder cancelled it, or it was cancelled while it ran.
    Cancelled,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An attempt that did not end in success.
#[derive(Debug, Serialize)]
pub struct Attempt {
    /// Grows with each attempt that is recorded of a job.
    pub number: i64,
    /// The number of the claim, which a requeue begins anew.
    pub attempt: i64,
    /// `failed`, `lost` (its lease lapsed), `snoozed` (a run of snoozes, the last one told) or `cancelled`.
    pub outcome: String,
    /// The worker that held the claim.
    pub worker_id: Option<String>,
    /// When it ended; of a lost one, when that was found.
    pub ended_at: Option<Instant>,
    /// Seconds that the handler ran, if its worker told.
    pub run_s: Option<f64>,
    /// Why it failed, cut to 8 KiB.
    pub error: Option<String>,
}

/// Records an attempt of a job in flight. Before its row changes. The tie to the history is added to the live row.
pub(super) fn record(ctx: &Ctx<'_>, id: i64, end: End, run_s: Option<f64>, error: Option<&str>) -> Result<()> {
    insert(ctx, id, end.name(), run_s, error)
}

/// Records that the worker of a job was lost, if it is in flight.
pub(super) fn record_lost(ctx: &Ctx<'_>, id: i64) -> Result<()> {
    insert(ctx, id, End::Lost.name(), None, None)
}

/// Records that a job in flight is snoozed: in the last row of its history, if that is a snooze too.
pub(super) fn record_snooze(ctx: &Ctx<'_>, held: &Held<'_>) -> Result<()> {
    let ended_at = ctx.stored(ctx.now())?;
    if ctx.execute(sql!("history_snoozed.sql"), params![held.id, ended_at, held.run_s, held.worker_id])? == 0 {
        insert(ctx, held.id, "snoozed", held.run_s, None)?;
    }
    Ok(())
}

fn insert(ctx: &Ctx<'_>, id: i64, outcome: &str, run_s: Option<f64>, error: Option<&str>) -> Result<()> {
    let ended_at = ctx.stored(ctx.now())?;
    let row = params![id, outcome, ended_at, run_s, error.map(cut)];
    if ctx.execute(sql!("history_record.sql"), row)? == 1 {
        ctx.execute(sql!("history_bound.sql"), params![id, HISTORY_FIRST, HISTORY_LAST])?;
        ctx.execute(sql!("tie.sql"), params![id, ties::HISTORY])?;
    }
    Ok(())
}

/// The beginning of an error text, up to the end of a character.
fn cut(error: &str) -> &str {
    let mut end = HISTORY_ERROR_BYTES.min(error.len());
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    &error[..end]
}

/// Forgets the attempts of a job that has ended.
pub(super) fn forget(ctx: &Ctx<'_>, id: i64) -> Result<()> {
    ctx.execute(sql!("history_forget.sql"), [id]).map(drop)
}

/// The attempts of a job that did not end in success, the first one first. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn attempts(ctx: &Ctx<'_>, id: i64) -> Result<Vec<Attempt>> {
    ctx.rows(sql!("history_list.sql"), [id], |row| {
        Ok(Attempt {
            number: row.get(0)?,
            attempt: row.get(1)?,
            outcome: row.get(2)?,
            worker_id: row.get(3)?,
            ended_at: Instant::from_stored(row.get_ref(4)?),
            run_s: row.get(5)?,
            error: row.get(6)?,
        })
    })
}
