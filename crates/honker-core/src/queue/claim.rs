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

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::dead::bury;
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

/// Leases up to `n` due jobs, in claim order: priority, then `run_at`, then id.
///
/// May return none while work waits behind more than [`BURIED_PER_CLAIM`] dead rows; [`next_claim_at`] then still
/// says "now".
///
/// # Errors
/// Whatever SQLite reports.
pub fn claim(conn: &Connection, claim: &Claim<'_>) -> Result<Vec<ClaimedJob>> {
    let now = Instant::now();
    let outlook = Outlook::of(conn, claim.queue)?;
    if claim.n == 0 || outlook.is_paused {
        return Ok(Vec::new());
    }
    if outlook.first_lapse.is_some_and(|at| at <= now) {
        requeue_lapsed(conn, claim.queue, now)?;
    }
    let lease_end = Instant::end_of_lease(claim.lease);
    let mut batch = Batch { claim, now, lease_end, jobs: Vec::new(), bytes: 0, buried: 0 };
    // An empty BLOB: above every number and text.
    let mut below = Some(Value::Blob(Vec::new()));
    while let Some(level) = &below
        && batch.has_room()
    {
        below = batch.take(conn, level)?;
    }
    Ok(batch.jobs)
}

/// Whether a claim could return something now. Reads only: a worker that is woken by somebody else's commit asks this
/// before it takes the write lock.
///
/// # Errors
/// Whatever SQLite reports.
pub fn is_claimable(conn: &Connection, queue: &str) -> Result<bool> {
    let earliest = next_claim_at(conn, queue)?;
    Ok(earliest.is_some_and(|at| at <= Instant::now()))
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
    let mut earliest = outlook.first_lapse;
    let mut level = outlook.highest;
    while let Some(Level { priority, first_due }) = level {
        earliest = [earliest, first_due].into_iter().flatten().min();
        if earliest.is_some_and(|at| at <= now) {
            break;
        }
        level = Level::below(conn, queue, &priority)?;
    }
    Ok(earliest.map(|at| at.max(now)))
}

/// What a claim would meet first.
struct Outlook {
    is_paused: bool,
    first_lapse: Option<Instant>,
    highest: Option<Level>,
}

impl Outlook {
    fn of(conn: &Connection, queue: &str) -> Result<Self> {
        let mut statement = conn.prepare_cached(include_str!("claim_outlook.sql"))?;
        let outlook = statement.query_row([queue], |row| {
            let highest = match row.get(2)? {
                Value::Null => None,
                priority => Some(Level { priority, first_due: Instant::from_stored(row.get_ref(3)?) }),
            };
            Ok(Self {
                is_paused: row.get_ref(0)? != ValueRef::Null,
                first_lapse: Instant::from_stored(row.get_ref(1)?).map(Instant::after_lease),
                highest,
            })
        });
        Ok(outlook?)
    }
}

/// A priority at which jobs wait. It is whatever the rows hold, so that a malformed one can be passed.
struct Level {
    priority: Value,
    first_due: Option<Instant>,
}

impl Level {
    /// The next one down.
    fn below(conn: &Connection, queue: &str, priority: &Value) -> Result<Option<Self>> {
        let mut statement = conn.prepare_cached(include_str!("claim_level.sql"))?;
        let level = statement.query_row(params![queue, priority], |row| {
            Ok(Self { priority: row.get(0)?, first_due: Instant::from_stored(row.get_ref(1)?) })
        });
        Ok(level.optional()?)
    }
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

    /// Takes or buries due jobs of the levels below one; the level to go on below, if there may be more.
    ///
    /// The rows are read to the end before any is changed: changing a row moves it in the index being walked.
    fn take(&mut self, conn: &Connection, below: &Value) -> Result<Option<Value>> {
        let wanted = self.claim.n - self.jobs.len();
        let (due, undue_level) = self.read_due(conn, below, wanted)?;
        let is_full = due.len() == wanted;
        for row in due {
            match row {
                Due::Job(job) => {
                    conn.prepare_cached(include_str!("claim_take.sql"))?.execute(params![
                        job.id,
                        self.claim.worker_id,
                        self.lease_end
                    ])?;
                    self.jobs.push(job);
                }
                Due::Dead(id, cause) => {
                    bury(conn, id, &cause)?;
                    self.buried += 1;
                }
            }
        }
        // What was taken or buried is gone from the index, so the same walk goes on where it stopped.
        Ok(undue_level.or_else(|| is_full.then(|| below.clone())))
    }

    /// Due rows in claim order, and the level of the first row that is not due, beyond which nothing was read.
    fn read_due(&mut self, conn: &Connection, below: &Value, wanted: usize) -> Result<(Vec<Due>, Option<Value>)> {
        let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
        let mut statement = conn.prepare_cached(include_str!("claim_waiting.sql"))?;
        let mut rows = statement.query(params![self.claim.queue, below, limit])?;
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
