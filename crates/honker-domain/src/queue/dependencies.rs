//! Dependencies: a job that waits until others have ended.
//!
//! An edge, a row of `_honker_dependencies`, is open until it has an outcome. Invariants, after each commit:
//!
//! 1. A job in state `waiting` has an open edge, and `waiting_for` counts its open edges.
//! 2. The parent of an open edge can still end: it is a live job with the tie `DEPENDENTS`, or, under the policy `wait`, a dead
//!    letter.
//! 3. An edge of policy `cancel` whose outcome is a failure belongs to a dead letter that this failure has made, and which a
//!    requeue of the parent brings back. [`detach`] takes this power from the parents of a job that died by itself, or
//!    which an operator has requeued.
//! 4. The end of a parent is in `_honker_outcomes`, once, while one of its children has not ended.
//!
//! An edge is added in the commit of its child, which marks the parent, and given its outcome in the commit that ends the
//! parent. The count goes down with each edge, so an ack costs one update for each child, and no look at the other parents.
//!
//! - *The process dies*, or *COMMIT fails*: edges, counts and states are written in the bracket of the move that they follow
//!   from, so either all are there or the parent has not ended.
//! - *Two processes*: a parent that ends while its child is added. Both write, and SQLite has one writer. If the child is first,
//!   its mark keeps the plain ack, one statement that tests `ties IS NULL`, from ending the parent, and the ack with ties finds
//!   the edge. If the ack is first, the child does not find a live parent and takes the outcome that is retained. A host's
//!   transaction that has read before the other wrote cannot write: SQLite refuses it with BUSY.
//! - *The clock jumps*: no time decides here, except whether a retained result has expired.
//! - *A reference process, an older honker or a DELETE by hand* ends a parent without settling its edges, which breaks 2. See
//!   `lost_parents`.
//!
//! There are no cycles, and none has to be searched for: a parent exists when its child is added, and ids only grow. A failure
//! spreads from parents to children through the effects of the call, one generation at a time and each edge once: a chain
//! of any length needs no stack.

use rusqlite::params;

use super::ties::{DEPENDENTS, Left, To};
use super::transition::{Move, leave};
use super::unique;
use crate::{Ctx, Error, Result, sql};

/// Characters of a parent's error in that of the child.
const QUOTED_ERROR_CHARS: usize = 200;

/// What the failure of a parent does to a job that waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParentFailure {
    /// It becomes a dead letter, whose error names the parent.
    #[default]
    Cancel,
    /// It counts as ended: the job runs, and can read the error.
    Run,
    /// It keeps the job waiting until the parent is requeued and succeeds. A parent that cannot be requeued, because it was
    /// cancelled or its dead letter was deleted, counts as under `Cancel`.
    Wait,
}

impl ParentFailure {
    const ALL: [Self; 3] = [Self::Cancel, Self::Run, Self::Wait];

    /// The policy as `_honker_dependencies.policy` names it.
    const fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Run => "run",
            Self::Wait => "wait",
        }
    }

    /// A name that was written by hand counts as the default.
    pub(super) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|policy| policy.name() == name).unwrap_or_default()
    }
}

/// The end of a parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Done,
    /// A dead letter, with its error; it can be requeued, unless its row is gone.
    Dead {
        error: String,
        can_return: bool,
    },
    Cancelled,
}

impl End {
    const fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Dead { .. } => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    fn error(&self) -> Option<&str> {
        if let Self::Dead { error, .. } = self { Some(error) } else { None }
    }

    const fn can_return(&self) -> bool {
        matches!(self, Self::Dead { can_return: true, .. })
    }

    /// True if it leaves an edge of this policy open.
    pub(super) fn is_waited_out(&self, policy: ParentFailure) -> bool {
        policy == ParentFailure::Wait && self.can_return()
    }

    /// The error of a child of this policy that it cancels, if it does.
    fn cancels(&self, policy: ParentFailure, parent: i64) -> Option<String> {
        if policy == ParentFailure::Run || self.is_waited_out(policy) {
            return None;
        }
        match self {
            Self::Done => None,
            Self::Dead { error, .. } => {
                let quoted: String = error.chars().take(QUOTED_ERROR_CHARS).collect();
                Some(format!("parent {parent} failed: {quoted}"))
            }
            Self::Cancelled => Some(format!("parent {parent} was cancelled")),
        }
    }
}

