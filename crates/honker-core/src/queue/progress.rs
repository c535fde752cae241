//! The progress of jobs at work.

use crate::{Ctx, Result};

/// Forgets the progress of a job that has left its worker.
pub(super) fn forget(_ctx: &Ctx<'_>, _id: i64) -> Result<()> {
    Ok(())
}
