//! Claiming: leasing due jobs to a worker.
//!
//! The cost does not depend on the backlog. Waiting jobs are visited one priority level at a time, one seek each:
//! delayed jobs of a high level neither hide due jobs of a lower one nor are stepped over. Lapsed leases are taken
//! from the head of their index and first become waiting jobs again, so one index decides the order of all.
//! Exhausted, expired and malformed rows are dead-lettered where the claim meets them, a bounded number per call.
//!
//! Invariant: at most one live claim per job. `claim` runs in one write transaction (the caller's bracket), and
//! SQLite has one writer: two workers cannot both see a row as waiting. If the process dies at any statement the
//! bracket is rolled back and every row is as it was. After COMMIT the row carries worker, attempt and lease, and the
//! first claim after the lease has lapsed takes the job over under the next attempt number. If the clock jumps ahead,
//! leases lapse early and the attempt number keeps the late holder from settling; if it jumps back, they last longer.
//!
//! A claim reads the minimum writer version of the file in its first look, so a process that ran on while a newer honker
//! upgraded the file claims nothing by outdated rules.

use rusqlite::types::ValueRef;
use rusqlite::{Row, params};

use super::claimed_job::ClaimedJob;
use super::keys::{self, Candidates, instant_after};
use super::policy::{Policy, Verdict, end_of_life};
use super::priority::Priority;
use super::settings::{Settings, as_real};
use super::transition::{Move, leave};
use super::{history, lost_parents, plain, ties};
use crate::clock::{Instant, Span};
use crate::json_length::Room;
use crate::limits::{CLAIM_BATCH, DEAD_LETTERS_PER_CLAIM, LAPSED_PER_CLAIM, LEASE_MAX_S, PARKED_PER_CLAIM};
use crate::moves::{self, Kind};
use crate::statements::Prepared;
use crate::{Ctx, Result, schema, sql};

/// The terms of a claim.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The queue's name.
    pub queue: &'a str,
    /// The worker that claims.
    pub worker_id: &'a str,
    /// The most jobs to lease.
    pub n: usize,
    /// The length of the lease.
    pub lease: Span,
    /// The bytes that the jobs may have as JSON: a result that SQLite refuses would be a claim without a holder.
    pub room: Room,
}

/// The jobs that a claim would find.
///
/// A worker that is woken by another process's commit asks for it first, which only reads. It goes on to the claim, which
/// takes the write lock, only if there is a prospect. A prospect holds for the snapshot in which it was read: the claim
/// must run in the same transaction.
pub struct Prospect {
    /// The first level with a due job, if any.
    due: Option<Priority>,
    /// Some job must first become a waiting one: its lease has lapsed, or it was held back by the reference until now.
    has_returning: bool,
    /// Keys whose blocked jobs nothing promotes.
    stranded: Vec<String>,
    /// Jobs that wait for a parent which is gone.
    orphaned: Vec<i64>,
    /// Keys whose pause has ended by time.
    resuming: Vec<String>,
    /// How many jobs the limits of the queue allow to start.
    room: i64,
    settings: Settings,
}

/// The prospect of a claim now; `None` if it would return nothing. Reads only.
///
/// # Errors
/// [`crate::Error::SchemaTooNew`] if the file demands a newer writer, or whatever SQLite reports.
pub fn prospect(ctx: &Ctx<'_>, queue: &str) -> Result<Option<Prospect>> {
    let outlook = Outlook::of(ctx, queue)?;
    schema::check_writer(outlook.min_writer)?;
    if outlook.settings.is_paused(ctx.now()) {
        return Ok(None);
    }
    let has_returning =
        outlook.has_lapsed(ctx, queue)? || outlook.first_held_back(ctx, queue)?.is_some_and(|at| at <= ctx.now());
    let room = room(ctx, queue, &outlook.settings)?;
    let due = if room > 0 { walk_levels(ctx, queue, outlook.highest)?.due } else { None };
    // Looked for only where a claim would return nothing, so that a busy queue pays nothing for it.
    let has_returning = has_returning || (due.is_none() && outlook.first_end.is_some() && has_beyond(ctx, queue)?);
    let stranded = match due {
        None if outlook.has_other => keys::stranded(ctx, &outlook.settings, queue)?,
        _ => Vec::new(),
    };
    let orphaned = match due {
        None if outlook.has_other => lost_parents::lost(ctx, queue)?,
        _ => Vec::new(),
    };
    let resuming = keys::resuming(ctx, &outlook.settings, queue)?;
    let is_worth_it =
        has_returning || due.is_some() || !stranded.is_empty() || !orphaned.is_empty() || !resuming.is_empty();
    let settings = outlook.settings;
    Ok(is_worth_it.then_some(Prospect { due, has_returning, stranded, orphaned, resuming, room, settings }))
}

