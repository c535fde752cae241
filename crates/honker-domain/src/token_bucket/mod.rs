//! Token buckets: a rate that may be exceeded by a burst, without the edges of fixed windows.
//!
//! A row holds the number of missing tokens and the time of that count. Since then the bucket has been refilled at the
//! rate that the caller gives, up to its capacity. If the clock was set back, nothing has been refilled and counting goes
//! on from the new time: that neither mints tokens nor withholds them until the clock has caught up.
//!
//! A full bucket needs no row, so each new bucket deletes a few full ones: the table stays as small as the number of names
//! in use, without a sweeper.

use rusqlite::params;

use crate::clock::{Instant, Span};
use crate::limits::EXPIRED_ROWS_PER_WRITE;
use crate::{Ctx, Result, sql};

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

/// Takes tokens, all or none. With too few, returns the time until there will be enough, unless others take some.
///
/// `tokens` must not exceed the capacity. Run in a write transaction: it looks and then writes.
///
/// # Errors
/// Whatever SQLite reports.
pub fn take(ctx: &Ctx<'_>, bucket: Bucket<'_>, tokens: f64) -> Result<Option<Span>> {
    let now = ctx.now();
    let counted = ctx.row(sql!("level.sql"), [bucket.name], |row| {
        Ok((row.get::<_, f64>(0)?, Instant::from_stored(row.get_ref(1)?)))
    })?;
    let missing = match counted {
        Some((missing, Some(at))) => bucket.missing_after(missing, now - at),
        _ => 0.0,
    };
    let wait_ms = (missing + tokens - bucket.capacity) / bucket.refill_per_ms();
    if wait_ms > TOLERANCE_MS {
        if counted.is_some_and(|(_, at)| at.is_some_and(|at| at > now)) {
            bucket.note(ctx, missing, now)?;
        }
        return Ok(Some(Span::from_fractional_seconds((wait_ms - TOLERANCE_MS).ceil() / 1e3)));
    }
    bucket.note(ctx, (missing + tokens).min(bucket.capacity), now)?;
    if counted.is_none() {
        ctx.execute(sql!("prune.sql"), params![now, EXPIRED_ROWS_PER_WRITE])?;
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
        // A caller with a larger capacity may have taken more than this bucket holds.
        (missing - refilled).clamp(0.0, self.capacity)
    }

    fn note(&self, ctx: &Ctx<'_>, missing: f64, now: Instant) -> Result<()> {
        let full_at = now + Span::from_fractional_seconds(missing / self.refill_per_s);
        ctx.change_one(sql!("count.sql"), params![self.name, missing, now, full_at])
    }
}
