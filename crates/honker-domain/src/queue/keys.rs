//! Keys: jobs of one key share a limit, over all processes.
//!
//! Invariant: a key with blocked jobs has its limit in flight, or a candidate: a due, pending job of it. So a claim that meets
//! candidates only never misses a key, and a full key keeps its many jobs out of the way of others: they are blocked, and
//! no claim walks over them.
//!
//! It is kept by three rules. (1) A job is blocked only in a call that then promotes its key ([`promote`] at the flush), which
//! makes the best blocked job a candidate while there is room. (2) Each move out of `processing` or `pending` of a keyed job
//! notes its key for the same promotion, in the same commit. (3) Occupancy is counted from rows (those in flight and due
//! candidates), never kept: a lease is the slot, so a crash cannot leak one.
//!
//! - *The process dies* in the middle: the bracket undoes the move and the promotion together.
//! - *Two processes*: one writer at a time, and each counts under the write lock.
//! - *A reference process, an older honker or a DELETE by hand* ends a job without the promotion. Then a key may be stranded:
//!   blocked jobs, nothing in flight and no candidate. A claim that finds nothing looks at a few keys ([`stranded`]), and goes
//!   on with the next ones the next time.
//! - *A limit is lowered*: nothing that runs is stopped; claims block candidates that they meet. *Raised or dropped*, or a
//!   dead head let pass: [`promote_all`] looks at every key with blocked jobs in the same call. Beyond
//!   [`PROMOTED_PER_CHANGE`] jobs or keys the rest is left to the rescue, and the check lists those keys until then.
//!
//! Order: a blocked row has its creation as `run_at`, so the best blocked job is that of the highest priority that was
//! enqueued first. A promoted row has the second of its promotion, so it joins the back of its priority, and keys take turns.
//! The claim does not take a candidate while a better job of its key is blocked ([`Candidates::judge`]), unless the candidate is
//! the head of an ordered line: it has begun, and its next attempt comes first.

use std::collections::BTreeMap;

use rusqlite::{Row, params};

use super::pause;
use super::settings::{OnDead, Pause, Settings, as_real};
use super::ties::{Left, To};
use super::transition::{Move, leave};
use crate::clock::Instant;
use crate::limits::{
    CONCURRENCY, EXPIRED_ROWS_PER_WRITE, PROMOTED_PER_CHANGE, PROMOTED_PER_KEY, RESCUED_KEYS_PER_CLAIM,
    RESUMED_KEYS_PER_CLAIM,
};
use crate::{Ctx, Result, sql};

/// A place in the line of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: i64,
    pub(super) priority: i64,
    pub(super) created_at: Option<Instant>,
}

impl Place {
    /// From the columns id, priority, `created_at`, which start at `first`.
    fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        let created_at = Instant::from_stored(row.get_ref(first + 2)?);
        Ok(Self { id: row.get(first)?, priority: row.get(first + 1)?, created_at })
    }

    fn is_before(&self, other: &Self) -> bool {
        (std::cmp::Reverse(self.priority), self.created_at, self.id)
            < (std::cmp::Reverse(other.priority), other.created_at, other.id)
    }
}

/// True if a new job of this key and priority, due now, must be blocked.
pub(super) fn is_full(ctx: &Ctx<'_>, settings: &Settings, queue: &str, key: &str, priority: i64) -> Result<bool> {
    if is_held_up(ctx, settings, queue, key, None)? || best_blocked(ctx, queue, key)?.is_some() {
        return Ok(true);
    }
    match slots(settings) {
        Some(limit) => Ok(occupied(ctx, queue, key, priority, limit)? >= limit),
        None => Ok(false),
    }
}

/// Takes a job that has just become pending into the line of its key: blocks it if others go first, and promotes the best.
pub(super) fn enter(ctx: &Ctx<'_>, id: i64, queue: &str, key: &str) -> Result<()> {
    let settings = Settings::of(ctx, queue)?;
    if settings.looks_at_keys() {
        leave(ctx, &Move::Block { id })?;
        ctx.note(|effects| effects.key_has_room(queue, key));
    }
    Ok(())
}