/// How many jobs the limits of the queue allow to start now, of as many as one claim can lease.
fn room(ctx: &Ctx<'_>, queue: &str, settings: &Settings) -> Result<i64> {
    let wanted = settings.room_in_flight(ctx, queue, *CLAIM_BATCH.end())?.max(0);
    let Some(rate) = settings.rate else { return Ok(wanted) };
    Ok(rate.allowed(settings.next_start_ms, as_real(ctx.now().as_ms()), wanted))
}

/// The first instant at which the rate of the queue allows a start; `None` without a rate.
pub(super) fn instant_of_start(ctx: &Ctx<'_>, settings: &Settings) -> Option<Instant> {
    settings.rate.map(|rate| instant_after(rate.next_start_ms(settings.next_start_ms, as_real(ctx.now().as_ms()))))
}

/// True if all slots of the queue are taken, over all processes. A hint: the next commit may free one.
///
/// # Errors
/// Whatever SQLite reports.
pub fn is_full(ctx: &Ctx<'_>, queue: &str) -> Result<bool> {
    Ok(Settings::of(ctx, queue)?.room_in_flight(ctx, queue, 1)? <= 0)
}

/// The earliest instant at which a claim could return a job: the second that has begun for jobs that are due or overdue,
/// `None` when nothing waits or the queue is paused. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn next_claim_at(ctx: &Ctx<'_>, queue: &str) -> Result<Option<Instant>> {
    // The first look stays open. So all looks see one state, and none begins and ends a read transaction of its own.
    let mut look = Outlook::prepare(ctx)?;
    let mut rows = look.cursor([queue])?;
    let outlook = rows.next()?.map(|row| Outlook::read(ctx, queue, row)).transpose()?.unwrap_or_default();
    let (now, settings) = (ctx.now(), &outlook.settings);
    let is_paused = settings.is_paused(now);
    if is_paused && settings.pause_end().is_none() {
        return Ok(None);
    }
    let first_lapse = outlook.first_lapse(ctx, queue)?;
    let held_back = outlook.first_held_back(ctx, queue)?;
    // With all slots taken nothing starts until one is given back, which is a commit, or lapses.
    let first_due = if settings.room_in_flight(ctx, queue, 1)? > 0 {
        let resumed = keys::next_resume(ctx, settings, queue)?;
        [walk_levels(ctx, queue, outlook.highest)?.first_due, resumed].into_iter().flatten().min()
    } else {
        None
    };
    let next_start = instant_of_start(ctx, settings);
    let first_due =
        [first_due, held_back].into_iter().flatten().min().map(|at| next_start.map_or(at, |start| at.max(start)));
    let first = [first_lapse, first_due].into_iter().flatten().min();
    let first = first.map(|at| settings.pause_end().filter(|_| is_paused).map_or(at, |end| at.max(end)));
    match first {
        Some(at) if at <= now => Ok(Some(now.rounded_down())),
        // As in `prospect`: a claim that finds nothing else takes over a lease beyond the longest one.
        _ if outlook.first_end.is_some() && has_beyond(ctx, queue)? => Ok(Some(now.rounded_down())),
        Some(at) => ctx.stored(at).map(Some),
        None => Ok(None),
    }
}

