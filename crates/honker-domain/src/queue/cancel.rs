//! Asking for the end of a job that runs.
//!
//! Invariant: a job with a request ends at its next move: by its ack, which wins, or as cancelled. So it never waits again, and
//! has one outcome. The request sets the tie [`ties::REQUESTED`], so that no statement for plain jobs moves it, and each move
//! from `processing` that reads the ties ends it (see `transition`).
//!
//! - *The process of the holder dies*: the lease lapses, and the claim that finds it cancels the job instead of putting it back.
//! - *Request and ack at once*: one writer at a time. After the ack there is no row, and the request returns `Gone`; after the
//!   request the ack ends the job as done.
//! - *A worker that ignores requests* keeps its claim, and its ack wins.
//! - *A reference process or an older honker* does not know requests, and may put the job back. Its next worker is told at once.

use rusqlite::{Row, params};

use super::held::Held;
use super::ties;
use super::transition::{Move, leave};
use crate::{Ctx, Result, sql};

/// What a request to cancel a job has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// The job waited, and is removed.
    Cancelled,
    /// The job is held by a worker, which is asked to end it.
    Requested,
    /// The job is held by a worker that an earlier request has asked to end it.
    RequestedBefore,
    /// There is no such job.
    Gone,
}

impl Request {
    /// The name as SQL returns it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Requested | Self::RequestedBefore => "requested",
            Self::Gone => "gone",
        }
    }
}

/// Removes a job that waits, of `queue` or of any, or asks its worker to end it. The commit of the request wakes the workers.
///
/// # Errors
/// Whatever SQLite reports.
pub fn request_cancel(ctx: &Ctx<'_>, id: i64, queue: Option<&str>) -> Result<Request> {
    let target = params![id, queue, ctx.now(), ctx.second()];
    let read = |row: &Row<'_>| Ok((row.get::<_, bool>(0)?, row.get::<_, bool>(1)?));
    match ctx.row(sql!("cancel_target.sql"), target, read)? {
        None => Ok(Request::Gone),
        Some((true, is_asked)) => {
            let now = ctx.stored(ctx.now())?;
            ctx.change_one(sql!("cancel_ask.sql"), params![id, now, ties::REQUESTED])?;
            Ok(if is_asked { Request::RequestedBefore } else { Request::Requested })
        }
        Some((false, _)) => {
            leave(ctx, &Move::Cancel { id, queue })?;
            Ok(Request::Cancelled)
        }
    }
}

/// Ends a job as cancelled whose claim is held. True if it was.
///
/// # Errors
/// Whatever SQLite reports.
pub fn cancel_held(ctx: &Ctx<'_>, held: &Held<'_>) -> Result<bool> {
    leave(ctx, &Move::CancelHeld(*held))
}

/// The ids, among these claims, of jobs that are asked to end, and of claims that are not held any more. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn cancel_requests<'a>(ctx: &Ctx<'_>, claims: impl IntoIterator<Item = Held<'a>>) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    for Held { id, worker_id, attempt, .. } in claims {
        let claim = params![id, worker_id, attempt, ctx.now(), ctx.second()];
        if ctx.row(sql!("cancel_unasked.sql"), claim, |_row| Ok(()))?.is_none() {
            found.push(id);
        }
    }
    Ok(found)
}
