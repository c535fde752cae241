//! The one place that moves a job between states.
//!
//! ```text
//! move      from                  to          statements              effect
//! take      pending               processing  take, or take_tied; take_many for several (`plain`)
//! ack       processing            (no row)    ack, or held, delete; held_many, ack_many for several (`plain`)    ties
//! retry     processing            pending     held, retry             ties, history
//! release   processing            pending     release, or held, ..    ties
//! snooze    processing            pending     held, snooze            ties, history
//! lapse     processing, unknown   pending     lapse                   ties, history
//! fail      processing            dead        held, dead_insert, ..   ties, history, retention of dead letters
//! dead      any live one          dead        dead_insert, delete     ties, retention of dead letters
//! cancel    any live one          (no row)    cancellable, delete     ties, trace for waiters
//! block     pending               blocked     block
//! defer     pending               pending     defer
//! promote   blocked               pending     promote
//! ready     waiting               pending     ready                   ties: its key may be full
//! requeue   dead                  pending     requeue_insert, delete  ties: its key may be full
//! revive    dead                  waiting     revive_insert, delete   ties
//! hasten    pending               pending     hasten                  ties: its key may be full
//! forget    dead                  (no row)    requeue_delete          ties
//! ```
//!
//! A job with ties (see `ties`) is read before it is moved, and its [`Left`] is noted: other jobs may depend on where it
//! went. A plain job has none, and pays a comparison with NULL.
//!
//! A job whose worker is asked to end it never waits or dies: `retry`, `release`, `snooze`, `lapse`, `fail` and `dead` cancel it.
//!
//! Invariant: after each commit a job is in one table and one state, and the effects of its move are written.
//!
//! - *The process dies.* A move of one statement is atomic by itself. `fail`, `dead`, `requeue` and `revive` insert before they delete,
//!   in the caller's bracket: a crash in between is rolled back. Should the bracket have no effect (a host that suspends a
//!   write statement of its own around us), the job is in two tables rather than in none, and the next claim that meets
//!   it makes the dead letter again. Effects are written in the same bracket, so a crash before them undoes the move as well.
//! - *Two processes.* SQLite has one writer. Each statement tests in its WHERE that the row is in the state it leaves, and
//!   the moves of a holder test the claim (job, worker, attempt, lease). A process that waited for the lock finds that
//!   the row does not match, and changes nothing. `take`, `lapse` and `dead` are given rows that were read under the
//!   write lock, or in the snapshot in which it was taken; so is the row that `fail` tests first.
//! - *COMMIT fails.* The bracket rolls back, and the error reaches the caller. Nothing of a move is kept in memory beyond
//!   the call but a hint (`Ctx::remember_as_tied`): the effects are part of its [`Ctx`].
//!
//! `unknown_since` counts the time of a task that no worker knows. `release` sets it if its caller does not know the task,
//! and later ones keep it; `take` leaves it for the worker to read, and `hasten` leaves it. Every other move of a job in flight
//! leaves NULL, and so does `requeue`. A lapse may hide that the task was unknown, and then the time begins again. It has
//! charged an attempt, so that is bounded.
//!
//! A move is noted for the record of moves (see `moves`) while its row is there; the bracket writes the record after the moves.
//!
//! A move that has an effect needs the columns that the effect depends on: queue, key and ties. They are read by the
//! statement that tests the claim, or by primary key. No statement says RETURNING: it takes
//! 2 microseconds, as much as the DELETE of a job, where a SELECT by primary key takes a quarter of that (measured).

use rusqlite::params;

use super::held::Held;
use super::history::{self, End};
use super::settings::Settings;
use super::ties::{self, Left, To};
use super::{dependencies, finished, keys, slack, unique};
use crate::clock::Instant;
use crate::moves::{self, Kind};
use crate::{Ctx, Result, sql};

