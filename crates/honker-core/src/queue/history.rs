//! The history of a job: its attempts that did not end well, bounded.

use crate::{Ctx, Result};

/// Records an attempt of a job in flight. Before its row changes.
pub(super) fn record(_ctx: &Ctx<'_>, _id: i64, _outcome: &str, _error: &str) -> Result<()> {
    Ok(())
}

/// Records that the worker of a job was lost, if it is in flight.
pub(super) fn record_lost(_ctx: &Ctx<'_>, _id: i64) -> Result<()> {
    Ok(())
}

/// Forgets the attempts of a job that has ended.
pub(super) fn forget(_ctx: &Ctx<'_>, _id: i64) -> Result<()> {
    Ok(())
}
