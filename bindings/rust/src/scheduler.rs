//! The scheduler.

use std::time::{Duration, Instant};

use crate::connection::one;
use crate::database::{Database, FALLBACK};
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::row::{self, ceil, encode, parse};
use crate::schedule::{ScheduleRow, ScheduleUpdate, ScheduledFire, ScheduledTask};
use crate::stop::Stop;
use crate::wait::{Look, Waited, Waiter};

/// The lock of the leader.
const LOCK: &str = "honker-scheduler";
const LOCK_TTL_S: i64 = 60;
const RENEW_EVERY: Duration = Duration::from_secs(20);
/// A standby looks at the lock this often, and after each commit.
const STANDBY: Duration = Duration::from_secs(5);

/// The schedules of a file, made by [`Database::scheduler`].
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let db = honker::Database::open(folder.path().join("app.db"))?;
/// use honker::{QueueOpts, ScheduledTask, Stop};
///
/// let scheduler = db.scheduler();
/// scheduler.add(ScheduledTask::cron("often", "ticks", "@every 1s", serde_json::json!(null)))?;
///
/// let stop = Stop::new();
/// let running = std::thread::spawn({
///     let (scheduler, stop) = (scheduler.clone(), stop.clone());
///     move || scheduler.run(stop, "host-1")
/// });
/// let job = db.queue("ticks", QueueOpts::default()).claim_waker().next("worker-1")?.unwrap();
/// job.ack()?;
/// stop.stop();
/// running.join().unwrap()?;
/// # Ok::<(), honker::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Scheduler {
    db: Database,
}

/// How a leader's time ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Stopped,
    /// The lock had lapsed.
    LostLock,
}

impl Scheduler {
    pub(crate) fn new(db: &Database) -> Self {
        Self { db: db.clone() }
    }

    /// Adds a schedule, or replaces the one of that name. Its jobs have 3 attempts.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for an expression that is not valid, and
    /// errors of writing.
    pub fn add(&self, task: ScheduledTask) -> Result<()> {
        self.add_with_max_attempts(task, 3)
    }

    /// As [`Scheduler::add`], with other attempts, 1 to 1,000,000.
    ///
    /// # Errors
    /// As [`Scheduler::add`].
    #[expect(clippy::needless_pass_by_value, reason = "the signature that programs call")]
    pub fn add_with_max_attempts(&self, task: ScheduledTask, max_attempts: i64) -> Result<()> {
        const REGISTER: &str = "SELECT honker_scheduler_register(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let payload = encode(&task.payload)?;
        let params = (&task.name, &task.queue, &task.schedule, payload, task.priority, task.expires_s, max_attempts);
        self.db.shared().write(|conn| one::<i64>(conn, REGISTER, params)).map(drop)
    }