/// Makes the best blocked jobs of a key candidates while it has room. At the flush of every call that may have made room.
/// Returns how many.
pub(crate) fn promote(ctx: &Ctx<'_>, queue: &str, key: &str) -> Result<i64> {
    let settings = Settings::of(ctx, queue)?;
    let mut promoted = 0;
    while promoted < PROMOTED_PER_KEY
        && let Some(line) = Line::of(ctx, &settings, queue, key)?
    {
        // Jobs of one priority share the room that one look finds. A job of a lower priority has no more room.
        let mut room = line.room(ctx, &settings, queue, key)?.min(PROMOTED_PER_KEY - promoted);
        let mut next = Some(line.first);
        while room > 0
            && let Some(best) = next.filter(|best| best.priority == line.first.priority)
        {
            leave(ctx, &Move::Promote { id: best.id })?;
            (room, promoted) = (room - 1, promoted + 1);
            next = if room > 0 { best_blocked(ctx, queue, key)? } else { None };
        }
        if room <= 0 {
            break;
        }
    }
    Ok(promoted)
}

/// Promotes the jobs of each key of a queue, whose rules have changed.
pub(super) fn promote_all(ctx: &Ctx<'_>, queue: &str) -> Result<()> {
    let (mut after, mut left) = (String::new(), PROMOTED_PER_CHANGE);
    let text = |row: &Row<'_>| Ok(row.get_ref(0)?.as_str().ok().map(str::to_owned));
    // A key that was edited into no text comes after all that are.
    while left > 0
        && let Some(key) = ctx.row(sql!("key_next.sql"), params![queue, after], text)?.flatten()
    {
        left -= promote(ctx, queue, &key)?.max(1);
        after = key;
    }
    Ok(())
}

/// The first blocked job of a key, and what occupies the key before it.
struct Line {
    first: Place,
    in_flight: i64,
    /// The best priority at which jobs of the key wait, if it is not below that of the first blocked one.
    level: Option<i64>,
}

impl Line {
    /// `None` if no job is blocked.
    fn of(ctx: &Ctx<'_>, settings: &Settings, queue: &str, key: &str) -> Result<Option<Self>> {
        ctx.row(sql!("key_line.sql"), params![queue, key, slots(settings).unwrap_or(0)], |row| {
            Ok(Self { first: Place::read(row, 0)?, in_flight: row.get(3)?, level: row.get(4)? })
        })
    }

    /// How many blocked jobs of the priority of the first may become candidates.
    fn room(&self, ctx: &Ctx<'_>, settings: &Settings, queue: &str, key: &str) -> Result<i64> {
        if is_held_up(ctx, settings, queue, key, Some(self.first.id))? {
            return Ok(0);
        }
        let Some(limit) = slots(settings) else { return Ok(i64::MAX) };
        let free = limit - self.in_flight;
        Ok(free - due(ctx, queue, key, self.first.priority, self.level, free)?)
    }
}

/// How many jobs of a key may be in flight; `None` for any number.
fn slots(settings: &Settings) -> Option<i64> {
    settings.key_limit().map(|limit| limit.min(*CONCURRENCY.end()))
}

/// Jobs of a key in flight, and due candidates of this priority or a better one; counted up to `limit`.
fn occupied(ctx: &Ctx<'_>, queue: &str, key: &str, priority: i64, limit: i64) -> Result<i64> {
    let in_flight = in_flight(ctx, queue, key, limit)?;
    let level = level_below(ctx, queue, key, priority, None)?;
    Ok(in_flight + due(ctx, queue, key, priority, level, limit - in_flight)?)
}

