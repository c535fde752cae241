//! Locks that are held.

use serde::Serialize;

use super::look::Look;
use crate::clock::Instant;
use crate::{Ctx, Result, lock, sql};

/// A lock that is held.
#[derive(Debug, Serialize)]
pub struct Lock {
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: String,
    /// When it lapses.
    pub expires_at: Option<Instant>,
    /// When the owner took it or extended it, if that is known.
    pub taken_at: Option<Instant>,
    /// The fencing token.
    pub token: i64,
}

/// A page of locks.
#[derive(Debug, Serialize)]
pub struct Locks {
    /// By name.
    pub locks: Vec<Lock>,
    /// The name after which the list goes on; `None` at its end.
    pub next: Option<String>,
}

/// Up to `n` locks after `after` that are held. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn locks(ctx: &Ctx<'_>, after: &str, n: usize) -> Result<Locks> {
    let mut look = Look::begin();
    let mut statement = ctx.prepare(sql!("locks.sql"))?;
    let mut rows = statement.cursor([after])?;
    let (mut locks, mut last) = (Vec::new(), after.to_owned());
    while let Some(row) = rows.next()? {
        // A name that is no text was written by hand, and sorts after every text.
        let Ok(name) = row.get_ref(0)?.as_str() else { break };
        if locks.len() >= n || look.is_over() {
            return Ok(Locks { locks, next: Some(last) });
        }
        look.count();
        name.clone_into(&mut last);
        let expires_at = Instant::from_stored(row.get_ref(2)?);
        let is_held = row.get::<_, bool>(5)? && expires_at.is_some_and(|at| lock::is_held_until(ctx, at));
        if is_held {
            locks.push(Lock {
                name: name.to_owned(),
                owner: String::from_utf8_lossy(row.get_ref(1)?.as_bytes().unwrap_or_default()).into_owned(),
                expires_at,
                taken_at: Instant::from_stored(row.get_ref(3)?),
                token: row.get_ref(4)?.as_i64().unwrap_or(0),
            });
        }
    }
    Ok(Locks { locks, next: None })
}
