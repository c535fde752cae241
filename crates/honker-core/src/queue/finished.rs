//! Finished jobs, in queues that keep them.

use super::ties::To;
use crate::{Ctx, Result};

/// Keeps a job that ends, if its ties say so. Before its row goes.
pub(super) fn keep(_ctx: &Ctx<'_>, _id: i64, _ties: i64, _to: To) -> Result<()> {
    Ok(())
}