/// Due candidates of a key down to a priority; `level` is the best one at which jobs of it wait. Counted up to `limit`.
fn due(ctx: &Ctx<'_>, queue: &str, key: &str, priority: i64, mut level: Option<i64>, limit: i64) -> Result<i64> {
    let mut count = 0;
    while count < limit
        && let Some(here) = level
    {
        let at_level = params![queue, key, here, ctx.now(), limit - count];
        count += ctx.row(sql!("key_due.sql"), at_level, |row| row.get::<_, i64>(0))?.unwrap_or(0);
        level = level_below(ctx, queue, key, priority, Some(here))?;
    }
    Ok(count)
}

/// The best priority from `priority` on, below `above`, at which jobs of a key wait.
fn level_below(ctx: &Ctx<'_>, queue: &str, key: &str, priority: i64, above: Option<i64>) -> Result<Option<i64>> {
    ctx.row(sql!("key_level.sql"), params![queue, key, priority, above], |row| row.get(0))
}

fn in_flight(ctx: &Ctx<'_>, queue: &str, key: &str, limit: i64) -> Result<i64> {
    Ok(ctx.row(sql!("key_in_flight.sql"), params![queue, key, limit], |row| row.get(0))?.unwrap_or(0))
}

/// The blocked job of a key that is first in its line.
fn best_blocked(ctx: &Ctx<'_>, queue: &str, key: &str) -> Result<Option<Place>> {
    ctx.row(sql!("key_best.sql"), [queue, key], |row| Place::read(row, 0))
}

/// What keeps a due job of a key from its start.
pub(super) enum Obstacle {
    /// The key is paused.
    Paused,
    /// The line of an ordered queue waits for this job, which is between two attempts or dead.
    Head(i64),
    /// All slots of the key are taken.
    Full { limit: i64, in_flight: i64 },
    /// This job of the key goes first.
    Behind(i64),
    /// The rate of the key allows the next start at this instant.
    Rate(Instant),
}

/// What keeps a due job of a key from its start, by the rules of [`Candidates::judge`]. Changes nothing.
pub(super) fn obstacle(
    ctx: &Ctx<'_>,
    settings: &Settings,
    queue: &str,
    key: &str,
    place: Place,
    has_start: bool,
) -> Result<Option<Obstacle>> {
    if let Some(holdup) = holdup(ctx, settings, queue, key, Some(place.id))? {
        return Ok(Some(holdup));
    }
    if let Some(limit) = slots(settings) {
        let in_flight = in_flight(ctx, queue, key, limit)?;
        if in_flight >= limit {
            return Ok(Some(Obstacle::Full { limit, in_flight }));
        }
        if let Some(first) = best_blocked(ctx, queue, key)?.filter(|first| first.is_before(&place))
            && !is_head(ctx, settings, queue, key, place.id)?
        {
            return Ok(Some(Obstacle::Behind(first.id)));
        }
    }
    let Some(rate) = settings.rate_per_key.filter(|_| !has_start) else { return Ok(None) };
    let (start_ms, _) = rate.reserve(next_start(ctx, queue, key)?, as_real(ctx.now().as_ms()));
    let start = instant_after(start_ms);
    Ok((start > ctx.now()).then_some(Obstacle::Rate(start)))
}

/// True if the key is paused, or its line waits for a head that is not `id`.
fn is_held_up(ctx: &Ctx<'_>, settings: &Settings, queue: &str, key: &str, id: Option<i64>) -> Result<bool> {
    Ok(holdup(ctx, settings, queue, key, id)?.is_some())
}

/// The pause of the key, or the head, not `id`, for which its line waits.
fn holdup(ctx: &Ctx<'_>, settings: &Settings, queue: &str, key: &str, id: Option<i64>) -> Result<Option<Obstacle>> {
    if !settings.has_paused_keys && !settings.is_ordered {
        return Ok(None);
    }
    let found =
        ctx.row(sql!("key_facts.sql"), [queue, key], |row| Ok((Pause::read(row, 0)?, row.get_ref(2)?.as_i64().ok())))?;
    let Some((pause, head)) = found else { return Ok(None) };
    if pause.is_some_and(|pause| pause.holds(ctx.now())) {
        return Ok(Some(Obstacle::Paused));
    }
    let Some(head) = head.filter(|head| settings.is_ordered && id != Some(*head)) else { return Ok(None) };
    let counts_dead = settings.on_dead != Some(OnDead::Continue);
    let waits = ctx.row(sql!("key_head.sql"), params![head, queue, key, counts_dead], |_row| Ok(()))?.is_some();
    Ok(waits.then_some(Obstacle::Head(head)))
}

