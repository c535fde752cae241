//! The progress of jobs at work, as their handlers tell it.
//!
//! Invariant: a job has a row in `_honker_progress` only if its live row has the tie [`ties::PROGRESS`]; so the move by which it
//! leaves its worker forgets it. The tie is set by the first report, in its commit; later ones change one row. A report is
//! written only if the claim is held, so a late handler does not report for the next one.

use rusqlite::params;
use serde::{Serialize, Serializer};

use super::held::Held;
use super::ties;
use crate::clock::Instant;
use crate::limits::AMOUNT_MAX;
use crate::{Ctx, Result, sql};

/// How far a job at work has come.
#[derive(Debug, Serialize)]
pub struct Progress {
    /// Of `total`, in any unit.
    #[serde(serialize_with = "number")]
    pub done: f64,
    /// Greater than 0.
    #[serde(serialize_with = "number")]
    pub total: f64,
    /// A remark of the handler.
    pub note: Option<String>,
    /// When it was reported.
    pub updated_at: Option<Instant>,
}

/// A number, as an integer if it is whole.
#[expect(clippy::cast_possible_truncation, reason = "whole, and no more than `AMOUNT_MAX`")]
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn number<S: Serializer>(number: &f64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    if number.fract() == 0.0 && number.abs() <= AMOUNT_MAX {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}

/// Writes the progress of a job. True if the claim was held.
///
/// # Errors
/// Whatever SQLite reports.
pub fn report(ctx: &Ctx<'_>, held: &Held<'_>, done: f64, total: f64, note: Option<&str>) -> Result<bool> {
    let updated_at = ctx.stored(ctx.now())?;
    let (id, worker_id, attempt) = (held.id, held.worker_id, held.attempt);
    let row = params![id, worker_id, attempt, ctx.now(), ctx.second(), done, total, note, updated_at];
    let is_held = ctx.execute(sql!("progress_write.sql"), row)? == 1;
    if is_held {
        ctx.execute(sql!("tie.sql"), params![id, ties::PROGRESS])?;
    }
    Ok(is_held)
}

/// The progress of a job at work, if its handler has told any. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn progress(ctx: &Ctx<'_>, id: i64) -> Result<Option<Progress>> {
    ctx.row(sql!("progress_get.sql"), [id], |row| {
        let updated_at = Instant::from_stored(row.get_ref(3)?);
        Ok(Progress { done: row.get(0)?, total: row.get(1)?, note: row.get(2)?, updated_at })
    })
}

/// Forgets the progress of a job that has left its worker.
pub(super) fn forget(ctx: &Ctx<'_>, id: i64) -> Result<()> {
    ctx.execute(sql!("progress_forget.sql"), [id]).map(drop)
}
