//! The loop of the watcher's thread: it looks for commits at the right moments.
//!
//! `data_version` changes with a commit and takes a statement to read. In WAL mode the change counter of the WAL index
//! changes too and takes a read of memory. So the counter is read after an event, and safety ticks verify it by
//! `data_version`.
//!
//! With file events it sleeps until one comes. The event precedes the commit's visibility by some microseconds (by an
//! fsync, with `synchronous=FULL`), so each event opens a window in which it looks again and again, at growing
//! distances. A look that finds a change does not close the window: the same batch of events may have announced a
//! second commit, which was not visible yet when the first was.
//!
//! A safety tick looks in any case. If it finds a change that no event announced, events cannot be trusted: it counts
//! it, and when that happens again, or nothing but silence has come from the file system, it polls from then on.

use std::collections::BTreeSet;
#[cfg(target_os = "linux")]
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::backend::{Backend, Options};
use crate::database::{Database, Look};
use crate::location::{Found, Identity};
use crate::shared::Shared;

/// The longest time that a commit goes unnoticed, whatever happens to events.
const SAFETY_TICK: Duration = Duration::from_millis(100);

/// Of how many safety ticks in a silence one is thorough.
const THOROUGH: u64 = 10;

/// How long the file may be missing. A copy that is put in its place in two steps, or a file that comes back, is away for
/// less.
const ABSENCE_MAX: Duration = Duration::from_secs(1);

/// How long after an event the commit it announced is looked for closely.
#[cfg(target_os = "linux")]
const WINDOW: Duration = Duration::from_millis(20);

/// How long it is looked for at all, while no change has been seen since the event: an fsync may come in between.
#[cfg(target_os = "linux")]
const WINDOW_MAX: Duration = Duration::from_secs(1);

/// How long after an event it looks without pause. An announced commit is visible within a few microseconds; a pause
/// costs at least fifty, the scheduler's.
#[cfg(target_os = "linux")]
const SPIN: Duration = Duration::from_micros(40);

/// The longest distance between two looks within the window.
#[cfg(target_os = "linux")]
const PAUSE_MAX: Duration = Duration::from_millis(5);

/// The shortest distance between two rounds of spinning that found nothing.
#[cfg(target_os = "linux")]
const CHASE_MIN: Duration = Duration::from_micros(200);

/// Unannounced commits after which events are given up.
#[cfg(target_os = "linux")]
const MISSED_MAX: u64 = 3;

/// How old the last event may be when a commit counts as announced by it. Several commits may be announced at once and
/// become visible one after the other, each after an fsync.
#[cfg(target_os = "linux")]
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// Files of which it has been said that they are polled. Said once per file and process, not once per watcher.
#[cfg(target_os = "linux")]
static ANNOUNCED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The watched file, and the numbers that were read last.
pub struct Lookout {
    shared: Arc<Shared>,
    options: Options,
    identity: Option<Identity>,
    /// Since when the file has been missing.
    missing_since: Option<Instant>,
    /// `None` while the file cannot be opened.
    database: Option<Database>,
    /// `data_version` and the change counter when they were last read.
    seen: Option<i64>,
    counted: Option<u32>,
    /// Whether the change counter has moved since `data_version` was read: if so, that will have, too.
    has_counted: bool,
    next_tick: Instant,
    #[cfg(target_os = "linux")]
    events: Option<Announcements>,
}

/// File events, and the commits they have announced.
#[cfg(target_os = "linux")]
struct Announcements {
    events: crate::events::Events,
    last: Instant,
    /// Whether an event has come since the last change that was seen.
    is_pending: bool,
}

impl Lookout {
    /// Takes the baseline.
    ///
    /// # Errors
    /// A sentence, if a backend that was asked for by name cannot work here.
    pub fn new(shared: &Arc<Shared>, options: Options) -> Result<Self, String> {
        let mut lookout = Self {
            shared: Arc::clone(shared),
            options,
            identity: shared.identity,
            missing_since: None,
            database: None,
            seen: None,
            counted: None,
            has_counted: false,
            next_tick: Instant::now() + SAFETY_TICK,
            #[cfg(target_os = "linux")]
            events: None,
        };
        lookout.set_up_events()?;
        lookout.reopen();
        if options.backend == Backend::Shm {
            let database = lookout.database.as_ref().ok_or("-shm unavailable: the database cannot be opened")?;
            let _busy_is_no_obstacle = database.wal_index()?;
            shared.set_mode("shm");
        }
        lookout.verify();
        lookout.find_counter();
        lookout.look();
        Ok(lookout)
    }

