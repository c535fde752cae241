//! Dependencies: a job that waits until others have ended.
//!
//! Invariant: a job in state `waiting` has an unsettled parent, and `waiting_for` counts its unsettled edges.

use super::ties::Left;
use crate::{Ctx, Result};

/// What the failure of a parent does to a job that waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParentFailure {
    /// It becomes a dead letter, whose error names the parent.
    #[default]
    Cancel,
    /// It counts as ended: the job runs, and can read the error.
    Run,
    /// It keeps the job waiting until it is requeued and succeeds.
    Wait,
}

/// How many of these parents have not ended.
pub(super) fn look_at(_ctx: &Ctx<'_>, _parents: &[i64], _policy: ParentFailure) -> Result<i64> {
    Ok(0)
}

/// Ties a new job to its parents.
pub(super) fn tie(_ctx: &Ctx<'_>, _child: i64, _parents: &[i64], _policy: ParentFailure) -> Result<()> {
    Ok(())
}

/// Settles the edges of a parent that has ended.
pub(super) fn settle(_ctx: &Ctx<'_>, _parent: &Left) -> Result<()> {
    Ok(())
}

/// Forgets the edges of a child that has ended.
pub(super) fn forget(_ctx: &Ctx<'_>, _child: i64) -> Result<()> {
    Ok(())
}

/// Makes the children of a requeued parent wait again that its failure has cancelled.
pub(super) fn revive(_ctx: &Ctx<'_>, _parent: i64) -> Result<()> {
    Ok(())
}
