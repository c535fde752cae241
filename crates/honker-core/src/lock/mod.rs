//! Named locks with a lease and a fencing token.
//!
//! Invariant: at most one owner holds a name at any instant, and of two holders the later has the larger token. A
//! store that remembers the largest token it has seen can therefore refuse a holder that slept through its lease.

use rusqlite::{Connection, OptionalExtension, params};

use crate::clock::{Instant, Span};
use crate::{Error, Result};

/// Without the counter no token could be promised to be larger than those before, and to begin again would be worse.
const NO_COUNTER: &str = "the row lock_token of _honker_meta is gone or is no number; insert it with a value larger than any \
    token that was handed out";

/// Takes the lock for `ttl`, or extends it when `owner` holds it already. Whether `owner` holds it now.
///
/// Run in a write transaction: it looks and then writes.
///
/// # Errors
/// Whatever SQLite reports.
pub fn acquire(conn: &Connection, name: &str, owner: &str, ttl: Span) -> Result<bool> {
    let mut statement = conn.prepare_cached(include_str!("holder.sql"))?;
    // As bytes: an owner who is not UTF-8 is somebody else, like any other.
    let is_owner =
        statement.query_row(params![name, Instant::now()], |row| Ok(row.get_ref(0)?.as_bytes()? == owner.as_bytes()));
    match is_owner.optional()? {
        Some(true) => renew(conn, name, owner, ttl),
        Some(false) => Ok(false),
        None => {
            if conn.prepare_cached(include_str!("next_token.sql"))?.execute([])? == 0 {
                return Err(Error::MalformedRow(NO_COUNTER.to_owned()));
            }
            let expires_at = Instant::from_now(ttl);
            conn.prepare_cached(include_str!("take.sql"))?.execute(params![name, owner, expires_at])?;
            Ok(true)
        }
    }
}

/// When the lock lapses, whoever holds it; `None` when it is free. Reads only: whoever waits for a lock asks this after
/// each commit, and writes only when the lock is to be had.
///
/// # Errors
/// Whatever SQLite reports.
pub fn expires_at(conn: &Connection, name: &str) -> Result<Option<Instant>> {
    let mut statement = conn.prepare_cached(include_str!("expires_at.sql"))?;
    let found = statement.query_row(params![name, Instant::now()], |row| Ok(Instant::from_stored(row.get_ref(0)?)));
    Ok(found.optional()?.flatten())
}

/// Gives the lock up. Whether `owner` had it, lapsed or not. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn release(conn: &Connection, name: &str, owner: &str) -> Result<bool> {
    Ok(conn.prepare_cached(include_str!("release.sql"))?.execute([name, owner])? == 1)
}

/// Makes a lock that is held end `ttl` from now. Whether it was held: a lapsed one is not revived, since somebody
/// may have worked under it in between. One statement.
///
/// # Errors
/// Whatever SQLite reports.
pub fn renew(conn: &Connection, name: &str, owner: &str, ttl: Span) -> Result<bool> {
    let mut statement = conn.prepare_cached(include_str!("renew.sql"))?;
    Ok(statement.execute(params![name, owner, Instant::from_now(ttl), Instant::now()])? == 1)
}

/// The fencing token of a lock that `owner` holds; `None` when it does not hold it. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn token(conn: &Connection, name: &str, owner: &str) -> Result<Option<i64>> {
    let mut statement = conn.prepare_cached(include_str!("token.sql"))?;
    Ok(statement.query_row(params![name, owner, Instant::now()], |row| row.get(0)).optional()?)
}
