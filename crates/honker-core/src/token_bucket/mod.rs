//! Token buckets: a rate that may be exceeded by a burst, without the edges of fixed windows.
//!
//! What is stored is how many tokens were missing, and when. Between then and now the bucket has been refilled at the
//! rate of whoever asks, up to its capacity. If the clock was set back, nothing has been refilled and counting goes on
//! from the new time: that neither mints tokens nor withholds them until the clock has caught up.
//!
//! A bucket that is full again is as good as none, so each new bucket deletes a few of those: the table stays as small
//! as the number of names in use, without a sweeper.

use rusqlite::{Connection, OptionalExtension, params};

use crate::Result;
use crate::clock::{Instant, Span};
use crate::limits::EXPIRED_ROWS_PER_WRITE;

/// A wait shorter than this many milliseconds is the error of binary fractions.
const TOLERANCE_MS: f64 = 1e-6;

/// A bucket as its user describes it.
#[derive(Debug, Clone, Copy)]
pub struct Bucket<'a> {
    /// The bucket's name.
    pub name: &'a str,
    /// The most tokens it holds.
    pub capacity: f64,
    /// Tokens that it gains per second.
    pub refill_per_s: f64,
}

/// Takes tokens, all or none; if there are too few, the time until there will be enough, unless others take some.
///
/// `tokens` must not exceed the capacity. Run in a write transaction: it looks and then writes.
///
/// # Errors
/// Whatever SQLite reports.
pub fn take(conn: &Connection, bucket: Bucket<'_>, tokens: f64) -> Result<Option<Span>> {
    let now = Instant::now();
    let counted = conn
        .prepare_cached(include_str!("level.sql"))?
        .query_row([bucket.name], |row| Ok((row.get::<_, f64>(0)?, Instant::from_stored(row.get_ref(1)?))))
        .optional()?;
    let missing = match counted {
        Some((missing, Some(at))) => bucket.missing_after(missing, now - at),
        _ => 0.0,
    };
    let wait_ms = (missing + tokens - bucket.capacity) / bucket.refill_per_ms();
    if wait_ms > TOLERANCE_MS {
        if counted.is_some_and(|(_, at)| at.is_some_and(|at| at > now)) {
            bucket.note(conn, missing, now)?;
        }
        return Ok(Some(Span::from_fractional_seconds((wait_ms - TOLERANCE_MS).ceil() / 1e3)));
    }
    bucket.note(conn, (missing + tokens).min(bucket.capacity), now)?;
    if counted.is_none() {
        conn.prepare_cached(include_str!("prune.sql"))?.execute(params![now, EXPIRED_ROWS_PER_WRITE])?;
    }
    Ok(None)
}

impl Bucket<'_> {
    fn refill_per_ms(&self) -> f64 {
        self.refill_per_s / 1e3
    }

    #[expect(clippy::cast_precision_loss, reason = "spans stay below 2^53 ms, see `limits`")]
    fn missing_after(&self, missing: f64, elapsed: Span) -> f64 {
        let refilled = elapsed.as_ms().max(0) as f64 * self.refill_per_ms();
        // Whoever had a larger capacity may have taken more than this one holds.
        (missing - refilled).clamp(0.0, self.capacity)
    }

    fn note(&self, conn: &Connection, missing: f64, now: Instant) -> Result<()> {
        let full_at = now + Span::from_fractional_seconds(missing / self.refill_per_s);
        conn.prepare_cached(include_str!("count.sql"))?.execute(params![self.name, missing, now, full_at])?;
        Ok(())
    }
}