/// True if a pending job is the head for which the line of an ordered queue waits.
pub(super) fn is_head(ctx: &Ctx<'_>, settings: &Settings, queue: &str, key: &str, id: i64) -> Result<bool> {
    if !settings.is_ordered {
        return Ok(false);
    }
    let head = ctx.row(sql!("key_facts.sql"), [queue, key], |row| Ok(row.get_ref(2)?.as_i64().ok()))?.flatten();
    Ok(head == Some(id))
}

/// Keeps the line of an ordered queue: a job between two attempts, or dead, stays its head until it has ended.
pub(super) fn hold_line(ctx: &Ctx<'_>, left: &Left) -> Result<()> {
    let Some(key) = &left.key else { return Ok(()) };
    if !Settings::of(ctx, &left.queue)?.is_ordered {
        return Ok(());
    }
    let head = matches!(left.to, To::Back | To::Dead).then_some(left.id);
    ctx.execute(sql!("key_head_set.sql"), params![left.queue, key, head, left.id])?;
    Ok(())
}

/// What a claim does with a due, keyed row.
pub(super) enum Judgement {
    Take,
    Block,
    /// By the rate of its key it starts at this instant.
    Later(Instant),
}

/// The keys that a claim has met.
#[derive(Default)]
pub(super) struct Candidates {
    /// Slots left, by key.
    room: BTreeMap<String, i64>,
    /// The time of the next start by the rate per key, where a row has been given one in this call.
    next_start_ms: BTreeMap<String, Option<f64>>,
}

impl Candidates {
    /// Decides about a due row of `key`. If it is to be taken, its slot is counted.
    pub(super) fn judge(
        &mut self,
        ctx: &Ctx<'_>,
        settings: &Settings,
        queue: &str,
        key: &str,
        place: Place,
        has_start: bool,
    ) -> Result<Judgement> {
        let room = match self.room.get(key) {
            Some(room) => *room,
            None => Self::look(ctx, settings, queue, key, place)?,
        };
        if room <= 0 {
            self.room.insert(key.to_owned(), 0);
            return Ok(Judgement::Block);
        }
        if let Some(rate) = settings.rate_per_key.filter(|_| !has_start) {
            let stored = match self.next_start_ms.get(key) {
                Some(stored) => *stored,
                None => next_start(ctx, queue, key)?,
            };
            let (start_ms, next_ms) = rate.reserve(stored, as_real(ctx.now().as_ms()));
            ctx.execute(sql!("key_next_start.sql"), params![queue, key, next_ms])?;
            ctx.execute(sql!("key_prune.sql"), params![as_real(ctx.now().as_ms()), EXPIRED_ROWS_PER_WRITE])?;
            self.next_start_ms.insert(key.to_owned(), Some(next_ms));
            let start = instant_after(start_ms);
            if start > ctx.now() {
                return Ok(Judgement::Later(start));
            }
        }
        self.room.insert(key.to_owned(), room.saturating_sub(1));
        Ok(Judgement::Take)
    }