    #[cfg(target_os = "linux")]
    fn set_up_events(&mut self) -> Result<(), String> {
        if !matches!(self.options.backend, Backend::SelfChecking | Backend::Kernel) {
            self.shared.set_mode("polling");
            return Ok(());
        }
        // So that a wait of some microseconds does not last fifty more.
        let _default_will_do = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
        match crate::events::Events::watch(&self.shared.location.path) {
            Ok(events) => {
                self.events = Some(Announcements { events, last: Instant::now(), is_pending: false });
                self.shared.set_mode("events");
                Ok(())
            }
            Err(error) => self.give_up_events(&format!("file events cannot be had ({error})")),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn set_up_events(&mut self) -> Result<(), String> {
        self.shared.set_mode("polling");
        if self.options.backend == Backend::Kernel {
            return Err(
                "watcher backend kernel is not available on this system; leave it out, or choose polling".into()
            );
        }
        Ok(())
    }

    /// Polls from now on, and says so once; an error if events were asked for by name.
    #[cfg(target_os = "linux")]
    fn give_up_events(&mut self, reason: &str) -> Result<(), String> {
        let path = self.shared.location.path.display();
        if self.options.backend == Backend::Kernel {
            return Err(format!("watcher backend kernel: {reason} for {path}"));
        }
        let interval = self.options.poll_interval.as_millis();
        if ANNOUNCED.lock().unwrap_or_else(PoisonError::into_inner).insert(self.shared.location.path.clone()) {
            // Not `eprintln!`, which panics when standard error is a broken pipe.
            let _broken =
                writeln!(std::io::stderr(), "honker: {reason} for {path}; looking every {interval} ms instead");
        }
        self.events = None;
        self.shared.set_mode("polling");
        Ok(())
    }

    /// Keeps watch until it is stopped.
    ///
    /// # Errors
    /// Why it cannot go on: the file was replaced or deleted.
    pub fn keep(mut self) -> Result<(), String> {
        while !self.shared.is_stopping.load(Ordering::Relaxed) {
            if Instant::now() >= self.next_tick {
                self.safety_tick()?;
            }
            self.round()?;
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn round(&mut self) -> Result<(), String> {
        if self.events.is_some() { self.round_of_events() } else { self.round_of_looks() }
    }

    #[cfg(not(target_os = "linux"))]
    fn round(&mut self) -> Result<(), String> {
        self.round_of_looks()
    }

    /// Waits one interval and looks.
    fn round_of_looks(&mut self) -> Result<(), String> {
        if self.options.backend == Backend::Shm {
            return self.rounds_of_shm();
        }
        let interval = if self.database.is_some() { self.options.poll_interval } else { SAFETY_TICK };
        let _stopping = self.shared.stop.wait(interval);
        if self.verify() {
            self.shared.wake();
        }
        Ok(())
    }

    /// Watches the change counter until the next safety tick.
    fn rounds_of_shm(&mut self) -> Result<(), String> {
        let Some(database) = &self.database else {
            let _stopping = self.shared.stop.wait(SAFETY_TICK);
            return Ok(());
        };
        let Some(index) = database.wal_index()? else {
            // Somebody recovers the index at this moment.
            let _stopping = self.shared.stop.wait(self.options.poll_interval);
            return Ok(());
        };
        let mut seen = index.change_counter();
        while Instant::now() < self.next_tick && !self.shared.is_stopping.load(Ordering::Relaxed) {
            let _stopping = self.shared.stop.wait(self.options.poll_interval);
            let counter = index.change_counter();
            if counter != seen {
                seen = counter;
                self.shared.wake();
            }
        }
        Ok(())
    }

    /// Waits for an event or the next safety tick, and follows an event up.
    #[cfg(target_os = "linux")]
    fn round_of_events(&mut self) -> Result<(), String> {
        self.wait_for_event(self.next_tick);
        if self.take_events()? > 0 {
            self.follow_up()?;
        }
        Ok(())
    }

    /// Looks often at first and then less and less, until the window after the last event has passed.
    #[cfg(target_os = "linux")]
    fn follow_up(&mut self) -> Result<(), String> {
        let mut opened = Instant::now();
        let mut has_moved = false;
        let mut is_worth_spinning = true;
        while opened.elapsed() < if has_moved { WINDOW } else { WINDOW_MAX }
            && !self.shared.is_stopping.load(Ordering::Relaxed)
        {
            if self.look() {
                self.shared.wake();
                has_moved = true;
                is_worth_spinning = true;
            }
            if !has_moved && opened.elapsed() > SPIN {
                // A transaction that outgrows its cache writes long before it commits: do not chase each write.
                is_worth_spinning = false;
            }
            if has_moved || !is_worth_spinning {
                // The distance to the next look is the distance to the event.
                self.pause(opened.elapsed().clamp(SPIN, PAUSE_MAX), is_worth_spinning);
            }
            if self.events.is_none() {
                break;
            }
            if self.take_events()? > 0 {
                is_worth_spinning |= opened.elapsed() > CHASE_MIN;
                opened = Instant::now();
                has_moved = false;
            }
            if Instant::now() >= self.next_tick {
                self.safety_tick()?;
            }
        }
        Ok(())
    }

    /// Waits for the next look, or for an event; events that are being chased in vain get a moment to gather first.
    #[cfg(target_os = "linux")]
    fn pause(&self, length: Duration, is_worth_chasing: bool) {
        let until = Instant::now() + length;
        if !is_worth_chasing {
            std::thread::sleep(length.min(CHASE_MIN));
        }
        self.wait_for_event(until);
    }

    #[cfg(target_os = "linux")]
    fn wait_for_event(&self, until: Instant) {
        use rustix::event::{PollFd, PollFlags, poll};
        let Some(announcements) = &self.events else { return };
        let left = crate::signal::timespec(until.saturating_duration_since(Instant::now()));
        let mut descriptors =
            [PollFd::new(&announcements.events, PollFlags::IN), PollFd::new(&self.shared.stop, PollFlags::IN)];
        // An interrupted wait is a short one.
        let _interrupted = poll(&mut descriptors, Some(&left));
    }

    #[cfg(target_os = "linux")]
    fn take_events(&mut self) -> Result<u64, String> {
        let Some(announcements) = &mut self.events else { return Ok(0) };
        match announcements.events.take() {
            Ok(count) => {
                if count > 0 {
                    announcements.last = Instant::now();
                    announcements.is_pending = true;
                    self.shared.stats.events.add(count);
                }
                Ok(count)
            }
            Err(error) => self.give_up_events(&format!("file events have ended ({error})")).map(|()| 1),
        }
    }

    /// Looks whether anything was announced or not; now and then also whether the look can be relied on, and whether
    /// the file is still the same.
    fn safety_tick(&mut self) -> Result<(), String> {
        self.next_tick = Instant::now() + SAFETY_TICK;
        self.shared.stats.safety_ticks.add(1);
        let is_thorough = self.is_thorough_tick();
        if is_thorough {
            self.check_identity()?;
        }
        if self.database.is_none() {
            self.reopen();
        }
        #[cfg(target_os = "linux")]
        let was_pending = self.events.as_ref().is_none_or(|announcements| announcements.is_pending);
        if self.look() | (is_thorough && self.verify()) {
            #[cfg(target_os = "linux")]
            self.judge_events(was_pending)?;
            self.shared.wake();
        }
        if is_thorough {
            self.find_counter();
        }
        Ok(())
    }

    /// Every tick is thorough while anything happens or the file is missing; after a pause a statement takes as long as twenty reads of memory.
    fn is_thorough_tick(&self) -> bool {
        #[cfg(target_os = "linux")]
        let is_silent =
            self.events.as_ref().is_some_and(|announcements| announcements.last.elapsed() > 2 * SAFETY_TICK);
        #[cfg(not(target_os = "linux"))]
        let is_silent = false;
        !is_silent || self.missing_since.is_some() || self.shared.stats.safety_ticks.get().is_multiple_of(THOROUGH)
    }

    /// After a change that a safety tick found: was it announced? An event comes before the change is visible, so one
    /// that was sent is in the queue by now.
    #[cfg(target_os = "linux")]
    fn judge_events(&mut self, was_pending: bool) -> Result<(), String> {
        let Some(last) = self.events.as_ref().map(|announcements| announcements.last) else { return Ok(()) };
        if was_pending || last.elapsed() < SILENCE_MAX || self.take_events()? > 0 {
            return Ok(());
        }
        self.shared.stats.missed.add(1);
        if self.shared.stats.missed.get() >= MISSED_MAX {
            self.give_up_events("commits come without file events")?;
        }
        Ok(())
    }

    /// A file that was never there may still come. One that was deleted stays open in the watcher's connection, which would
    /// wait in vain for commits to it.
    fn check_identity(&mut self) -> Result<(), String> {
        let found = Identity::find(&self.shared.location.path);
        if !matches!((self.identity, &found), (Some(_), Found::Nothing)) {
            self.missing_since = None;
        }
        match (self.identity, found) {
            (Some(known), Found::File(found)) if known != found => Err(self.replaced("")),
            (Some(_), Found::Nothing) => {
                let since = *self.missing_since.get_or_insert_with(Instant::now);
                if since.elapsed() < ABSENCE_MAX { Ok(()) } else { Err(self.replaced(" is gone")) }
            }
            (None, Found::File(found)) => {
                self.identity = Some(found);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn replaced(&self, change: &str) -> String {
        let path = self.shared.location.path.display();
        format!("update watcher died: database file replaced: {path}{change}; open the database again")
    }

    /// Whether anything was committed since the last look.
    fn look(&mut self) -> bool {
        let Some(counter) = self.database.as_ref().and_then(Database::change_counter) else { return self.verify() };
        let has_moved = self.counted != Some(counter);
        self.counted = Some(counter);
        self.has_counted |= has_moved;
        #[cfg(target_os = "linux")]
        if has_moved && let Some(announcements) = &mut self.events {
            announcements.is_pending = false;
        }
        has_moved
    }

    /// The same by `data_version`, but for what the change counter has told already.
    ///
    /// Each commit is reported by one of the two. A commit that `look` has seen is in both numbers, so it has been reported
    /// and is passed over here. A commit between a look and this is passed over, too, but the counter has moved on from
    /// `counted`: the next look reports it, at the event that announced it or at the next tick. A commit that the counter
    /// does not show is reported here.
    fn verify(&mut self) -> bool {
        let was_counted = std::mem::take(&mut self.has_counted);
        let Some(database) = &self.database else { return false };
        match database.look() {
            Look::Version(version) => {
                // Without a baseline, because the file was busy or gone, whatever is there now is news.
                let has_moved = self.seen != Some(version);
                self.seen = Some(version);
                #[cfg(target_os = "linux")]
                if has_moved && let Some(announcements) = &mut self.events {
                    announcements.is_pending = false;
                }
                let is_news = has_moved && !was_counted;
                if is_news {
                    // A checkpoint that begins the WAL anew moves one and not the other. If it was anything else, the
                    // counter is not the one that others count with.
                    database.forget_counter();
                }
                is_news
            }
            Look::Busy => {
                self.has_counted = was_counted;
                false
            }
            Look::Broken(_) => {
                // Whatever happened to the file, subscribers had better look for themselves.
                self.database = None;
                self.seen = None;
                true
            }
        }
    }

    /// Opens the database, if it can be. A new connection counts versions from anew.
    fn reopen(&mut self) {
        self.seen = None;
        self.counted = None;
        self.database = Database::open(&self.shared.location).ok();
    }

    /// After `verify`, so that no commit falls between the two.
    #[cfg(target_os = "linux")]
    fn find_counter(&self) {
        // Who looks at an interval has no use for it.
        if let (Some(database), true) = (&self.database, self.events.is_some()) {
            database.find_counter();
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn find_counter(&self) {}
}