/// Leases up to `n` due jobs, in claim order: priority, then `run_at`, then id.
///
/// May return none while work waits behind more than [`DEAD_LETTERS_PER_CLAIM`] dead rows; [`next_claim_at`] then still says
/// "now".
///
/// # Errors
/// Whatever SQLite reports.
pub fn claim(ctx: &Ctx<'_>, claim: &Claim<'_>, prospect: Prospect) -> Result<Vec<ClaimedJob>> {
    let Prospect { mut due, has_returning, stranded, orphaned, resuming, mut room, settings } = prospect;
    if has_returning || !stranded.is_empty() || !orphaned.is_empty() || !resuming.is_empty() {
        lost_parents::rescue(ctx, &orphaned)?;
        put_back(ctx, claim.queue)?;
        keys::resume(ctx, &resuming, claim.queue)?;
        keys::rescue(ctx, &stranded, claim.queue)?;
        // A job that has come back may be due at any level.
        due = walk_levels(ctx, claim.queue, Outlook::of(ctx, claim.queue)?.highest)?.due;
        // A lease that has lapsed held a slot.
        room = self::room(ctx, claim.queue, &settings)?;
    }
    let n = claim.n.min(usize::try_from(room).unwrap_or(0));
    let lease_end = ctx.stored_end_of_lease(claim.lease)?;
    let policy = Policy { queue: claim.queue, settings: &settings, now: ctx.now(), lease_end };
    let mut batch = Batch::new(claim, n, policy);
    batch.take_levels(ctx, due)?;
    if batch.jobs.is_empty() && batch.parked > 0 {
        // Others of their keys may go first, and be candidates now. One more round, and then the claim comes back empty.
        ctx.flush()?;
        batch.candidates = Candidates::default();
        due = walk_levels(ctx, claim.queue, Outlook::of(ctx, claim.queue)?.highest)?.due;
        batch.take_levels(ctx, due)?;
    }
    let jobs = batch.jobs;
    if let Some(rate) = settings.rate.filter(|_| !jobs.is_empty()) {
        let count = i64::try_from(jobs.len()).unwrap_or(i64::MAX);
        let next_ms = rate.after(settings.next_start_ms, as_real(ctx.now().as_ms()), count);
        ctx.change_one(sql!("rate_next_start.sql"), params![claim.queue, next_ms])?;
        ctx.forget_settings();
    }
    Ok(jobs)
}

/// The first look of a claim at a queue.
#[derive(Default)]
pub(super) struct Outlook {
    /// The minimum writer version of the file, as it is stored.
    min_writer: Option<i64>,
    settings: Settings,
    /// Where the first lease ends, as it is stored.
    first_end: Option<Instant>,
    pub(super) highest: Option<Level>,
    /// There are jobs that are blocked, that wait for others, or in states that we do not know.
    has_other: bool,
}

impl Outlook {
    pub(super) fn of(ctx: &Ctx<'_>, queue: &str) -> Result<Self> {
        let mut look = Self::prepare(ctx)?;
        let mut rows = look.cursor([queue])?;
        // The statement always has a row.
        rows.next()?.map(|row| Self::read(ctx, queue, row)).transpose().map(Option::unwrap_or_default)
    }

    fn prepare<'c>(ctx: &Ctx<'c>) -> Result<Prepared<'c>> {
        ctx.prepare(sql!("claim_outlook.sql"))
    }

    fn read(ctx: &Ctx<'_>, queue: &str, row: &Row<'_>) -> Result<Self> {
        let first_due = Instant::from_stored(row.get_ref(2)?);
        let highest = row.get::<_, Option<Priority>>(1)?.map(|priority| Level { priority, first_due });
        let has_settings = row.get_ref(5)? != ValueRef::Null;
        Ok(Self {
            first_end: Instant::from_stored(row.get_ref(0)?),
            highest,
            min_writer: row.get_ref(3)?.as_i64().ok(),
            has_other: row.get_ref(4)? != ValueRef::Null,
            settings: if has_settings { Settings::look(ctx, queue)? } else { Settings::default() },
        })
    }

    /// The instant at which the first lease lapses.
    ///
    /// Leases do not lapse in the order of their ends: one that is stored as a whole second holds through all of it,
    /// and one that ends at a fraction of that second lapses before. That one's is then the very next end.
    fn first_lapse(&self, ctx: &Ctx<'_>, queue: &str) -> Result<Option<Instant>> {
        let Some(first_end) = self.first_end else { return Ok(None) };
        let next_end = ctx.row(sql!("claim_next_end.sql"), params![queue, first_end], |row| {
            Ok(Instant::from_stored(row.get_ref(0)?))
        })?;
        Ok([Some(first_end), next_end.flatten()].into_iter().flatten().map(Instant::after_lease).min())
    }

    /// When the first job becomes due that a newer release of the reference holds back until its time, in a state that it
    /// calls `scheduled` or the like. Other states that we do not know are left alone: see [`crate::malformed`].
    fn first_held_back(&self, ctx: &Ctx<'_>, queue: &str) -> Result<Option<Instant>> {
        if !self.has_other || ctx.row(sql!("later_any.sql"), [queue], |_row| Ok(()))?.is_none() {
            return Ok(None);
        }
        Ok(ctx.row(sql!("later_first.sql"), [queue], |row| Ok(Instant::from_stored(row.get_ref(0)?)))?.flatten())
    }

    /// True if any lease has lapsed. Looks at a second end only within the last second of the first.
    fn has_lapsed(&self, ctx: &Ctx<'_>, queue: &str) -> Result<bool> {
        match self.first_end {
            Some(end) if end.after_lease() <= ctx.now() => Ok(true),
            Some(end) if end <= ctx.now() => Ok(self.first_lapse(ctx, queue)?.is_some_and(|at| at <= ctx.now())),
            _ => Ok(false),
        }
    }
}