    /// Removes a schedule. Returns the number removed, 1 or 0.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn remove(&self, name: &str) -> Result<i64> {
        self.db.shared().write(|conn| one(conn, "SELECT honker_scheduler_unregister(?1)", [name]))
    }

    /// Enqueues the jobs of all boundaries that have passed. [`Scheduler::run`] does this when it is time.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn tick(&self) -> Result<Vec<ScheduledFire>> {
        let fires: String =
            self.db.shared().write(|conn| one(conn, "SELECT honker_scheduler_tick(honker_clock())", []))?;
        parse(&fires)
    }

    /// The next boundary of all schedules: Unix seconds, rounded up to whole ones; 0 without a schedule.
    ///
    /// # Errors
    /// Errors of reading.
    pub fn soonest(&self) -> Result<i64> {
        let soonest: Option<f64> = self.db.shared().read(|conn| one(conn, "SELECT honker_scheduler_soonest()", []))?;
        Ok(soonest.map_or(0, ceil))
    }

    /// Pauses a schedule. False if it was paused, or if no schedule has that name.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn pause(&self, name: &str) -> Result<bool> {
        self.db.shared().write(|conn| one(conn, "SELECT honker_scheduler_pause(?1)", [name]))
    }

    /// Lets a paused schedule fire again. False if it was not paused.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn resume(&self, name: &str) -> Result<bool> {
        self.db.shared().write(|conn| one(conn, "SELECT honker_scheduler_resume(?1)", [name]))
    }

    /// The schedules, by name.
    ///
    /// # Errors
    /// Errors of reading.
    pub fn list(&self) -> Result<Vec<ScheduleRow>> {
        parse(&self.db.shared().read(|conn| one::<String>(conn, "SELECT honker_scheduler_list()", []))?)
    }

    /// Changes a schedule. False if nothing was to change, or if no schedule has that name.
    ///
    /// # Errors
    /// As [`Scheduler::add`].
    pub fn update(&self, name: &str, update: ScheduleUpdate) -> Result<bool> {
        const UPDATE: &str = "SELECT honker_scheduler_update(?1, ?2, ?3, ?4, ?5, ?6)";
        if update == ScheduleUpdate::default() {
            return Ok(false);
        }
        let payload = update.payload.as_ref().map(encode).transpose()?;
        let has_expiry = i64::from(update.expires_s.is_some());
        let params = (name, update.cron_expr, payload, update.priority, update.expires_s.flatten(), has_expiry);
        self.db.shared().write(|conn| one(conn, UPDATE, params))
    }

    /// Changes the attempts of a schedule's jobs. False if no schedule has that name.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn update_max_attempts(&self, name: &str, max_attempts: i64) -> Result<bool> {
        const UPDATE: &str = "SELECT honker_scheduler_update(?1, NULL, NULL, NULL, NULL, 0, ?2, 1)";
        self.db.shared().write(|conn| one(conn, UPDATE, (name, max_attempts)))
    }

    /// Enqueues jobs when they are due, until the stop comes.
    ///
    /// Of all schedulers of the file, in any process and language, the one that holds the lock `honker-scheduler` does
    /// this; the others stand by. It sleeps until the next boundary or a change of the schedules. The lock is released
    /// at the end.
    ///
    /// Pass a [`Stop`], which ends it at once, or an `Arc<AtomicBool>`, which it looks at every 50 ms.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the handle is closed meanwhile, and errors of writing. A
    /// database that is busy is asked again.
    pub fn run(&self, stop: impl Into<Stop>, owner: &str) -> Result<()> {
        let stop = stop.into();
        let mut waiter = Waiter::new(self.db.shared())?;
        loop {
            let lock = match waiter.wait_for(None, &stop, || self.stand_by(owner))? {
                Waited::Found(lock) => lock,
                Waited::Stopped | Waited::TimedOut => return Ok(()),
                Waited::Gone => return Err(Error::UpdateClosed),
            };
            let ended = self.lead(&mut waiter, &stop, &lock)?;
            if ended == Ended::Stopped {
                lock.release()?;
                return Ok(());
            }
        }
    }

    /// Takes the lock if it is free.
    fn stand_by(&self, owner: &str) -> Result<Look<Lock>> {
        const UNTIL: &str = "SELECT honker_lock_expires_at(?1) - honker_clock()";
        // A look first, which takes no write lock: it is repeated after each commit of the leader.
        let held_for: Option<f64> = self.db.shared().read(|conn| one(conn, UNTIL, [LOCK]))?;
        if let Some(seconds) = held_for.filter(|seconds| *seconds > 0.0) {
            return Ok(Look::Nothing(row::until(seconds).min(STANDBY)));
        }
        Ok(self.db.try_lock(LOCK, owner, LOCK_TTL_S)?.map_or(Look::Nothing(STANDBY), Look::Found))
    }

    fn lead(&self, waiter: &mut Waiter, stop: &Stop, lock: &Lock) -> Result<Ended> {
        let mut renewed = Instant::now();
        let turn = || {
            if renewed.elapsed() >= RENEW_EVERY {
                if !lock.heartbeat(LOCK_TTL_S)? {
                    return Ok(Look::Found(Ended::LostLock));
                }
                renewed = Instant::now();
            }
            Ok(Look::Nothing(self.fire()?.min(RENEW_EVERY.saturating_sub(renewed.elapsed()))))
        };
        match waiter.wait_for(None, stop, turn)? {
            Waited::Found(ended) => Ok(ended),
            Waited::Stopped | Waited::TimedOut => Ok(Ended::Stopped),
            Waited::Gone => Err(Error::UpdateClosed),
        }
    }

    /// Enqueues the jobs that are due. Returns the time until the next boundary.
    fn fire(&self) -> Result<Duration> {
        let until = self.until_soonest()?;
        if until.is_zero() {
            self.tick()?;
            return self.until_soonest();
        }
        Ok(until)
    }

    fn until_soonest(&self) -> Result<Duration> {
        const UNTIL: &str = "SELECT nullif(honker_scheduler_soonest(), 0) - honker_clock()";
        let seconds: Option<f64> = self.db.shared().read(|conn| one(conn, UNTIL, []))?;
        Ok(seconds.map_or(FALLBACK, row::until))
    }
}
