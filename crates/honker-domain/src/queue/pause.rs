//! Pausing a queue or a key: nothing of it is claimed; enqueueing and settling go on.
//!
//! A pause with an end needs no process that is alive at it: claims compare it with the time, and `next_claim_at` returns it. The
//! row of a queue keeps a pause that has ended, which counts as none everywhere, until it is paused again.
//!
//! Invariant: `paused_keys` of a queue is the number of its keys with a `paused_at`. Each change of one counts them again in the
//! same commit. A claim looks at the pauses of keys only if that is more than 0; it ends those whose time has come, promotes
//! their jobs, and so brings it to 0 at last ([`super::keys`]).
//!
//! A clock that is set back after a pause was found to be over does not bring the pause of a key back.

use rusqlite::params;

use super::settings::Pause;
use crate::clock::Instant;
use crate::{Ctx, Error, Result, schema, sql};

/// The reason of a pause by [`hold`].
const HOLD_REASON: &str = "rate limited";

/// The end of a pause and its reason.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms<'a> {
    /// From then on it is none; `None` means until it is resumed.
    pub until: Option<Instant>,
    /// For operators.
    pub reason: Option<&'a str>,
}

impl Terms<'_> {
    /// The end as this file stores it, rounded up where it holds whole seconds.
    fn stored_until(&self, ctx: &Ctx<'_>) -> Result<Option<Instant>> {
        match self.until {
            Some(until) if until <= ctx.now() => {
                Err(Error::invalid("until", "is not later than now; leave it out, or resume"))
            }
            until => until.map(|until| ctx.stored(until)).transpose(),
        }
    }
}

/// Pauses the queue. False if it was paused already; then the pause has these terms from now on.
///
/// # Errors
/// [`Error::InvalidArgument`] for an end that has passed, or whatever SQLite reports.
pub fn pause(ctx: &Ctx<'_>, queue: &str, terms: &Terms<'_>) -> Result<bool> {
    let until = terms.stored_until(ctx)?;
    let was_paused = is_paused(ctx, queue)?;
    let paused_at = (!was_paused).then(|| ctx.second());
    ctx.forget_settings();
    ctx.change_one(sql!("pause.sql"), params![queue, paused_at, until, terms.reason])?;
    Ok(!was_paused)
}

/// True if the queue is paused now.
pub(crate) fn is_paused(ctx: &Ctx<'_>, queue: &str) -> Result<bool> {
    Ok(ctx.row(sql!("paused_at.sql"), params![queue, ctx.now()], |_row| Ok(()))?.is_some())
}

/// The jobs that are held back because another system refuses requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Those of the queue of a job.
    Queue,
    /// Those of the key of a job; none if it has no key.
    Key,
}

/// Pauses the queue or the key of a live job until an instant. A pause that lasts longer stays as it is, and so does one that an
/// operator has begun and will end. The caller brackets it with the move of that job.
pub(super) fn hold(ctx: &Ctx<'_>, id: i64, hold: Hold, until: Instant) -> Result<()> {
    let target = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?));
    // A job whose cancellation was requested has ended instead.
    let Some((queue, key)) = ctx.row(sql!("hold_target.sql"), [id], target)? else { return Ok(()) };
    let pause = match (hold, &key) {
        (Hold::Queue, _) => ctx.row(sql!("paused_at.sql"), params![queue, ctx.now()], |row| Pause::read(row, 0))?,
        (Hold::Key, Some(key)) => ctx.row(sql!("key_facts.sql"), [&queue, key], |row| Pause::read(row, 0))?,
        (Hold::Key, None) => return Ok(()),
    };
    let lasts_longer = |pause: Pause| pause.until.is_none_or(|end| end >= until);
    if until <= ctx.now() || pause.flatten().is_some_and(lasts_longer) {
        return Ok(());
    }
    let terms = Terms { until: Some(until), reason: Some(HOLD_REASON) };
    match (hold, key) {
        (Hold::Key, Some(key)) => pause_key(ctx, &queue, &key, &terms)?,
        _ => self::pause(ctx, &queue, &terms)?,
    };
    Ok(())
}

/// Resumes the queue. True if it was paused before.
///
/// # Errors
/// Whatever SQLite reports.
pub fn resume(ctx: &Ctx<'_>, queue: &str) -> Result<bool> {
    ctx.forget_settings();
    Ok(ctx.execute(sql!("resume.sql"), params![queue, ctx.now()])? == 1)
}

/// Pauses a key of the queue. False if it was paused already; then the pause has these terms from now on. Demands writers that
/// know keys.
///
/// # Errors
/// As [`pause`], and [`Error::SchemaTooNew`].
pub fn pause_key(ctx: &Ctx<'_>, queue: &str, key: &str, terms: &Terms<'_>) -> Result<bool> {
    schema::require_writer(ctx)?;
    schema::demand_writer(ctx)?;
    let until = terms.stored_until(ctx)?;
    let was_paused = is_key_paused(ctx, queue, key)?;
    let paused_at = (!was_paused).then(|| ctx.second());
    ctx.change_one(sql!("key_pause.sql"), params![queue, key, paused_at, until, terms.reason])?;
    count_keys(ctx, queue)?;
    Ok(!was_paused)
}

/// Resumes a key of the queue; its blocked jobs may then run. True if it was paused before.
///
/// # Errors
/// Whatever SQLite reports.
pub fn resume_key(ctx: &Ctx<'_>, queue: &str, key: &str) -> Result<bool> {
    let was_paused = is_key_paused(ctx, queue, key)?;
    if was_paused {
        end_of_key(ctx, queue, key)?;
        count_keys(ctx, queue)?;
        ctx.note(|effects| effects.key_has_room(queue, key));
    }
    Ok(was_paused)
}

fn is_key_paused(ctx: &Ctx<'_>, queue: &str, key: &str) -> Result<bool> {
    let pause = ctx.row(sql!("key_facts.sql"), [queue, key], |row| Pause::read(row, 0))?;
    Ok(pause.flatten().is_some_and(|pause| pause.holds(ctx.now())))
}

/// Ends the pause of a key. [`count_keys`] after it.
pub(super) fn end_of_key(ctx: &Ctx<'_>, queue: &str, key: &str) -> Result<()> {
    ctx.execute(sql!("key_resume.sql"), [queue, key])?;
    ctx.execute(sql!("key_forget.sql"), [queue, key])?;
    Ok(())
}

pub(super) fn count_keys(ctx: &Ctx<'_>, queue: &str) -> Result<()> {
    ctx.forget_settings();
    ctx.change_one(sql!("key_pauses_count.sql"), [queue])
}