    fn look(ctx: &Ctx<'_>, settings: &Settings, queue: &str, key: &str, place: Place) -> Result<i64> {
        if is_held_up(ctx, settings, queue, key, Some(place.id))? {
            return Ok(0);
        }
        let Some(limit) = slots(settings) else { return Ok(i64::MAX) };
        Ok(match Line::of(ctx, settings, queue, key)? {
            Some(line) if line.first.is_before(&place) && !is_head(ctx, settings, queue, key, place.id)? => 0,
            Some(line) => limit - line.in_flight,
            None => limit - in_flight(ctx, queue, key, limit)?,
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
pub(super) fn instant_after(ms: f64) -> Instant {
    Instant::from_ms((ms - 1e-3).ceil() as i64)
}

fn next_start(ctx: &Ctx<'_>, queue: &str, key: &str) -> Result<Option<f64>> {
    Ok(ctx.row(sql!("key_start.sql"), [queue, key], |row| Ok(row.get_ref(0)?.as_f64().ok()))?.flatten())
}

/// Keys of the queue whose pause has ended by time, a few. One seek, and only if the queue has paused keys: so each claim looks,
/// and a busy queue goes on with them promptly too.
pub(super) fn resuming(ctx: &Ctx<'_>, settings: &Settings, queue: &str) -> Result<Vec<String>> {
    if !settings.has_paused_keys {
        return Ok(Vec::new());
    }
    ctx.rows(sql!("key_pauses_over.sql"), params![queue, ctx.now(), RESUMED_KEYS_PER_CLAIM], |row| row.get(0))
}

/// Ends these pauses, and promotes the jobs of their keys.
pub(super) fn resume(ctx: &Ctx<'_>, keys: &[String], queue: &str) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    keys.iter().try_for_each(|key| pause::end_of_key(ctx, queue, key))?;
    pause::count_keys(ctx, queue)?;
    keys.iter().try_for_each(|key| promote(ctx, queue, key).map(drop))
}

/// When the first pause of a key with blocked jobs ends by time. Of many pauses without blocked jobs before it, only a few are
/// looked at; then it may be early.
pub(super) fn next_resume(ctx: &Ctx<'_>, settings: &Settings, queue: &str) -> Result<Option<Instant>> {
    if !settings.has_paused_keys {
        return Ok(None);
    }
    let limit = RESUMED_KEYS_PER_CLAIM + 1;
    let ends = ctx.rows(sql!("key_pauses_next.sql"), params![queue, limit], |row| {
        Ok((Instant::from_stored(row.get_ref(0)?), row.get::<_, bool>(1)?))
    })?;
    let is_whole = i64::try_from(ends.len()).is_ok_and(|found| found < limit);
    let first = ends.iter().find(|(_, has_blocked)| *has_blocked);
    Ok(first.or_else(|| ends.last().filter(|_| !is_whole)).and_then(|(end, _)| *end))
}

/// The next keys of a queue with blocked jobs and room, of the few that this call looks at: a process that does not promote
/// has ended the jobs that held it.
pub(super) fn stranded(ctx: &Ctx<'_>, settings: &Settings, queue: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut after = ctx.rescue_cursor(queue);
    for _ in 0..RESCUED_KEYS_PER_CLAIM {
        let next: Option<String> = ctx.row(sql!("key_next.sql"), params![queue, after], |row| row.get(0))?;
        let Some(key) = next else {
            after = String::new();
            break;
        };
        if let Some(line) = Line::of(ctx, settings, queue, &key)?
            && line.room(ctx, settings, queue, &key)? > 0
        {
            found.push(key.clone());
        }
        after = key;
    }
    ctx.set_rescue_cursor(queue, after);
    Ok(found)
}

/// Promotes the jobs of stranded keys.
pub(super) fn rescue(ctx: &Ctx<'_>, keys: &[String], queue: &str) -> Result<()> {
    keys.iter().try_for_each(|key| promote(ctx, queue, key).map(drop))
}

/// True if a key has blocked jobs, room for one of them and no candidate: the invariant does not hold.
pub(super) fn is_stranded(ctx: &Ctx<'_>, queue: &str, key: &str) -> Result<bool> {
    let settings = Settings::of(ctx, queue)?;
    let Some(line) = Line::of(ctx, &settings, queue, key)? else { return Ok(false) };
    let limit = slots(&settings).unwrap_or(*CONCURRENCY.end());
    Ok(line.room(ctx, &settings, queue, key)? > 0
        && occupied(ctx, queue, key, i64::MIN, limit)? == in_flight(ctx, queue, key, limit)?)
}
