//! From the wall clock, on which cron fields are matched, to the instants at which a schedule fires.
//!
//! A schedule is a fixed set of instants, and the next boundary is the smallest one after `after`. Everything callers
//! rely on follows from that: always later than `after`, never the same instant twice, never decreasing. The set:
//!
//! - Each instant whose wall time matches.
//! - Except that a schedule of fixed hours does not fire in the second pass of a repeated hour (clock set back):
//!   `30 1 * * *` means once a day. One that runs through the hours (see [`Cron::runs_through_hours`]) fires in both
//!   passes, or `* * * * *` would pause for an hour.
//! - And the first instant after a skipped hour (clock set forward), if a wall time in the skipped hour matches:
//!   `30 2 * * *` still fires that day, once.
//!
//! croner is only asked about wall time, because its own mapping differs: it fires `*/15 1 * * *` in both passes, and
//! drops matches in a skipped hour unless second, minute and hour are all single values.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::cron::{Cron, SUPPORTED, SearchError};

/// How far back a change of offset is looked for that may be repeating the present. The largest known shift is a day
/// (the date line moved); twice that is safe.
const LONGEST_REPEAT_S: i64 = 2 * 86_400;

/// A stretch of time during which the offset from UTC is constant.
struct Stretch {
    offset_s: i64,
    /// The first instant of the next stretch; None: it lasts for ever.
    end_at: Option<i64>,
}

impl Stretch {
    fn containing(zone: &TimeZone, instant: i64) -> Result<Self, SearchError> {
        let timestamp = timestamp(instant)?;
        Ok(Self {
            offset_s: offset_s(zone, timestamp),
            end_at: zone.following(timestamp).next().map(|change| change.timestamp().as_second()),
        })
    }
}

/// The first instant strictly after `after` at which `cron` fires in `zone`.
///
/// # Errors
/// `after` is not [`SUPPORTED`], or nothing matches within [`super::cron::HORIZON_YEARS`].
pub(super) fn next_boundary(cron: &Cron, zone: &TimeZone, after: i64) -> Result<i64, SearchError> {
    if !SUPPORTED.contains(&after) {
        return Err(SearchError::OutOfRange);
    }
    let mut stretch = Stretch::containing(zone, after)?;
    let mut wall = after + stretch.offset_s + 1;
    if !cron.runs_through_hours() {
        wall = wall.max(repeated_until(zone, after)?);
    }
    let mut matched = cron.first_match(wall)?;
    // Ends at the latest with the stretch that contains the first match; each round moves one stretch on.
    while let Some(end_at) = stretch.end_at.filter(|end_at| *end_at <= matched - stretch.offset_s) {
        let next = Stretch::containing(zone, end_at)?;
        let wall = end_at + next.offset_s;
        if matched < wall {
            return Ok(end_at); // The clock was set forward over the match.
        }
        if next.offset_s < stretch.offset_s && cron.runs_through_hours() {
            matched = cron.first_match(wall)?;
        }
        stretch = next;
    }
    Ok(matched - stretch.offset_s)
}

/// The first wall time that has not been on the clock up to and including `after`, as far as the clock was set back
/// shortly before; a wall time in the past if it was not.
fn repeated_until(zone: &TimeZone, after: i64) -> Result<i64, SearchError> {
    let mut until = i64::MIN;
    for change in zone.preceding(timestamp(after + 1)?) {
        let changed_at = change.timestamp().as_second();
        if changed_at < after - LONGEST_REPEAT_S {
            break;
        }
        until = until.max(changed_at + offset_s(zone, timestamp(changed_at - 1)?));
    }
    Ok(until)
}

fn timestamp(instant: i64) -> Result<Timestamp, SearchError> {
    Timestamp::from_second(instant).map_err(|_| SearchError::OutOfRange)
}

fn offset_s(zone: &TimeZone, timestamp: Timestamp) -> i64 {
    i64::from(zone.to_offset(timestamp).seconds())
}
