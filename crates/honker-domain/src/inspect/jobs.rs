//! Lists of jobs.

use serde::Serialize;

use super::filter::Filter;
use super::look::Look;
use super::summary::{Summary, summary};
use super::walk::{Walked, walk};
use crate::{Ctx, Result};

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct Page {
    /// The greatest id first.
    pub jobs: Vec<Summary>,
    /// Where it goes on.
    #[serde(flatten)]
    pub walked: Walked,
}

/// Up to `n` jobs that match, with ids below `after`, the greatest first. Reads only, in a snapshot of the caller.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(ctx: &Ctx<'_>, filter: &Filter, after: Option<i64>, n: usize) -> Result<Page> {
    let mut jobs = Vec::new();
    let walked = walk(ctx, filter, &filter.tables(), after, n, &mut Look::begin(), |table, id| {
        jobs.extend(summary(ctx, table, id)?);
        Ok(())
    })?;
    Ok(Page { jobs, walked })
}