/// A state of a job. An acknowledged or a cancelled job leaves no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits for its time or a worker: in `_honker_live`.
    Pending,
    /// It is leased to a worker: in `_honker_live`.
    Processing,
    /// It waits for others of its key: in `_honker_live`.
    Blocked,
    /// It waits for its parents: in `_honker_live`.
    Waiting,
    /// It is a dead letter: in `_honker_dead`.
    Dead,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Processing, Self::Blocked, Self::Waiting, Self::Dead];

    /// The state as `_honker_live.state` and the view `_honker_jobs` name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Blocked => "blocked",
            Self::Waiting => "waiting",
            Self::Dead => "dead",
        }
    }
}

/// A move of one job.
#[derive(Debug, Clone, Copy)]
pub(super) enum Move<'a> {
    /// Leases a waiting job and charges the attempt. `ties` are those it has and those that its queue adds.
    Take { id: i64, worker_id: &'a str, lease_end: Instant, ties: i64 },
    /// Ends a job that succeeded.
    Ack(Held<'a>),
    /// Makes a job wait for its next attempt, if it has one left.
    Retry { held: Held<'a>, run_at: Instant, error: &'a str },
    /// Gives a claim back, uncharged; to the old place and with the old error unless others are given.
    Release { held: Held<'a>, run_at: Option<Instant>, error: Option<&'a str>, is_unknown: bool },
    /// Gives a claim back, uncharged, to wait until a later time; with the old error unless one is given.
    Snooze { held: Held<'a>, run_at: Instant, error: Option<&'a str> },
    /// Makes a job wait at its old place whose lease has lapsed, or which the reference held back in a state of its own.
    Lapse { id: i64 },
    /// Makes a dead letter of a job that is held.
    Fail { held: Held<'a>, error: &'a str },
    /// Makes a dead letter of a live job of this queue.
    DeadLetter { id: i64, queue: &'a str, error: &'a str },
    /// Removes a live job, leased or not, of a queue or of any.
    Cancel { id: i64, queue: Option<&'a str> },
    /// Removes a job that is held.
    CancelHeld(Held<'a>),
    /// Parks a waiting job whose key is full.
    Block { id: i64 },
    /// Makes a waiting job wait for the start that the rate of its key gives it.
    Defer { id: i64, run_at: Instant },
    /// Makes a parked job a candidate of its key.
    Promote { id: i64 },
    /// Makes a job wait for a worker whose parents are all settled.
    Ready { id: i64 },
    /// Makes a dead letter, of a queue or of any, wait again with all its attempts before it.
    Requeue { id: i64, queue: Option<&'a str> },
    /// Makes a dead letter wait for its parents again.
    Revive { id: i64, waiting_for: i64 },
    /// Makes a delayed job due.
    Hasten { id: i64 },
    /// Removes a dead letter, which then cannot come back.
    Forget { id: i64 },
}

/// Makes a move. False if the job is not where the move begins, or the claim is not held.
pub(super) fn leave(ctx: &Ctx<'_>, step: &Move<'_>) -> Result<bool> {
    let moved = match *step {
        Move::Take { id, worker_id, lease_end, ties } => {
            let slack = slack::leased(worker_id, lease_end);
            if ties == 0 {
                ctx.change_one(sql!("take.sql"), params![id, worker_id, lease_end, slack])?;
            } else {
                let gives_up_key = ties & ties::UNTIL_STARTED != 0;
                let row = params![id, worker_id, lease_end, slack, ties, gives_up_key];
                ctx.change_one(sql!("take_tied.sql"), row)?;
                ctx.remember_as_tied(id);
            }
            1
        }
        Move::Ack(held) => return Ok(ack_untied(ctx, held)? || ack_tied(ctx, held)?),
        Move::Retry { held, run_at, error } => return retry(ctx, held, run_at, error),
        Move::Release { held, run_at, error, is_unknown } => {
            if release_untied(ctx, held, run_at, error, is_unknown)? {
                return Ok(true);
            }
            let tied = Tied::of_held(ctx, held)?;
            if let Some(tied) = tied.as_ref().filter(|tied| tied.must_end()) {
                return end_held(ctx, held, tied.clone());
            }
            let is_held = release(ctx, held, run_at, error, is_unknown, true)?;
            if is_held {
                moves::note_live(ctx, Kind::Released, held.id, held.task, None)?;
            }
            note(ctx, held.id, tied, To::Back, "");
            return Ok(is_held);
        }
        Move::Lapse { id } => {
            history::record_lost(ctx, id)?;
            let tied = Tied::of(ctx, id)?;
            if tied.as_ref().is_some_and(Tied::must_end) {
                end_cancelled(ctx, id, tied)?;
                return Ok(true);
            }
            moves::note_live(ctx, Kind::Lapsed, id, None, None)?;
            ctx.change_one(sql!("lapse.sql"), params![id, slack::WAITING])?;
            note(ctx, id, tied, To::Back, "");
            1
        }
        Move::Fail { held, error } => return fail(ctx, held, error),
        Move::Snooze { held, run_at, error } => return snooze(ctx, held, run_at, error),
        Move::DeadLetter { id, queue, error } => {
            let tied = Tied::of(ctx, id)?;
            if tied.as_ref().is_some_and(Tied::must_end) {
                end_cancelled(ctx, id, tied)?;
                return Ok(true);
            }
            moves::note_live(ctx, Kind::Dead, id, None, None)?;
            dead_letter(ctx, id, Some(queue), error)?;
            note(ctx, id, tied, To::Dead, error);
            1
        }
        Move::Cancel { id, queue } => return cancel(ctx, id, queue),
        Move::CancelHeld(held) => {
            return Tied::of_held(ctx, held)?.map_or(Ok(false), |tied| end_held(ctx, held, tied));
        }
        Move::Block { id } => ctx.execute(sql!("block.sql"), [id])?,
        Move::Defer { id, run_at } => ctx.execute(sql!("defer.sql"), params![id, run_at, ties::START_GIVEN])?,
        Move::Promote { id } => ctx.execute(sql!("promote.sql"), params![id, ctx.second()])?,
        Move::Ready { id } => ready(ctx, id)?,
        Move::Requeue { id, queue } => return requeue(ctx, id, queue),
        Move::Revive { id, waiting_for } => revive(ctx, id, waiting_for)?,
        Move::Hasten { id } => hasten(ctx, id)?,
        Move::Forget { id } => return forget(ctx, id),
    };
    Ok(moved == 1)
}

/// Ends a plain job that succeeded. One statement. False if the claim is not held, or the job has ties: then see
/// [`Move::Ack`].
pub(super) fn ack_untied(ctx: &Ctx<'_>, Held { id, worker_id, attempt, .. }: Held<'_>) -> Result<bool> {
    if ctx.recording()?.is_on() || ctx.is_known_as_tied(id) {
        return Ok(false);
    }
    Ok(ctx.execute(sql!("ack.sql"), params![id, worker_id, attempt, ctx.now(), ctx.second()])? == 1)
}

/// Ends a plain job that succeeded, and notes the move. As [`ack_untied`], in the caller's bracket.
fn ack_recorded(ctx: &Ctx<'_>, held: Held<'_>) -> Result<bool> {
    let Held { id, worker_id, attempt, task, run_s } = held;
    if ctx.is_known_as_tied(id) {
        return Ok(false);
    }
    let moved = moves::of_live(ctx, Kind::Done, id, task, run_s)?;
    let is_acked = ctx.execute(sql!("ack.sql"), params![id, worker_id, attempt, ctx.now(), ctx.second()])? == 1;
    if let Some(moved) = moved.filter(|_| is_acked) {
        ctx.note_move(moved);
    }
    Ok(is_acked)
}

/// Ends a job that succeeded, whatever ties it has. False if the claim is not held.
pub(super) fn ack_tied(ctx: &Ctx<'_>, held: Held<'_>) -> Result<bool> {
    if ctx.recording()?.is_on() && ack_recorded(ctx, held)? {
        return Ok(true);
    }
    let Some(tied) = Tied::of_held(ctx, held)? else { return Ok(false) };
    moves::note_live(ctx, Kind::Done, held.id, held.task, held.run_s)?;
    end(ctx, held.id, Some(tied), To::Done)?;
    Ok(true)
}

/// Removes a live row that was found under the write lock, with what is to be kept of it.
fn end(ctx: &Ctx<'_>, id: i64, mut tied: Option<Tied>, to: To) -> Result<()> {
    let queue = tied.as_ref().and_then(|tied| tied.queue.as_deref());
    let has_tie = tied.as_ref().is_some_and(Tied::is_to_be_kept);
    // A job that was never claimed may be cancelled: its tie does not say yet if it is kept.
    let is_kept = (has_tie || to == To::Cancelled) && finished::keep(ctx, id, queue, to)?;
    if let Some(tied) = &mut tied {
        tied.ties = if is_kept { tied.ties | ties::KEEP } else { tied.ties & !ties::KEEP };
        if to == To::Done && tied.ties & ties::UNIQUE_FOR != 0 {
            unique::keep_taken(ctx, id)?;
        }
    }
    ctx.change_one(sql!("dead_delete.sql"), [id])?;
    note(ctx, id, tied, to, "");
    Ok(())
}

fn retry(ctx: &Ctx<'_>, held: Held<'_>, run_at: Instant, error: &str) -> Result<bool> {
    let Some(tied) = Tied::of_held(ctx, held)? else { return Ok(false) };
    if tied.must_end() {
        return end_held(ctx, held, tied);
    }
    if !tied.has_attempts_left {
        return Ok(false);
    }
    history::record(ctx, held.id, End::Failed, held.run_s, Some(error))?;
    moves::note_live(ctx, Kind::Retried, held.id, held.task, held.run_s)?;
    ctx.change_one(sql!("retry.sql"), params![held.id, run_at, error, slack::WAITING, ties::HISTORY])?;
    note(ctx, held.id, Some(tied), To::Back, "");
    Ok(true)
}

/// Gives back the claim of a plain job. One statement. False if the claim is not held, or the job has ties: then see
/// [`Move::Release`].
pub(super) fn release_untied(
    ctx: &Ctx<'_>,
    held: Held<'_>,
    run_at: Option<Instant>,
    error: Option<&str>,
    is_unknown: bool,
) -> Result<bool> {
    if ctx.recording()?.is_on() {
        return Ok(false);
    }
    release(ctx, held, run_at, error, is_unknown, false)
}

fn release(
    ctx: &Ctx<'_>,
    Held { id, worker_id, attempt, .. }: Held<'_>,
    run_at: Option<Instant>,
    error: Option<&str>,
    is_unknown: bool,
    with_ties: bool,
) -> Result<bool> {
    let (now, second) = (ctx.now(), ctx.second());
    let claim = params![id, worker_id, attempt, now, second, run_at, error, slack::WAITING, is_unknown, with_ties];
    Ok(ctx.execute(sql!("release.sql"), claim)? == 1)
}

fn fail(ctx: &Ctx<'_>, held: Held<'_>, error: &str) -> Result<bool> {
    let Some(tied) = Tied::of_held(ctx, held)? else { return Ok(false) };
    if tied.must_end() {
        return end_held(ctx, held, tied);
    }
    history::record(ctx, held.id, End::Failed, held.run_s, Some(error))?;
    moves::note_live(ctx, Kind::Failed, held.id, held.task, held.run_s)?;
    dead_letter(ctx, held.id, tied.queue.as_deref(), error)?;
    note(ctx, held.id, Some(tied), To::Dead, error);
    Ok(true)
}

fn dead_letter(ctx: &Ctx<'_>, id: i64, queue: Option<&str>, error: &str) -> Result<()> {
    ctx.change_one(sql!("dead_insert.sql"), params![id, error, ctx.second()])?;
    ctx.change_one(sql!("dead_delete.sql"), [id])?;
    if let Some(queue) = queue {
        ctx.note(|effects| effects.dead_lettered(queue, id));
    }
    Ok(())
}

fn cancel(ctx: &Ctx<'_>, id: i64, queue: Option<&str>) -> Result<bool> {
    if ctx.row(sql!("cancellable.sql"), params![id, queue], |_row| Ok(()))?.is_none() {
        return Ok(false);
    }
    let tied = Tied::of(ctx, id)?;
    let tied = if tied.as_ref().is_some_and(Tied::is_to_be_kept) {
        history::record(ctx, id, End::Cancelled, None, None)?;
        Tied::of(ctx, id)?
    } else {
        tied
    };
    end_cancelled(ctx, id, tied)?;
    Ok(true)
}

/// Ends a job as cancelled whose claim was found to be held.
fn end_held(ctx: &Ctx<'_>, held: Held<'_>, mut tied: Tied) -> Result<bool> {
    if tied.is_to_be_kept() {
        history::record(ctx, held.id, End::Cancelled, held.run_s, None)?;
        tied.ties |= ties::HISTORY;
    }
    end_cancelled(ctx, held.id, Some(tied))?;
    Ok(true)
}

fn end_cancelled(ctx: &Ctx<'_>, id: i64, tied: Option<Tied>) -> Result<()> {
    moves::note_live(ctx, Kind::Cancelled, id, None, None)?;
    end(ctx, id, tied, To::Cancelled)?;
    ctx.note(|effects| effects.cancelled(id));
    Ok(())
}

fn snooze(ctx: &Ctx<'_>, held: Held<'_>, run_at: Instant, error: Option<&str>) -> Result<bool> {
    let Some(tied) = Tied::of_held(ctx, held)? else { return Ok(false) };
    if tied.must_end() {
        return end_held(ctx, held, tied);
    }
    history::record_snooze(ctx, &held)?;
    moves::note_live(ctx, Kind::Snoozed, held.id, held.task, held.run_s)?;
    ctx.change_one(sql!("snooze.sql"), params![held.id, run_at, slack::WAITING, ties::HISTORY, error])?;
    note(ctx, held.id, Some(tied), To::Back, "");
    Ok(true)
}

fn ready(ctx: &Ctx<'_>, id: i64) -> Result<usize> {
    let tied = Tied::of(ctx, id)?;
    let moved = ctx.execute(sql!("ready.sql"), params![id, ctx.second()])?;
    if moved == 1
        && let Some(Tied { queue: Some(queue), key: Some(key), .. }) = tied
        && ctx.row(sql!("ready_is_due.sql"), params![id, ctx.now()], |_row| Ok(()))?.is_some()
    {
        keys::enter(ctx, id, &queue, &key)?;
    }
    Ok(moved)
}

fn requeue(ctx: &Ctx<'_>, id: i64, queue: Option<&str>) -> Result<bool> {
    unique::check_requeue(ctx, id, queue)?;
    let params = params![id, queue, ctx.second(), ctx.now(), slack::SMALL_PAYLOAD_BYTES, slack::WAITING];
    let is_copied = ctx.execute(sql!("requeue_insert.sql"), params)? == 1;
    if is_copied {
        ctx.change_one(sql!("requeue_delete.sql"), [id])?;
        moves::note_live(ctx, Kind::Requeued, id, None, None)?;
        if let Some(Tied { queue: Some(queue), key, ties, .. }) = Tied::of(ctx, id)? {
            if let Some(key) = &key {
                keys::enter(ctx, id, &queue, key)?;
            }
            if ties & ties::PARENTS != 0 {
                dependencies::detach(ctx, id)?;
            }
            if ties & ties::DEPENDENTS != 0 {
                ctx.note(|effects| effects.lives_again(id));
            }
        }
    }
    Ok(is_copied)
}

fn revive(ctx: &Ctx<'_>, id: i64, waiting_for: i64) -> Result<usize> {
    let params = params![id, waiting_for, ctx.now(), slack::SMALL_PAYLOAD_BYTES, slack::WAITING];
    let copied = ctx.execute(sql!("revive_insert.sql"), params)?;
    if copied == 1 {
        ctx.change_one(sql!("requeue_delete.sql"), [id])?;
        moves::note_live(ctx, Kind::Requeued, id, None, None)?;
        if Tied::of(ctx, id)?.is_some_and(|tied| tied.ties & ties::DEPENDENTS != 0) {
            ctx.note(|effects| effects.lives_again(id));
        }
    }
    Ok(copied)
}

fn hasten(ctx: &Ctx<'_>, id: i64) -> Result<usize> {
    let moved = ctx.execute(sql!("hasten.sql"), params![id, ctx.second()])?;
    if moved == 1
        && let Some(Tied { queue: Some(queue), key: Some(key), .. }) = Tied::of(ctx, id)?
        && !keys::is_head(ctx, &Settings::of(ctx, &queue)?, &queue, &key, id)?
    {
        keys::enter(ctx, id, &queue, &key)?;
    }
    Ok(moved)
}

/// Jobs that wait for the requeue of the dead letter die of its failure.
fn forget(ctx: &Ctx<'_>, id: i64) -> Result<bool> {
    let read = |row: &rusqlite::Row<'_>| {
        let text = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_str().ok().map(str::to_owned));
        Ok((text(0)?, text(1)?, row.get_ref(2)?.as_i64().unwrap_or(0), text(3)?.unwrap_or_default()))
    };
    let Some((queue, key, ties, error)) = ctx.row(sql!("dead_target.sql"), [id], read)? else { return Ok(false) };
    ctx.change_one(sql!("requeue_delete.sql"), [id])?;
    if ties & ties::DEPENDENTS != 0 {
        dependencies::settle_edges(ctx, id, &dependencies::End::Dead { error, can_return: false })?;
    }
    // Its attempts go with it, although those of finished jobs are kept.
    let ties = ties & !(ties::DEPENDENTS | ties::KEEP);
    note(ctx, id, Some(Tied { queue, key, ties, has_attempts_left: false }), To::Cancelled, "");
    Ok(true)
}

/// What a move must know of a job beside its id.
#[derive(Clone)]
struct Tied {
    /// `None` for a queue that is no text, which was written by hand and has no policy.
    queue: Option<String>,
    key: Option<String>,
    ties: i64,
    has_attempts_left: bool,
}

impl Tied {
    /// Of a job whose claim is held.
    fn of_held(ctx: &Ctx<'_>, Held { id, worker_id, attempt, .. }: Held<'_>) -> Result<Option<Self>> {
        let claim = params![id, worker_id, attempt, ctx.now(), ctx.second()];
        ctx.row(sql!("held.sql"), claim, Self::read)
    }

    /// True if its worker is asked to end it.
    const fn must_end(&self) -> bool {
        self.ties & ties::REQUESTED != 0
    }

    /// True if its queue keeps finished jobs, by the settings at its claim.
    const fn is_to_be_kept(&self) -> bool {
        self.ties & ties::KEEP != 0
    }

    /// Of a live job with ties.
    fn of(ctx: &Ctx<'_>, id: i64) -> Result<Option<Self>> {
        ctx.row(sql!("tied.sql"), [id], Self::read)
    }

    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let text = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_str().ok().map(str::to_owned));
        Ok(Self {
            queue: text(0)?,
            key: text(1)?,
            ties: row.get_ref(2)?.as_i64().unwrap_or(0),
            has_attempts_left: row.get_ref(3)?.as_i64().unwrap_or(0) != 0,
        })
    }
}

fn note(ctx: &Ctx<'_>, id: i64, tied: Option<Tied>, to: To, error: &str) {
    if let Some(Tied { queue: Some(queue), key, ties, .. }) = tied
        && ties != 0
    {
        let error = error.to_owned();
        ctx.note(|effects| effects.left(Left { id, queue, key, ties, to, error }));
    }
}
