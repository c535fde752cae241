//! Ending waits from another thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use honker_watch::Subscription;

/// Ends waits and loops from another thread, at once.
///
/// Clones stop together. A stop cannot be undone: make a new one for the next wait. An `Arc<AtomicBool>` converts into a
/// stop; since a flag wakes nothing, a wait then looks at it every 50 ms.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let db = honker::Database::open(folder.path().join("app.db"))?;
/// use honker::{QueueOpts, Stop};
///
/// let stop = Stop::new();
/// let waker = db.queue("emails", QueueOpts::default()).claim_waker();
/// let worker = std::thread::spawn({
///     let stop = stop.clone();
///     move || waker.next_until("w", &stop)
/// });
/// stop.stop();
/// assert!(worker.join().unwrap()?.is_none());
/// # Ok::<(), honker::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_stopped: AtomicBool,
    /// The flag of a stop that was made from one.
    flag: Option<Arc<AtomicBool>>,
    next_id: AtomicU64,
    waiting: Mutex<Vec<(u64, Arc<Subscription>)>>,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Vec<(u64, Arc<Subscription>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop").field("is_stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}

impl Stop {
    /// A stop that has not come yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends all waits that were given this stop or a clone, and those that begin later.
    pub fn stop(&self) {
        self.shared.is_stopped.store(true, Ordering::SeqCst);
        for (_, subscription) in self.shared.waiting().iter() {
            subscription.end();
        }
    }

    /// True after [`Stop::stop`], or once the flag that it was made from is set.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared.is_stopped.load(Ordering::SeqCst)
            || self.shared.flag.as_ref().is_some_and(|flag| flag.load(Ordering::SeqCst))
    }

    /// True if a wait has to look at a flag.
    pub(crate) fn is_flag(&self) -> bool {
        self.shared.flag.is_some()
    }

    /// Makes [`Stop::stop`] end a subscription, until the drop of the returned value.
    pub(crate) fn end_on_stop(&self, subscription: &Arc<Subscription>) -> Registered<'_> {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        self.shared.waiting().push((id, Arc::clone(subscription)));
        Registered { stop: self, id }
    }
}

impl From<Arc<AtomicBool>> for Stop {
    fn from(flag: Arc<AtomicBool>) -> Self {
        Self { shared: Arc::new(Shared { flag: Some(flag), ..Shared::default() }) }
    }
}

impl From<&Self> for Stop {
    fn from(stop: &Self) -> Self {
        stop.clone()
    }
}

pub struct Registered<'a> {
    stop: &'a Stop,
    id: u64,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.stop.shared.waiting().retain(|(id, _)| *id != self.id);
    }
}
