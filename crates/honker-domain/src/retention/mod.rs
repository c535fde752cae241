//! Retention policies: how many dead letters of a queue, or events of a topic, are kept, and for how long.
//!
//! There is no sweeper. Writers delete a few of the rows that the policy of that name gives up: each dead letter, and
//! each publish at some of the offsets. So a table stays near its policies as long as it is written to, and no write
//! becomes a long one. A name without further writes keeps its last rows until it is pruned.

use rusqlite::params;
use serde::Serialize;

use crate::clock::{Instant, Span};
use crate::limits::FUTURE_MARGIN;
use crate::{Ctx, Result, sql};

/// The kind of rows that a policy keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The dead letters of a queue.
    Dead,
    /// The events of a topic.
    Stream,
}

impl Kind {
    /// The kind as SQL names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Stream => "stream",
        }
    }
}

/// The bounds of a policy. Rows that are neither too old nor too many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The greatest age of a row.
    pub max_age: Option<Span>,
    /// The number of newest rows that stay.
    pub max_keep: Option<i64>,
}

impl Limits {
    /// True if everything is kept.
    #[must_use]
    pub const fn keep_all(&self) -> bool {
        self.max_age.is_none() && self.max_keep.is_none()
    }

    /// The second before which a row is surely too old: times are stored as the second that had begun.
    pub(crate) fn old_before(&self, ctx: &Ctx<'_>) -> Option<i64> {
        self.max_age.map(|age| ctx.ago(age).second())
    }

    /// The second after which a row counts as old as well: a clock that was ahead wrote it. Pruning looks at the first
    /// rows only, which such rows would block until the clock has caught up with them.
    pub(crate) fn old_after(&self, ctx: &Ctx<'_>) -> Option<i64> {
        self.max_age.map(|age| (ctx.now() + age.max(FUTURE_MARGIN)).second())
    }
}

/// A policy, and the last search for surplus rows.
pub(crate) struct Policy {
    pub(crate) limits: Limits,
    pub(crate) surplus_to: Option<i64>,
    pub(crate) judged_at: Option<i64>,
}

/// The policy of a name, if it has one.
pub(crate) fn policy(ctx: &Ctx<'_>, kind: Kind, name: &str) -> Result<Option<Policy>> {
    ctx.row(sql!("policy.sql"), [kind.as_str(), name], |row| {
        let max_age = Instant::from_stored(row.get_ref(0)?).map(|at| at - Instant::from_ms(0));
        Ok(Policy {
            limits: Limits { max_age, max_keep: row.get(1)? },
            surplus_to: row.get(2)?,
            judged_at: row.get(3)?,
        })
    })
}

/// Notes the last offset of a topic's surplus events, as found at the offset `judged_at`.
pub(crate) fn judge(ctx: &Ctx<'_>, topic: &str, surplus_to: Option<i64>, judged_at: i64) -> Result<()> {
    ctx.execute(sql!("judge.sql"), params![topic, surplus_to, judged_at])?;
    Ok(())
}

/// True for one row in [`crate::limits::PRUNE_EVERY`], at which a policy is looked at.
///
/// Scattered over the ids: with each 64th, a topic whose events always fall in between, because several writers take
/// turns, would never be pruned.
pub(crate) fn is_turn(id: i64) -> bool {
    const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;
    const BITS: u32 = crate::limits::PRUNE_EVERY.trailing_zeros();
    id.cast_unsigned().wrapping_mul(SCATTER) >> (u64::BITS - BITS) == 0
}

/// Sets the policy of a name; no limits remove it. True if a policy was set or removed. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn set(ctx: &Ctx<'_>, kind: Kind, name: &str, limits: Limits) -> Result<bool> {
    if limits.keep_all() {
        return Ok(ctx.execute(sql!("unset.sql"), [kind.as_str(), name])? == 1);
    }
    let max_age_s = limits.max_age.map(|age| Instant::from_ms(age.as_ms()));
    ctx.execute(sql!("set.sql"), params![kind.as_str(), name, max_age_s, limits.max_keep])?;
    Ok(true)
}

/// A policy as it is listed.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// `dead` or `stream`.
    pub kind: String,
    /// The queue or the topic.
    pub name: String,
    /// See [`Limits`].
    pub max_age_s: Option<Instant>,
    /// See [`Limits`].
    pub max_keep: Option<i64>,
}

/// Every policy, by kind and name. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(ctx: &Ctx<'_>) -> Result<Vec<Listed>> {
    ctx.rows(sql!("list.sql"), [], |row| {
        Ok(Listed {
            kind: row.get(0)?,
            name: row.get(1)?,
            max_age_s: Instant::from_stored(row.get_ref(2)?),
            max_keep: row.get(3)?,
        })
    })
}
