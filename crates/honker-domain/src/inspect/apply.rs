//! Verbs for many jobs: those of a list, or all that match a filter, a bounded number in one transaction.

use std::collections::BTreeMap;

use serde::Serialize;

use super::filter::{Filter, Shown, Table};
use super::look::Look;
use super::walk::{Walked, walk};
use crate::queue::{self, Refusal};
use crate::{Ctx, Error, Result, schema};

/// An operation on a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Puts a dead letter back among the waiting jobs.
    Requeue,
    /// Removes a job that waits, or asks the worker of a running one to end it.
    Cancel,
    /// Forgets a dead letter or a finished job.
    Delete,
    /// Makes a delayed job due.
    RunNow,
}

impl Verb {
    /// Every verb with its name.
    pub const ALL: [(&'static str, Self); 4] =
        [("requeue", Self::Requeue), ("cancel", Self::Cancel), ("delete", Self::Delete), ("run_now", Self::RunNow)];

    /// The filters that find the jobs which the verb is for. A filter that names a state or ids is kept, and the jobs that the verb
    /// is not for are refused.
    fn narrowed(self, filter: &Filter) -> Filter {
        let state = match self {
            _ if filter.state.is_some() || filter.ids.is_some() => filter.state,
            Self::Requeue => Some(Shown::Dead),
            Self::RunNow => Some(Shown::Delayed),
            Self::Cancel | Self::Delete => None,
        };
        Filter { state, ..filter.clone() }
    }

    /// True if a filter that names neither a state nor ids means jobs of this table.
    const fn is_for(self, table: Table) -> bool {
        match self {
            Self::Requeue => matches!(table, Table::Dead),
            Self::Cancel | Self::RunNow => matches!(table, Table::Live),
            Self::Delete => matches!(table, Table::Dead | Table::Finished),
        }
    }
}

/// The jobs that a call is to be applied to.
#[derive(Debug)]
pub struct Matching {
    ids: Vec<i64>,
    missing: i64,
    walked: Walked,
}

impl Matching {
    /// True if there is no job to change.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The result of a call that changes nothing.
    #[must_use]
    pub fn unchanged(&self) -> Applied {
        let mut applied = Applied { done: 0, skipped: 0, reasons: BTreeMap::new(), walked: self.walked };
        if self.missing > 0 {
            applied.skipped = self.missing;
            applied.reasons.insert(Refusal::Gone.name(), self.missing);
        }
        applied
    }
}

/// What a call has done.
#[derive(Debug, Serialize)]
pub struct Applied {
    /// The jobs that were changed.
    pub done: i64,
    /// The jobs that were refused.
    pub skipped: i64,
    /// How many were refused for each reason.
    pub reasons: BTreeMap<&'static str, i64>,
    /// Where the next call goes on.
    #[serde(flatten)]
    pub walked: Walked,
}

/// Up to `n` jobs that match, with ids below `after`. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn matching(ctx: &Ctx<'_>, verb: Verb, filter: &Filter, after: Option<i64>, n: usize) -> Result<Matching> {
    let narrowed = verb.narrowed(filter);
    let takes_all = filter.state.is_some() || filter.ids.is_some();
    let tables: Vec<Table> = narrowed.tables().into_iter().filter(|table| takes_all || verb.is_for(*table)).collect();
    let mut ids = Vec::new();
    let walked = walk(ctx, &narrowed, &tables, after, n, &mut Look::begin(), |_table, id| {
        ids.push(id);
        Ok(())
    })?;
    // Of a list of ids those are told that do not exist, by a call that sees the whole list.
    let missing = match &filter.ids {
        Some(given) if after.is_none() && walked.next.is_none() => {
            let given: std::collections::BTreeSet<i64> = given.iter().copied().collect();
            i64::try_from(given.len()).unwrap_or(i64::MAX) - i64::try_from(ids.len()).unwrap_or(0)
        }
        _ => 0,
    };
    Ok(Matching { ids, missing, walked })
}

/// Applies the verb to these jobs. In the caller's bracket.
///
/// # Errors
/// [`Error::SchemaTooNew`] if the file demands a newer writer, or whatever SQLite reports. Then nothing is changed.
pub fn apply(ctx: &Ctx<'_>, verb: Verb, matching: &Matching) -> Result<Applied> {
    schema::require_writer(ctx)?;
    let mut applied = matching.unchanged();
    for id in &matching.ids {
        match one(ctx, verb, *id)? {
            None => applied.done += 1,
            Some(refusal) => {
                applied.skipped += 1;
                *applied.reasons.entry(refusal.name()).or_default() += 1;
            }
        }
    }
    Ok(applied)
}

/// Applies the verb to one job; the reason if it is refused.
fn one(ctx: &Ctx<'_>, verb: Verb, id: i64) -> Result<Option<Refusal>> {
    match verb {
        Verb::Requeue => match queue::requeue(ctx, id, None) {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(Refusal::NotDead)),
            Err(Error::UniqueKeyTaken { .. }) => Ok(Some(Refusal::UniqueKeyTaken)),
            Err(error) => Err(error),
        },
        Verb::Cancel => match queue::request_cancel(ctx, id, None)? {
            queue::Request::Cancelled | queue::Request::Requested => Ok(None),
            queue::Request::RequestedBefore => Ok(Some(Refusal::Asked)),
            queue::Request::Gone => Ok(Some(Refusal::Ended)),
        },
        Verb::Delete => Ok((!queue::delete_ended(ctx, id)?).then_some(Refusal::NotEnded)),
        Verb::RunNow => queue::run_now(ctx, id),
    }
}
