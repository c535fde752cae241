//! Claiming: leasing due jobs to a worker.
//!
//! The cost does not depend on the backlog. Waiting jobs are visited one priority level at a time, one seek each:
//! delayed jobs of a high level neither hide due jobs of a lower one nor are stepped over. Lapsed leases are taken
//! from the head of their own index and first become waiting jobs again, so one index decides the order of all.
//! Exhausted, expired and malformed rows are buried where the claim meets them, a bounded number per call, so they
//! can pile up in front of nobody.
//!
//! Invariant: at most one live claim per job. `claim` runs in one write transaction (the caller's bracket), and
//! SQLite has one writer: two workers cannot both see a row as waiting. If the process dies at any statement the
//! bracket is rolled back and every row is as it was; after COMMIT the row carries worker, attempt and lease, and
//! whoever comes after the lease has lapsed takes it over under the next attempt number. If the clock jumps ahead,
//! leases lapse early and the attempt number keeps the late holder from settling; if it jumps back, they last longer.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, Statement, params};
use serde::Serialize;

use super::dead::bury;
use super::priority::Priority;
use crate::Result;
use crate::clock::{Instant, Span};
use crate::limits::{BURIED_PER_CLAIM, CLAIM_MAX_BYTES, LAPSED_PER_CLAIM};

/// What to claim, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The queue's name.
    pub queue: &'a str,
    /// Who claims.
    pub worker_id: &'a str,
    /// The most jobs to lease.
    pub n: usize,
    /// How long the lease holds.
    pub lease: Span,
}

/// A job as its worker gets it.
#[derive(Debug, Serialize)]
pub struct ClaimedJob {
    /// The job's id.
    pub id: i64,
    /// The payload as stored: JSON text.
    pub payload: String,
    /// Claims so far, this one included.
    pub attempts: i64,
    /// The last instant of the lease.
    pub claim_expires_at: Instant,
    /// Larger runs sooner.
    pub priority: i64,
    /// When the job became due.
    pub run_at: Option<Instant>,
    /// Claims before the job is dead-lettered.
    pub max_attempts: i64,
    /// When the job was enqueued.
    pub created_at: Option<Instant>,
    /// From when on the job would not be claimed any more.
    pub expires_at: Option<Instant>,
    /// Why the attempt before failed.
    pub last_error: Option<String>,
}

/// What a claim finds to take.
///
/// A worker that is woken by somebody else's commit asks for it first, which only reads, and goes on to the claim, which
/// takes the write lock, only if there is something. It holds for the snapshot in which it was read: the claim must run
/// in the same transaction.
pub struct Prospect {
    /// The first level with a due job, if any.
    due: Option<Priority>,
    has_lapsed: bool,
}

/// What a claim could take now, if anything. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn prospect(conn: &Connection, queue: &str) -> Result<Option<Prospect>> {
    let outlook = Outlook::of(conn, queue)?;
    if outlook.is_paused {
        return Ok(None);
    }
    let now = Instant::now();
    let has_lapsed = outlook.has_lapsed(conn, queue, now)?;
    let walk = walk_levels(conn, queue, outlook.highest, now)?;
    Ok((has_lapsed || walk.due.is_some()).then_some(Prospect { due: walk.due, has_lapsed }))
}

/// The earliest instant at which a claim could return something: "now" for work that is due or overdue, `None` when
/// nothing waits or the queue is paused. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn next_claim_at(conn: &Connection, queue: &str) -> Result<Option<Instant>> {
    let outlook = Outlook::of(conn, queue)?;
    if outlook.is_paused {
        return Ok(None);
    }
    let now = Instant::now();
    let first_lapse = outlook.first_lapse(conn, queue)?;
    if first_lapse.is_some_and(|at| at <= now) {
        return Ok(Some(now));
    }
    let walk = walk_levels(conn, queue, outlook.highest, now)?;
    Ok([first_lapse, walk.first_due].into_iter().flatten().min().map(|at| at.max(now)))
}

/// Leases up to `n` due jobs, in claim order: priority, then `run_at`, then id.
///
/// May return none while work waits behind more than [`BURIED_PER_CLAIM`] dead rows; [`next_claim_at`] then still says
/// "now".
///
/// # Errors
/// Whatever SQLite reports.
pub fn claim(conn: &Connection, claim: &Claim<'_>, prospect: Prospect) -> Result<Vec<ClaimedJob>> {
    let now = Instant::now();
    let mut due = prospect.due;
    if prospect.has_lapsed {
        requeue_lapsed(conn, claim.queue, now)?;
        // What has come back may be due anywhere.
        due = walk_levels(conn, claim.queue, Outlook::of(conn, claim.queue)?.highest, now)?.due;
    }
    let lease_end = Instant::end_of_lease(claim.lease);
    let mut batch = Batch { claim, now, lease_end, jobs: Vec::new(), bytes: 0, buried: 0 };
    while let Some(level) = due
        && let Some(undue) = batch.take(conn, &level)?
    {
        let below = Level::below(conn, claim.queue, &undue)?;
        due = walk_levels(conn, claim.queue, below, now)?.due;
    }
    Ok(batch.jobs)
}

