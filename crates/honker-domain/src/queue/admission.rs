//! Adding jobs that stand in a relation to others: of one key, unique, or after other jobs.
//!
//! Run in the caller's bracket: the job, its edges and the marks on its parents are there together, or not at all.

use rusqlite::params;

use super::dependencies::{ParentFailure, Parents};
use super::enqueue::NewJob;
use super::settings::Settings;
use super::ties;
use super::transition::{Move, State, leave};
use super::unique::{self, Unique};
use super::{keys, lost_parents, slack};
use crate::clock::Instant;
use crate::limits::PRUNED_PER_CHILD;
use crate::moves::{self, Kind};
use crate::{Ctx, Result, schema, sql};

/// The relations of a new job to others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flow<'a> {
    /// Jobs of one key share a limit.
    pub key: Option<&'a str>,
    /// The job exists once.
    pub unique: Option<Unique<'a>>,
    /// The job runs after these have ended. Their results are read in this order.
    pub after: &'a [i64],
    /// What a failure of one of these does to it.
    pub on_parent_failure: ParentFailure,
}

/// A job that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// Its id.
    pub id: i64,
    /// It was there before, with the same unique key.
    pub is_duplicate: bool,
}

/// Adds a job, or finds the one that has its unique key.
///
/// # Errors
/// [`crate::Error::UniqueKeyTaken`], [`crate::Error::UnknownParent`], [`crate::Error::SchemaTooNew`], or whatever SQLite
/// reports.
pub fn admit(ctx: &Ctx<'_>, job: &NewJob<'_>, flow: &Flow<'_>) -> Result<Added> {
    schema::require_writer(ctx)?;
    schema::demand_writer(ctx)?;
    let mut parents: Vec<_> = flow.after.iter().map(|id| (*id, flow.on_parent_failure)).collect();
    if let Some(unique) = &flow.unique {
        match unique::resolve(ctx, job, unique)? {
            unique::Resolution::New => {}
            unique::Resolution::Existing(id) => return Ok(Added { id, is_duplicate: true }),
            // The running job has given its key to this one, which runs once more after it.
            unique::Resolution::After(id) => {
                parents.retain(|(parent, _)| *parent != id);
                parents.push((id, ParentFailure::Run));
            }
        }
    }
    let parents = Parents::look_at(ctx, &parents)?;
    let must_wait = parents.unsettled > 0 || parents.cancelled.is_some();
    let state = if must_wait { State::Waiting } else { State::Pending };
    let id = insert(ctx, job, flow, state, parents.unsettled, !parents.is_empty())?;
    if !parents.is_empty() {
        parents.tie(ctx, id)?;
        lost_parents::prune(ctx, id, PRUNED_PER_CHILD)?;
    }
    if let Some(error) = &parents.cancelled {
        leave(ctx, &Move::DeadLetter { id, queue: job.queue, error })?;
    }
    Ok(Added { id, is_duplicate: false })
}

fn insert(
    ctx: &Ctx<'_>,
    job: &NewJob<'_>,
    flow: &Flow<'_>,
    mut state: State,
    unsettled: i64,
    has_parents: bool,
) -> Result<i64> {
    let NewJob { queue, payload, priority, max_attempts, expires_at, .. } = *job;
    let second = ctx.second();
    let start = flow.unique.as_ref().map_or(job.run_at, |unique| unique::start(ctx, job, unique, None));
    let mut run_at = ctx.stored(start.unwrap_or(Instant::from_seconds(second)))?;
    let expires_at = expires_at.map(|at| ctx.stored(at)).transpose()?;
    if state == State::Pending
        && let Some(key) = flow.key
        && run_at <= ctx.now()
    {
        let settings = Settings::of(ctx, queue)?;
        if settings.looks_at_keys() && keys::is_full(ctx, &settings, queue, key, priority)? {
            state = State::Blocked;
            run_at = Instant::from_seconds(second);
            ctx.note(|effects| effects.key_has_room(queue, key));
        }
    }
    let mut tied = if flow.key.is_some() { ties::KEYED } else { 0 };
    if let Some(unique) = &flow.unique {
        tied |= if unique.until_started { ties::UNTIL_STARTED } else { 0 };
        tied |= if unique.unique_for.is_some() { ties::UNIQUE_FOR } else { 0 };
    }
    tied |= if has_parents { ties::PARENTS } else { 0 };
    let unique_key = flow.unique.map(|unique| unique.key);
    // Whole seconds: a unique key that stays taken a little longer harms less than one that is free early.
    let unique_for_s = flow.unique.and_then(|unique| unique.unique_for).map(|span| span.rounded_up().as_ms() / 1_000);
    let waiting_for = (unsettled > 0).then_some(unsettled);
    ctx.change_one(
        sql!("enqueue_tied.sql"),
        params![
            queue,
            payload,
            priority,
            run_at,
            max_attempts,
            expires_at,
            second,
            slack::of_new(payload),
            state.name(),
            flow.key,
            (tied != 0).then_some(tied),
            unique_key,
            unique_for_s,
            waiting_for
        ],
    )?;
    let id = ctx.conn().last_insert_rowid();
    moves::note(ctx, Kind::Enqueued, id, queue, payload)?;
    Ok(id)
}
