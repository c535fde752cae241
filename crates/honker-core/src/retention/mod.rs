//! What is kept, of dead letters and of events, and for how long: a policy for each queue or topic that has one.
//!
//! There is no sweeper. Whoever writes deletes a little of what the policy of that name gives up: a burial of a job, and
//! a publish at some of the offsets. So a table stays near what its policies say as long as it is written to, and no
//! write becomes a long one. A name that nobody writes to any more keeps its last rows until somebody prunes them.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use crate::Result;
use crate::clock::{Instant, Span};

/// What a policy is about.
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

/// What is kept; what is neither too old nor too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How old a row may become.
    pub max_age: Option<Span>,
    /// How many of the newest rows stay.
    pub max_keep: Option<i64>,
}

impl Limits {
    /// Whether everything is kept.
    #[must_use]
    pub const fn keep_all(&self) -> bool {
        self.max_age.is_none() && self.max_keep.is_none()
    }

    /// The second before which a row is surely too old: times are stored as the second that had begun.
    pub(crate) fn old_before(&self) -> Option<i64> {
        self.max_age.map(|age| Instant::from_ms(Instant::now().as_ms().saturating_sub(age.as_ms())).second())
    }
}

/// A policy, and what is known of the rows that it gives up.
pub(crate) struct Policy {
    pub(crate) limits: Limits,
    pub(crate) surplus_to: Option<i64>,
    pub(crate) judged_at: Option<i64>,
}

/// The policy of a name, if it has one.
pub(crate) fn policy(conn: &Connection, kind: Kind, name: &str) -> Result<Option<Policy>> {
    let mut statement = conn.prepare_cached(include_str!("policy.sql"))?;
    let found = statement.query_row([kind.as_str(), name], |row| {
        let max_age = Instant::from_stored(row.get_ref(0)?).map(|at| at - Instant::from_ms(0));
        Ok(Policy {
            limits: Limits { max_age, max_keep: row.get(1)? },
            surplus_to: row.get(2)?,
            judged_at: row.get(3)?,
        })
    });
    Ok(found.optional()?)
}

/// Notes up to where the events of a topic are too many, as found out at an offset.
pub(crate) fn judge(conn: &Connection, topic: &str, surplus_to: Option<i64>, judged_at: i64) -> Result<()> {
    conn.prepare_cached(include_str!("judge.sql"))?.execute(params![topic, surplus_to, judged_at])?;
    Ok(())
}

/// Whether a row is one of those, one in [`crate::limits::PRUNE_EVERY`], at which a policy is looked at.
///
/// Scattered over the ids: with each 64th, a topic whose events always fall in between, because several writers take
/// turns, would never be pruned.
pub(crate) fn is_turn(id: i64) -> bool {
    const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;
    const BITS: u32 = crate::limits::PRUNE_EVERY.trailing_zeros();
    id.cast_unsigned().wrapping_mul(SCATTER) >> (u64::BITS - BITS) == 0
}

/// Sets what is kept under a name; no limits remove the policy. Whether that changed or set anything. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn set(conn: &Connection, kind: Kind, name: &str, limits: Limits) -> Result<bool> {
    if limits.keep_all() {
        return Ok(conn.prepare_cached(include_str!("unset.sql"))?.execute([kind.as_str(), name])? == 1);
    }
    let max_age_s = limits.max_age.map(|age| Instant::from_ms(age.as_ms()));
    conn.prepare_cached(include_str!("set.sql"))?.execute(params![kind.as_str(), name, max_age_s, limits.max_keep])?;
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
pub fn list(conn: &Connection) -> Result<Vec<Listed>> {
    let mut statement = conn.prepare_cached(include_str!("list.sql"))?;
    let policies = statement.query_map([], |row| {
        Ok(Listed {
            kind: row.get(0)?,
            name: row.get(1)?,
            max_age_s: Instant::from_stored(row.get_ref(2)?),
            max_keep: row.get(3)?,
        })
    })?;
    Ok(policies.collect::<rusqlite::Result<_>>()?)
}