/// What a claim would meet first.
pub(super) struct Outlook {
    is_paused: bool,
    /// Where the first lease ends, as it is stored.
    first_end: Option<Instant>,
    pub(super) highest: Option<Level>,
}

impl Outlook {
    pub(super) fn of(conn: &Connection, queue: &str) -> Result<Self> {
        let mut statement = conn.prepare_cached(include_str!("claim_outlook.sql"))?;
        let outlook = statement.query_row([queue], |row| {
            let first_due = Instant::from_stored(row.get_ref(3)?);
            let highest = row.get::<_, Option<Priority>>(2)?.map(|priority| Level { priority, first_due });
            Ok(Self {
                is_paused: row.get_ref(0)? != ValueRef::Null,
                first_end: Instant::from_stored(row.get_ref(1)?),
                highest,
            })
        });
        Ok(outlook?)
    }

    /// When the first lease lapses.
    ///
    /// Leases do not lapse in the order of their ends: one that is stored as a whole second holds through all of it,
    /// and one that ends at a fraction of that second lapses before. That one's is then the very next end.
    fn first_lapse(&self, conn: &Connection, queue: &str) -> Result<Option<Instant>> {
        let Some(first_end) = self.first_end else { return Ok(None) };
        let mut statement = conn.prepare_cached(include_str!("claim_next_end.sql"))?;
        let next_end = statement
            .query_row(params![queue, first_end], |row| Ok(Instant::from_stored(row.get_ref(0)?)))
            .optional()?
            .flatten();
        Ok([Some(first_end), next_end].into_iter().flatten().map(Instant::after_lease).min())
    }

