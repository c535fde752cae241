//! Waiting for commits: look, and wait for a commit until there is something.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use honker_watch::{Subscription, Wake};

use crate::error::{ErrorKind, Result};
use crate::shared::Shared;
use crate::stop::Stop;

/// The distance at which a wait looks at a flag that cannot wake it.
const FLAG_POLL: Duration = Duration::from_millis(50);
/// The longest wait of one call of the system.
const LONGEST: Duration = Duration::from_secs(86_400);
/// The pause before a claim of due jobs that the last claim did not get; it doubles up to 64 of these.
const FRUITLESS_PAUSE: Duration = Duration::from_millis(2);

/// The outcome of a look.
pub enum Look<T> {
    /// This was there.
    Found(T),
    /// Nothing was there; look again after this time, if no commit comes before.
    Nothing(Duration),
}

/// The outcome of a wait.
#[derive(Debug, PartialEq, Eq)]
pub enum Waited<T> {
    /// A look found this.
    Found(T),
    /// The time is up.
    TimedOut,
    /// The stop came.
    Stopped,
    /// The watcher has ended: the file was replaced.
    Gone,
}

/// A subscription to the commits of a file, used by one wait at a time.
pub struct Waiter {
    shared: Arc<Shared>,
    subscription: Arc<Subscription>,
    /// True if the subscription was ended by a stop; the next wait makes another.
    has_ended: bool,
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl Waiter {
    /// Commits are noticed from now on.
    pub fn new(shared: &Arc<Shared>) -> Result<Self> {
        Ok(Self { subscription: shared.subscribe()?, shared: Arc::clone(shared), has_ended: false })
    }

    /// True if it can serve another wait without a new subscription.
    pub fn is_usable(&self) -> bool {
        !self.has_ended
    }

    #[cfg(feature = "tokio")]
    pub fn subscription(&self) -> &Arc<Subscription> {
        &self.subscription
    }

    /// The next wait makes another subscription.
    #[cfg(feature = "tokio")]
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    #[cfg(feature = "tokio")]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Looks, and waits for a commit, until a look finds something.
    ///
    /// A look that finds the database busy is repeated.
    pub fn wait_for<T>(
        &mut self,
        timeout: Option<Duration>,
        stop: &Stop,
        mut look: impl FnMut() -> Result<Look<T>>,
    ) -> Result<Waited<T>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut pauses = Pauses::default();
        loop {
            if stop.is_stopped() {
                return Ok(Waited::Stopped);
            }
            // Before the look: a commit between the look and the subscription would not be noticed.
            self.subscribe_again()?;
            let again = match look() {
                Ok(Look::Found(found)) => return Ok(Waited::Found(found)),
                Ok(Look::Nothing(again)) => pauses.at_least(again),
                Err(error) if error.kind() == ErrorKind::Busy => FRUITLESS_PAUSE,
                Err(error) => return Err(error),
            };
            let left = deadline.map_or(LONGEST, |deadline| deadline.saturating_duration_since(Instant::now()));
            match self.wait(again.min(left), stop)? {
                Waited::Found(()) => {}
                Waited::TimedOut if again < left || deadline.is_none() => {}
                Waited::TimedOut => return Ok(Waited::TimedOut),
                Waited::Stopped => return Ok(Waited::Stopped),
                Waited::Gone => return Ok(Waited::Gone),
            }
        }
    }

    fn subscribe_again(&mut self) -> Result<()> {
        if self.has_ended {
            self.subscription = self.shared.subscribe()?;
            self.has_ended = false;
        }
        Ok(())
    }

    /// Waits for a commit; `Found` is one.
    pub fn wait(&mut self, timeout: Duration, stop: &Stop) -> Result<Waited<()>> {
        let _registered = stop.end_on_stop(&self.subscription);
        let deadline = Instant::now() + timeout.min(LONGEST);
        loop {
            if stop.is_stopped() {
                // The stop may have ended the subscription.
                self.has_ended = true;
                return Ok(Waited::Stopped);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let slice = if stop.is_flag() { left.min(FLAG_POLL) } else { left };
            match self.subscription.wait(slice) {
                Wake::Update => return Ok(Waited::Found(())),
                Wake::Timeout if slice < left => {}
                Wake::Timeout => return Ok(Waited::TimedOut),
                Wake::Dead => {
                    self.shared.check_open()?;
                    self.has_ended = true;
                    return Ok(if stop.is_stopped() { Waited::Stopped } else { Waited::Gone });
                }
            }
        }
    }
}

/// Keeps a wait from spinning while jobs are due that it does not get, as behind a limit of the queue.
#[derive(Default)]
pub struct Pauses {
    fruitless: u32,
}

impl Pauses {
    pub fn at_least(&mut self, again: Duration) -> Duration {
        self.fruitless = if again.is_zero() { self.fruitless + 1 } else { 0 };
        // The first is at once: the job has become due between the claim and the look.
        if self.fruitless < 2 { again } else { FRUITLESS_PAUSE * (1 << (self.fruitless - 2).min(6)) }
    }
}