/// What is known of a job that is named as a parent.
pub(super) enum Fate {
    Live,
    Ended(End),
}

impl Fate {
    /// `None` if nothing is known.
    pub(super) fn of(ctx: &Ctx<'_>, id: i64) -> Result<Option<Self>> {
        ctx.row(sql!("dependencies_fate.sql"), params![id, ctx.now()], |row| {
            let error = || Ok::<_, rusqlite::Error>(row.get_ref(1)?.as_str().unwrap_or_default().to_owned());
            Ok(match row.get_ref(0)?.as_str().unwrap_or_default() {
                "live" => Self::Live,
                "dead" => Self::Ended(End::Dead { error: error()?, can_return: row.get(2)? }),
                "cancelled" => Self::Ended(End::Cancelled),
                _ => Self::Ended(End::Done),
            })
        })
    }
}

/// The parents of a new job, as they are now.
pub(super) struct Parents {
    edges: Vec<(i64, ParentFailure, Option<End>)>,
    /// How many of them have not ended.
    pub(super) unsettled: i64,
    /// The error with which the failure of one of them cancels the job.
    pub(super) cancelled: Option<String>,
}

impl Parents {
    /// Under the write lock that the new job is added with.
    pub(super) fn look_at(ctx: &Ctx<'_>, parents: &[(i64, ParentFailure)]) -> Result<Self> {
        let mut found = Self { edges: Vec::with_capacity(parents.len()), unsettled: 0, cancelled: None };
        for (id, policy) in parents {
            let end = match Fate::of(ctx, *id)?.ok_or(Error::UnknownParent(*id))? {
                Fate::Live => None,
                Fate::Ended(end) => Some(end),
            };
            if end.as_ref().is_none_or(|end| end.is_waited_out(*policy)) {
                found.unsettled += 1;
            }
            if found.cancelled.is_none() {
                found.cancelled = end.as_ref().and_then(|end| end.cancels(*policy, *id));
            }
            found.edges.push((*id, *policy, end));
        }
        Ok(found)
    }

    /// True if there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// Ties a new job to them.
    pub(super) fn tie(&self, ctx: &Ctx<'_>, child: i64) -> Result<()> {
        for (position, (parent, policy, end)) in self.edges.iter().enumerate() {
            let position = i64::try_from(position).unwrap_or(i64::MAX);
            let settled = end.as_ref().filter(|end| !end.is_waited_out(*policy));
            // A failure that cannot be waited out cancels.
            let policy = match (policy, settled) {
                (ParentFailure::Wait, Some(End::Dead { .. } | End::Cancelled)) => ParentFailure::Cancel,
                _ => *policy,
            };
            let outcome = settled.map(End::name);
            ctx.change_one(sql!("dependencies_add.sql"), params![parent, child, position, policy.name(), outcome])?;
            match end {
                None => ctx.execute(sql!("dependencies_mark.sql"), [*parent, DEPENDENTS])?,
                Some(end) => {
                    if end.can_return() {
                        ctx.execute(sql!("dependencies_mark_dead.sql"), [*parent, DEPENDENTS])?;
                    }
                    keep(ctx, *parent, end)?
                }
            };
        }
        Ok(())
    }
}

/// Settles the edges of a parent that has ended.
pub(super) fn settle(ctx: &Ctx<'_>, parent: &Left) -> Result<()> {
    let end = match parent.to {
        To::Done => End::Done,
        To::Cancelled => End::Cancelled,
        To::Dead => End::Dead { error: parent.error.clone(), can_return: true },
        To::Back => return Ok(()),
    };
    settle_edges(ctx, parent.id, &end)
}