    /// Whether any lease has lapsed. Looks at a second end only within the last second of the first.
    fn has_lapsed(&self, conn: &Connection, queue: &str, now: Instant) -> Result<bool> {
        match self.first_end {
            Some(end) if end.after_lease() <= now => Ok(true),
            Some(end) if end <= now => Ok(self.first_lapse(conn, queue)?.is_some_and(|at| at <= now)),
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
    pub(super) fn below(conn: &Connection, queue: &str, priority: &Priority) -> Result<Option<Self>> {
        let mut statement = conn.prepare_cached(include_str!("claim_level.sql"))?;
        Self::query(&mut statement, queue, priority)
    }

    fn query(statement: &mut Statement<'_>, queue: &str, below: &Priority) -> Result<Option<Self>> {
        let level = statement.query_row(params![queue, below], |row| {
            Ok(Self { priority: row.get(0)?, first_due: Instant::from_stored(row.get_ref(1)?) })
        });
        Ok(level.optional()?)
    }
}

/// The end of a walk down the levels: the first one with a due job, or else when the first job of any becomes due.
struct Walk {
    due: Option<Priority>,
    first_due: Option<Instant>,
}

/// Walks down from a level to the first with a due job: one seek for each on the way, and no row is read.
fn walk_levels(conn: &Connection, queue: &str, start: Option<Level>, now: Instant) -> Result<Walk> {
    let mut walk = Walk { due: None, first_due: None };
    let mut level = start;
    let mut statement = None;
    while let Some(here) = level {
        walk.first_due = [walk.first_due, here.first_due].into_iter().flatten().min();
        if here.is_due(now) {
            walk.due = Some(here.priority);
            break;
        }
        if statement.is_none() {
            statement = Some(conn.prepare_cached(include_str!("claim_level.sql"))?);
        }
        level = match &mut statement {
            Some(statement) => Level::query(statement, queue, &here.priority)?,
            None => None,
        };
    }
    Ok(walk)
}

/// Makes jobs whose lease has lapsed wait again, or buries those that have no attempt or no time left.
fn requeue_lapsed(conn: &Connection, queue: &str, now: Instant) -> Result<()> {
    let lapsed = conn
        .prepare_cached(include_str!("claim_lapsed.sql"))?
        .query_map(params![queue, now, now.second(), LAPSED_PER_CLAIM], |row| {
            Ok((row.get::<_, i64>(0)?, end_of_life(row, 1, now)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for (id, cause) in lapsed {
        match cause {
            Some(cause) => bury(conn, id, &cause)?,
            None => {
                conn.prepare_cached(include_str!("claim_requeue.sql"))?.execute([id])?;
            }
        }
    }
    Ok(())
}

/// Why a row must not be claimed, from `attempts`, `max_attempts` and `expires_at`, which start at `column`.
fn end_of_life(row: &Row<'_>, column: usize, now: Instant) -> rusqlite::Result<Option<String>> {
    let expires_at = row.get_ref(column + 2)?;
    if Instant::from_stored(expires_at).is_some_and(|at| at <= now) {
        return Ok(Some("expired".to_owned()));
    }
    Ok(match (row.get_ref(column)?, row.get_ref(column + 1)?) {
        (ValueRef::Integer(attempts), ValueRef::Integer(max)) if attempts < max => None,
        (ValueRef::Integer(_), ValueRef::Integer(_)) => Some("max attempts exceeded".to_owned()),
        (attempts, max) => {
            Some(format!("malformed row: attempts is {}, max_attempts is {}", attempts.data_type(), max.data_type()))
        }
    })
}

/// A claim under way.
struct Batch<'a> {
    claim: &'a Claim<'a>,
    now: Instant,
    lease_end: Instant,
    jobs: Vec<ClaimedJob>,
    bytes: usize,
    buried: usize,
}

impl Batch<'_> {
    fn has_room(&self) -> bool {
        self.jobs.len() < self.claim.n && self.bytes < CLAIM_MAX_BYTES && self.buried < BURIED_PER_CLAIM
    }

    /// Takes or buries due jobs from a level on downwards, and as many as there is room for; the level of the first job
    /// that is not due, if it came to one.
    ///
    /// The rows are read to the end before any is changed: changing a row moves it in the index being walked. What was
    /// taken or buried is gone from the index, so the same walk then goes on where it stopped.
    fn take(&mut self, conn: &Connection, level: &Priority) -> Result<Option<Priority>> {
        while self.has_room() {
            let wanted = self.claim.n - self.jobs.len();
            let (due, undue) = self.read_due(conn, level, wanted)?;
            let is_full = due.len() == wanted;
            for row in due {
                self.take_one(conn, row)?;
            }
            if undue.is_some() || !is_full {
                return Ok(undue);
            }
        }
        Ok(None)
    }

    fn take_one(&mut self, conn: &Connection, row: Due) -> Result<()> {
        match row {
            Due::Job(job) => {
                let mut statement = conn.prepare_cached(include_str!("claim_take.sql"))?;
                statement.execute(params![job.id, self.claim.worker_id, self.lease_end])?;
                self.jobs.push(job);
            }
            Due::Dead(id, cause) => {
                bury(conn, id, &cause)?;
                self.buried += 1;
            }
        }
        Ok(())
    }

    /// Due rows in claim order, and the level of the first row that is not due, beyond which nothing was read.
    fn read_due(&mut self, conn: &Connection, level: &Priority, wanted: usize) -> Result<(Vec<Due>, Option<Priority>)> {
        let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
        let mut statement = conn.prepare_cached(include_str!("claim_waiting.sql"))?;
        let mut rows = statement.query(params![self.claim.queue, level, limit])?;
        let mut due = Vec::new();
        while self.bytes < CLAIM_MAX_BYTES
            && let Some(row) = rows.next()?
        {
            if Instant::from_stored(row.get_ref(3)?).is_none_or(|at| at > self.now) {
                return Ok((due, Some(row.get(2)?)));
            }
            let found = Due::read(row, self.now, self.lease_end)?;
            if let Due::Job(job) = &found {
                self.bytes += job.payload.len();
            }
            due.push(found);
        }
        Ok((due, None))
    }
}

/// A due row: a job to hand out, or one to bury and why.
enum Due {
    Job(ClaimedJob),
    Dead(i64, String),
}

impl Due {
    fn read(row: &Row<'_>, now: Instant, lease_end: Instant) -> rusqlite::Result<Self> {
        let id = row.get(0)?;
        if let Some(cause) = end_of_life(row, 4, now)?.or_else(|| malformed(row)) {
            return Ok(Self::Dead(id, cause));
        }
        Ok(Self::Job(ClaimedJob {
            id,
            payload: row.get(1)?,
            priority: row.get(2)?,
            run_at: Instant::from_stored(row.get_ref(3)?),
            attempts: row.get::<_, i64>(4)? + 1,
            max_attempts: row.get(5)?,
            created_at: Instant::from_stored(row.get_ref(7)?),
            expires_at: Instant::from_stored(row.get_ref(6)?),
            last_error: row.get_ref(8)?.as_str().ok().map(str::to_owned),
            claim_expires_at: lease_end,
        }))
    }
}

/// What makes a row unreadable as a job, if anything: rows may have been edited by hand.
fn malformed(row: &Row<'_>) -> Option<String> {
    if let Err(error) = row.get::<_, String>(1) {
        return Some(format!("malformed row: payload: {error}"));
    }
    row.get::<_, i64>(2).err().map(|error| format!("malformed row: priority: {error}"))
}