/// A priority at which jobs wait.
pub(super) struct Level {
    pub(super) priority: Priority,
    pub(super) first_due: Option<Instant>,
}

impl Level {
    fn is_due(&self, now: Instant) -> bool {
        self.first_due.is_some_and(|at| at <= now)
    }

    /// The next one down.
    pub(super) fn below(ctx: &Ctx<'_>, queue: &str, priority: &Priority) -> Result<Option<Self>> {
        ctx.row(sql!("claim_level.sql"), params![queue, priority], |row| {
            Ok(Self { priority: row.get(0)?, first_due: Instant::from_stored(row.get_ref(1)?) })
        })
    }
}

/// The end of a walk down the levels: the first one with a due job, or else when the first job of any becomes due.
struct Walk {
    due: Option<Priority>,
    first_due: Option<Instant>,
}

/// Walks down from a level to the first with a due job: one seek for each on the way, and no row is read.
fn walk_levels(ctx: &Ctx<'_>, queue: &str, start: Option<Level>) -> Result<Walk> {
    let mut walk = Walk { due: None, first_due: None };
    let mut level = start;
    while let Some(here) = level {
        walk.first_due = [walk.first_due, here.first_due].into_iter().flatten().min();
        if here.is_due(ctx.now()) {
            walk.due = Some(here.priority);
            break;
        }
        level = Level::below(ctx, queue, &here.priority)?;
    }
    Ok(walk)
}

/// The latest end of a lease that begins now. One that ends later was given by a clock that was ahead: its holder may have
/// ended long ago, and the job would wait for years.
fn latest_end(ctx: &Ctx<'_>) -> Instant {
    ctx.end_of_lease(Span::from_seconds(LEASE_MAX_S))
}

fn has_beyond(ctx: &Ctx<'_>, queue: &str) -> Result<bool> {
    Ok(ctx.row(sql!("claim_beyond.sql"), params![queue, latest_end(ctx), 1], |_row| Ok(()))?.is_some())
}

/// Makes jobs wait again whose lease has lapsed, or which were held back until now, or dead-letters those that have no
/// attempt or no time left.
fn put_back(ctx: &Ctx<'_>, queue: &str) -> Result<()> {
    let now = ctx.now();
    let read = |row: &Row<'_>| {
        Ok((row.get::<_, i64>(0)?, end_of_life([row.get_ref(1)?, row.get_ref(2)?, row.get_ref(3)?], now)))
    };
    let lapsed = ctx.rows(sql!("claim_lapsed.sql"), params![queue, now, now.second(), LAPSED_PER_CLAIM], read)?;
    let room = LAPSED_PER_CLAIM - i64::try_from(lapsed.len()).unwrap_or(LAPSED_PER_CLAIM);
    let beyond = ctx.rows(sql!("claim_beyond.sql"), params![queue, latest_end(ctx), room], read)?;
    let held_back = ctx.rows(sql!("later_due.sql"), params![queue, now, LAPSED_PER_CLAIM], read)?;
    for (id, cause) in lapsed.into_iter().chain(beyond).chain(held_back) {
        match cause {
            Some(error) => {
                history::record_lost(ctx, id)?;
                leave(ctx, &Move::DeadLetter { id, queue, error: &error })?
            }
            None => leave(ctx, &Move::Lapse { id })?,
        };
    }
    // The rows that follow are judged by what these have left.
    ctx.flush()
}

/// A claim under way.
struct Batch<'a> {
    claim: &'a Claim<'a>,
    /// The most jobs to lease, by the claim and the limits of the queue.
    n: usize,
    policy: Policy<'a>,
    candidates: Candidates,
    jobs: Vec<ClaimedJob>,
    room: Room,
    dead_letters: usize,
    parked: usize,
}

impl<'a> Batch<'a> {
    fn new(claim: &'a Claim<'a>, n: usize, policy: Policy<'a>) -> Self {
        let candidates = Candidates::default();
        Self { claim, n, policy, candidates, jobs: Vec::new(), room: claim.room, dead_letters: 0, parked: 0 }
    }

    fn has_room(&self) -> bool {
        self.jobs.len() < self.n
            && self.room.is_left()
            && self.dead_letters < DEAD_LETTERS_PER_CLAIM
            && self.parked < PARKED_PER_CLAIM
    }