/// Settles the edges of a job that has come to this end: O(children).
pub(super) fn settle_edges(ctx: &Ctx<'_>, parent: i64, end: &End) -> Result<()> {
    let edges: Vec<(i64, ParentFailure, bool)> = ctx.rows(sql!("dependencies_children.sql"), [parent], |row| {
        Ok((row.get(0)?, ParentFailure::named(row.get_ref(1)?.as_str().unwrap_or_default()), row.get(2)?))
    })?;
    if edges.is_empty() {
        return Ok(());
    }
    keep(ctx, parent, end)?;
    ctx.execute(sql!("dependencies_settle.sql"), params![parent, end.name(), end.can_return()])?;
    for (child, policy, is_open) in edges {
        if is_open && !end.is_waited_out(policy) {
            count_down(ctx, child, end.cancels(policy, parent).as_deref())?;
        }
    }
    Ok(())
}

/// Takes note, for a child that still waits, that one of its parents has ended; with an error, which cancels it.
fn count_down(ctx: &Ctx<'_>, child: i64, error: Option<&str>) -> Result<()> {
    let waiting = ctx.row(sql!("dependencies_waiting.sql"), [child], |row| {
        Ok((row.get_ref(0)?.as_str().unwrap_or_default().to_owned(), row.get_ref(1)?.as_i64().unwrap_or(0)))
    })?;
    match (waiting, error) {
        (None, _) => {}
        (Some((queue, _)), Some(error)) => drop(leave(ctx, &Move::DeadLetter { id: child, queue: &queue, error })?),
        (Some((_, ..=1)), None) => drop(leave(ctx, &Move::Ready { id: child })?),
        (Some(_), None) => ctx.change_one(sql!("dependencies_count_down.sql"), [child])?,
    }
    Ok(())
}

fn keep(ctx: &Ctx<'_>, parent: i64, end: &End) -> Result<usize> {
    ctx.execute(sql!("dependencies_keep.sql"), params![parent, end.name(), end.error(), ctx.now()])
}

/// Forgets the edges of a child that has ended, and the ends of parents that no other child needs.
pub(super) fn forget(ctx: &Ctx<'_>, child: i64) -> Result<()> {
    ctx.execute(sql!("dependencies_forget_outcomes.sql"), [child])?;
    ctx.execute(sql!("dependencies_forget.sql"), [child])?;
    Ok(())
}

/// Takes from the parents of a dead letter the power to bring it back, if it has died by itself.
pub(super) fn detach_if_own_death(ctx: &Ctx<'_>, child: i64) -> Result<()> {
    if has_failed_parent(ctx, child)? { Ok(()) } else { detach(ctx, child) }
}

/// Takes from the parents of a job the power over it. They still tell it their outcomes.
pub(super) fn detach(ctx: &Ctx<'_>, child: i64) -> Result<()> {
    ctx.execute(sql!("dependencies_detach.sql"), [child])?;
    Ok(())
}

fn has_failed_parent(ctx: &Ctx<'_>, child: i64) -> Result<bool> {
    Ok(ctx.row(sql!("dependencies_failed.sql"), [child], |_row| Ok(()))?.is_some())
}

/// Makes the children of a requeued parent wait again that its failure has cancelled, and which no other failure keeps dead.
/// Their own children follow with the effects of the call.
///
/// A child whose unique key another job has taken since stays a dead letter: no requeue fails because of a job that it
/// does not name.
pub(crate) fn revive(ctx: &Ctx<'_>, parent: i64) -> Result<()> {
    let children: Vec<i64> = ctx.rows(sql!("dependencies_cancelled.sql"), [parent], |row| row.get(0))?;
    ctx.execute(sql!("dependencies_reopen.sql"), [parent])?;
    ctx.execute(sql!("dependencies_requeued.sql"), [parent])?;
    for child in children {
        if has_failed_parent(ctx, child)? {
            continue;
        }
        match unique::check_requeue(ctx, child, None) {
            Ok(()) => {
                let waiting_for: Option<i64> = ctx.row(sql!("dependencies_count.sql"), [child], |row| row.get(0))?;
                leave(ctx, &Move::Revive { id: child, waiting_for: waiting_for.unwrap_or(1) })?;
            }
            Err(Error::UniqueKeyTaken { .. }) => detach(ctx, child)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
