//! Watcher functions.

use std::time::{Duration, Instant};

use honker_domain::{Ctx, Error, Result};
use honker_watch::{Backend, Descriptor, Options, Subscription, Wake};

use super::Output;
use crate::arguments::Arguments;

/// Milliseconds of the longest wait: a day. The connection is blocked meanwhile.
pub const WAIT_MAX_MS: i64 = 86_400_000;

/// A wait looks for an interrupt at this distance.
const WAIT_SLICE: Duration = Duration::from_millis(50);

pub fn open(_ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let path = arguments.text(0, "db_path")?;
    let backend = Backend::from_name(arguments.optional_text(1, "backend")?);
    let mut options = Options::new(backend.map_err(|problem| Error::invalid("backend:", problem))?);
    if let Some(interval) = arguments.optional_integer(2, "poll_interval_ms")? {
        options =
            options.with_poll_interval_ms(interval).map_err(|problem| Error::invalid("poll_interval_ms:", problem))?;
    }
    let descriptor = Descriptor::from_name(arguments.optional_text(3, "descriptor")?);
    let descriptor = descriptor.map_err(|problem| Error::invalid("descriptor:", problem))?;
    honker_watch::open(path, options, descriptor).map(Output::from).map_err(Error::Watcher)
}

pub fn wait(ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let id = arguments.integer(0, "id")?;
    let timeout = arguments.integer(1, "timeout_ms")?.clamp(0, WAIT_MAX_MS);
    let Some(subscription) = honker_watch::get(id) else { return Ok(Output::Integer(-1)) };
    let wake = wait_until_interrupted(ctx, &subscription, Duration::from_millis(timeout.unsigned_abs()))?;
    if wake == Wake::Dead {
        honker_watch::close(id);
    }
    Ok(Output::Integer(match wake {
        Wake::Update => 1,
        Wake::Timeout => 0,
        Wake::Dead => -1,
    }))
}

/// Waits, and fails when the host interrupts its connection. Another
/// thread may have taken the notice that the subscription is closed, which the next wait then sees.
fn wait_until_interrupted(ctx: &Ctx<'_>, subscription: &Subscription, timeout: Duration) -> Result<Wake> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let wake = subscription.wait(left.min(WAIT_SLICE));
        if wake != Wake::Timeout || left <= WAIT_SLICE {
            return Ok(wake);
        }
        ctx.check_interrupt()?;
    }
}

pub fn descriptor(_ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let subscription = honker_watch::get(arguments.integer(0, "id")?);
    Ok(subscription.and_then(|subscription| subscription.descriptor()).map(i64::from).into())
}

pub fn stats(_ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let subscription = honker_watch::get(arguments.integer(0, "id")?);
    Ok(subscription.map_or(Output::Null, |subscription| Output::json(&subscription.report())))
}

pub fn close(_ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    honker_watch::close(arguments.integer(0, "id")?);
    Ok(true.into())
}
