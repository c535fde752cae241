//! Named locks with a lease and a fencing token.
//!
//! Invariant: at most one owner holds a name at any instant, and of two holders the later has the larger token. A
//! store that remembers the largest token it has seen can therefore reject a holder whose lease has lapsed.
//!
//! A clock that is set back must neither end a lock early nor keep it for as long as the clock takes to catch up, and two
//! processes may not agree on the time for some milliseconds. So a lock keeps the instant from which its length was measured.
//! Where that is to come, another owner's [`acquire`] measures the same length from now: the holder keeps the lock for no less
//! than its length, and the other waits for no longer than that. A writer that does not know `taken_at` replaces the row, which
//! leaves NULL, or changes only `expires_at`, after which the length counts as longer: the end then holds as it is stored.

use rusqlite::params;

use crate::clock::{Instant, Span};
use crate::limits::{FUTURE_MARGIN, LEASE_MAX_S};
use crate::{Ctx, Error, Result, sql};

/// Without the counter no token is certain to be larger than those before.
const NO_COUNTER: &str = "the row lock_token of _honker_meta is gone or is no number; insert it with a value larger than any \
    token that was handed out";

/// The latest end of a lock that is held now. One that ends later was taken by a clock that was ahead: its owner may have
/// ended long ago, and the name would be locked for years. The margin keeps the longest lock through a correction of the
/// clock: a lock that counted as free too early would have two holders.
fn latest_end(ctx: &Ctx<'_>) -> Instant {
    ctx.after(Span::from_seconds(LEASE_MAX_S)) + FUTURE_MARGIN
}

/// True if a lock with this end is held now.
pub(crate) fn is_held_until(ctx: &Ctx<'_>, end: Instant) -> bool {
    end > ctx.now() && end <= latest_end(ctx)
}

/// Takes the lock for `ttl`, or extends it when `owner` holds it already. True if `owner` holds it now.
///
/// Run in a write transaction: it looks and then writes.
///
/// # Errors
/// Whatever SQLite reports.
pub fn acquire(ctx: &Ctx<'_>, name: &str, owner: &str, ttl: Span) -> Result<bool> {
    // Compared as bytes: the stored owner need not be UTF-8.
    let holder = ctx.row(sql!("holder.sql"), params![name, ctx.now(), latest_end(ctx)], |row| {
        let is_owner = row.get_ref(0)?.as_bytes()? == owner.as_bytes();
        Ok((is_owner, Instant::from_stored(row.get_ref(1)?), Instant::from_stored(row.get_ref(2)?)))
    })?;
    match holder {
        Some((true, ..)) => renew(ctx, name, owner, ttl),
        Some((false, Some(end), Some(taken_at))) if ctx.now() < taken_at && taken_at < end => {
            let end = ctx.stored(ctx.now() + (end - taken_at))?;
            ctx.change_one(sql!("measure_anew.sql"), params![name, end, ctx.now()])?;
            Ok(false)
        }
        Some((false, ..)) => Ok(false),
        None => {
            if ctx.execute(sql!("next_token.sql"), [])? == 0 {
                return Err(Error::MalformedRow(NO_COUNTER.to_owned()));
            }
            ctx.change_one(sql!("take.sql"), params![name, owner, ctx.stored(ctx.after(ttl))?, ctx.now()])?;
            Ok(true)
        }
    }
}

/// When the lock lapses, for any holder; `None` when it is free. Reads only: a waiter asks this after each commit, and
/// writes only when the lock is free.
///
/// # Errors
/// Whatever SQLite reports.
pub fn expires_at(ctx: &Ctx<'_>, name: &str) -> Result<Option<Instant>> {
    let read = |row: &rusqlite::Row<'_>| Ok(Instant::from_stored(row.get_ref(0)?));
    Ok(ctx.row(sql!("expires_at.sql"), params![name, ctx.now(), latest_end(ctx)], read)?.flatten())
}

/// Releases the lock. True if `owner` had it, lapsed or not. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn release(ctx: &Ctx<'_>, name: &str, owner: &str) -> Result<bool> {
    Ok(ctx.execute(sql!("release.sql"), [name, owner])? == 1)
}

/// Makes a lock that is held end `ttl` from now. True if it was held: a lapsed one is not revived, since another owner
/// may have worked under it in between. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn renew(ctx: &Ctx<'_>, name: &str, owner: &str, ttl: Span) -> Result<bool> {
    let end = ctx.after(ttl);
    Ok(ctx.execute(sql!("renew.sql"), params![name, owner, end, ctx.now(), ctx.if_shared(end), latest_end(ctx)])? == 1)
}

/// The fencing token of a lock that `owner` holds; `None` when it does not hold it. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn token(ctx: &Ctx<'_>, name: &str, owner: &str) -> Result<Option<i64>> {
    ctx.row(sql!("token.sql"), params![name, owner, ctx.now(), latest_end(ctx)], |row| row.get(0))
}
