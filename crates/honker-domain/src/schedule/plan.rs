//! The boundaries that a tick fires for one schedule.
//!
//! A clock that is set back is either right, after it had been ahead, or wrong, and corrected later. The file does not
//! show which. So a schedule that has been set back fires each boundary again that comes on time, and does not stand
//! still. And it remembers in `fired_before` the boundary that it had come to, and catches up on none before that one,
//! because these have been passed once. So a clock that returns fires no boundary twice, and the schedule goes on at
//! `fired_before` as if it had never been set back. The price is paid if the clock had been ahead: boundaries that pass
//! without a tick are lost until the clock has caught up. That ends once the schedule has fired on time for
//! [`FUTURE_MARGIN`]: a time that has lasted so long is taken for the right one.

use super::{Expression, Misfire, boundary_after};
use crate::Result;
use crate::clock::Instant;
use crate::limits::{CATCH_UP_FIRES, FUTURE_MARGIN, MISFIRE_GRACE};

/// The place that a schedule has come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The next boundary.
    pub(super) next_fire_at: Instant,
    /// The boundary that it had come to before its clock was set back.
    pub(super) fired_before: Option<Instant>,
    /// The time when it was set back.
    pub(super) set_back_at: Option<Instant>,
}

/// The boundaries of one schedule to fire, and the place to go on from.
pub(super) struct Plan {
    pub(super) fire_at: Vec<Instant>,
    pub(super) next_fire_at: Instant,
    pub(super) fired_before: Option<Instant>,
}

impl Plan {
    /// The plan of a schedule whose next boundary has come.
    pub(super) fn of(expression: &Expression, place: &Place, misfire: Misfire, until: Instant) -> Result<Self> {
        match place.fired_before {
            Some(before) if place.next_fire_at < before && until < before => again(expression, place, before, until),
            Some(before) if place.next_fire_at < before => due(expression, before, misfire, until),
            _ => due(expression, place.next_fire_at, misfire, until),
        }
    }

    const fn new(fire_at: Vec<Instant>, next_fire_at: Instant) -> Self {
        Self { fire_at, next_fire_at, fired_before: None }
    }
}

/// Boundaries that have not been passed before.
fn due(expression: &Expression, first: Instant, misfire: Misfire, until: Instant) -> Result<Plan> {
    match misfire {
        Misfire::CatchUp => each(expression, first, until),
        Misfire::Once => one(expression, first, until, true),
        Misfire::Skip => one(expression, first, until, until <= first + MISFIRE_GRACE),
    }
}

fn each(expression: &Expression, first: Instant, until: Instant) -> Result<Plan> {
    let (mut fire_at, mut next_fire_at) = (Vec::new(), first);
    while next_fire_at <= until {
        if fire_at.len() == CATCH_UP_FIRES {
            next_fire_at = boundary_after(expression, until)?;
            break;
        }
        fire_at.push(next_fire_at);
        next_fire_at = boundary_after(expression, next_fire_at)?;
    }
    Ok(Plan::new(fire_at, next_fire_at))
}

fn one(expression: &Expression, first: Instant, until: Instant, fires: bool) -> Result<Plan> {
    let fire_at = if fires { vec![first] } else { Vec::new() };
    let on_time = boundary_after(expression, first)?;
    let next_fire_at = if on_time > until { on_time } else { boundary_after(expression, until)? };
    Ok(Plan::new(fire_at, next_fire_at))
}

/// Boundaries that have been passed before: only the last one fires, if it comes within [`MISFIRE_GRACE`].
fn again(expression: &Expression, place: &Place, before: Instant, until: Instant) -> Result<Plan> {
    let mut on_time = None;
    // At most one boundary a second of the grace.
    if until <= place.next_fire_at + MISFIRE_GRACE {
        let mut next = place.next_fire_at;
        while next <= until {
            on_time = Some(next);
            next = boundary_after(expression, next)?;
        }
    }
    let next_fire_at = boundary_after(expression, on_time.unwrap_or(until))?;
    let fire_at = on_time.into_iter().collect();
    let is_believed = on_time.zip(place.set_back_at).is_some_and(|(fired, set_back)| fired >= set_back + FUTURE_MARGIN);
    if is_believed {
        return Ok(Plan::new(fire_at, next_fire_at));
    }
    let fired_before = Some(before).filter(|before| next_fire_at < *before);
    Ok(Plan { fire_at, next_fire_at: next_fire_at.min(before), fired_before })
}