    /// Takes due jobs from a level on downwards, passing over levels without any.
    fn take_levels(&mut self, ctx: &Ctx<'_>, mut due: Option<Priority>) -> Result<()> {
        while let Some(level) = due
            && let Some(undue) = self.take(ctx, &level)?
        {
            let below = Level::below(ctx, self.claim.queue, &undue)?;
            due = walk_levels(ctx, self.claim.queue, below)?.due;
        }
        Ok(())
    }

    /// Carries out the policy's verdicts on due jobs, from a level on downwards, as many as there is room for. Returns the
    /// level of the first job that is not due, if it came to one.
    ///
    /// The rows are read to the end before any is changed: changing a row moves it in the index being walked. Rows that
    /// were taken or dead-lettered are gone from the index, so the same walk then goes on where it stopped.
    fn take(&mut self, ctx: &Ctx<'_>, level: &Priority) -> Result<Option<Priority>> {
        while self.has_room() {
            let mut wanted = self.n - self.jobs.len();
            if self.policy.settings.looks_at_keys() {
                wanted = wanted.min(PARKED_PER_CLAIM - self.parked);
            }
            let (verdicts, undue) = self.read_due(ctx, level, wanted)?;
            let is_full = verdicts.len() == wanted;
            let mut plain = Vec::with_capacity(verdicts.len());
            for verdict in verdicts {
                self.carry_out(ctx, verdict, &mut plain)?;
            }
            plain::take(ctx, &plain, self.claim.worker_id, self.policy.lease_end)?;
            if undue.is_some() || !is_full {
                return Ok(undue);
            }
        }
        Ok(None)
    }

    /// Carries out a verdict. The caller takes the jobs that it adds to `plain`.
    fn carry_out(&mut self, ctx: &Ctx<'_>, verdict: Verdict, plain: &mut Vec<i64>) -> Result<()> {
        match verdict {
            Verdict::Take(job) => {
                let (worker_id, lease_end) = (self.claim.worker_id, self.policy.lease_end);
                let keep = if self.policy.settings.keep_finished.is_some() { ties::KEEP } else { 0 };
                // Its next attempt needs a start of its own.
                let ties = job.ties & !ties::START_GIVEN | keep;
                if ties == 0 {
                    plain.push(job.id);
                } else {
                    leave(ctx, &Move::Take { id: job.id, worker_id, lease_end, ties })?;
                }
                let wait_ms = job.run_at.map_or(0, |due| (ctx.now() - due).as_ms()).max(0);
                moves::note(
                    ctx,
                    Kind::Claimed { wait_s: as_real(wait_ms) / 1e3 },
                    job.id,
                    self.claim.queue,
                    &job.payload,
                )?;
                self.jobs.push(job);
            }
            Verdict::DeadLetter(id, error) => {
                leave(ctx, &Move::DeadLetter { id, queue: self.claim.queue, error: &error })?;
                self.dead_letters += 1;
            }
            Verdict::Block(id, key) => {
                leave(ctx, &Move::Block { id })?;
                ctx.note(|effects| effects.key_has_room(self.claim.queue, &key));
                self.parked += 1;
            }
            Verdict::Defer(id, start) => {
                let run_at = ctx.stored(start)?;
                leave(ctx, &Move::Defer { id, run_at })?;
                self.parked += 1;
            }
        }
        Ok(())
    }

    /// Verdicts on due rows in claim order, and the level of the first row that is not due, beyond which nothing was
    /// read.
    fn read_due(&mut self, ctx: &Ctx<'_>, level: &Priority, wanted: usize) -> Result<(Vec<Verdict>, Option<Priority>)> {
        let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
        let mut statement = ctx.prepare(sql!("claim_waiting.sql"))?;
        let mut rows = statement.cursor(params![self.claim.queue, level, limit])?;
        let mut verdicts = Vec::new();
        while self.room.is_left()
            && let Some(row) = rows.next()?
        {
            let run_at = Instant::from_stored(row.get_ref(3)?);
            if !self.policy.is_due(run_at) {
                return Ok((verdicts, Some(row.get(2)?)));
            }
            let verdict = self.policy.judge(ctx, row, run_at, &mut self.candidates)?;
            if let Verdict::Take(job) = &verdict {
                let others = [self.claim.queue, self.claim.worker_id, job.last_error.as_deref().unwrap_or_default()];
                if !self.room.take(job.id, &job.payload, &others)? {
                    break;
                }
            }
            verdicts.push(verdict);
        }
        Ok((verdicts, None))
    }
}
