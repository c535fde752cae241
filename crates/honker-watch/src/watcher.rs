//! The watcher: one thread that notices commits to one file, and its subscribers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::backend::Options;
use crate::location::Identity;
use crate::lookout::Lookout;
use crate::signal::{Signal, Wake};
use crate::stats::{Report, Stats};

/// What the thread, the watcher and its subscriptions share.
pub struct Shared {
    pub path: PathBuf,
    /// Which file it was at the start.
    pub identity: Option<Identity>,
    pub stats: Stats,
    /// Interrupts the thread's wait.
    pub stop: Signal,
    pub is_stopping: AtomicBool,
    pub mode: Mutex<&'static str>,
    subscribers: Mutex<Subscribers>,
}

#[derive(Default)]
struct Subscribers {
    signals: HashMap<u64, Arc<Signal>>,
    /// Set once, when the thread ends other than by being stopped. Read and set under the same lock as the signals, so
    /// that nobody can subscribe to a dead watcher and wait for good.
    death: Option<String>,
}

impl Shared {
    fn subscribers(&self) -> MutexGuard<'_, Subscribers> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_mode(&self, mode: &'static str) {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    /// Wakes every subscriber.
    pub fn wake(&self) {
        self.stats.wakes.add(1);
        for signal in self.subscribers().signals.values() {
            signal.update();
        }
    }

    /// Ends the watcher for every subscriber, present and future.
    pub fn die(&self, cause: String) {
        let mut subscribers = self.subscribers();
        subscribers.death = Some(cause);
        for signal in subscribers.signals.values() {
            signal.die();
        }
    }
}

/// A running watcher; stops and joins its thread when the last subscription is gone.
pub struct Watcher {
    /// In a forked child the thread is not there, and locks may be held by nobody: nothing is touched then.
    process: u32,
    shared: Arc<Shared>,
    next_id: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Watcher {
    /// Starts a thread and waits until it has its baseline: what is committed from then on is noticed.
    pub fn start(path: PathBuf, options: Options) -> Result<Arc<Self>, String> {
        let shared = Arc::new(Shared {
            identity: Identity::of(&path),
            path,
            stats: Stats::default(),
            stop: Signal::new().map_err(|error| format!("cannot start a watcher: {error}"))?,
            is_stopping: AtomicBool::new(false),
            mode: Mutex::new("starting"),
            subscribers: Mutex::default(),
        });
        let (ready, started) = mpsc::channel();
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("honker-watch".to_owned())
            .spawn(move || run(&for_thread, options, &ready))
            .map_err(|error| format!("cannot start a watcher: {error}"))?;
        started.recv().map_err(|_| "the watcher ended while it started".to_owned())??;
        let process = std::process::id();
        Ok(Arc::new(Self { process, shared, next_id: AtomicU64::new(1), thread: Mutex::new(Some(thread)) }))
    }

    /// Which file it watches; `None` if there was none at the start.
    pub fn identity(&self) -> Option<Identity> {
        self.shared.identity
    }

    fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    /// A new subscription; `None` if the watcher is dead.
    pub fn subscribe(watcher: &Arc<Self>) -> Result<Option<Subscription>, String> {
        let signal = Arc::new(Signal::new().map_err(|error| format!("cannot subscribe: {error}"))?);
        let mut subscribers = watcher.shared.subscribers();
        if subscribers.death.is_some() {
            return Ok(None);
        }
        let id = watcher.next_id.fetch_add(1, Ordering::Relaxed);
        subscribers.signals.insert(id, Arc::clone(&signal));
        drop(subscribers);
        Ok(Some(Subscription { id, signal, watcher: Arc::clone(watcher), is_over: AtomicBool::new(false) }))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if self.is_inherited() {
            return;
        }
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        self.shared.stop.update();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic in the thread has been told to the subscribers as its death.
            let _panicked = thread.join();
        }
    }
}

fn run(shared: &Arc<Shared>, options: Options, ready: &mpsc::Sender<Result<(), String>>) {
    let guard = DeathOnPanic(shared);
    match Lookout::new(shared, options) {
        Ok(lookout) => {
            let _nobody_waits = ready.send(Ok(()));
            if let Err(cause) = lookout.keep() {
                shared.set_mode("dead");
                shared.die(cause);
            }
        }
        Err(problem) => {
            let _nobody_waits = ready.send(Err(problem));
        }
    }
    std::mem::forget(guard);
}

struct DeathOnPanic<'a>(&'a Shared);

impl Drop for DeathOnPanic<'_> {
    fn drop(&mut self) {
        self.0.die("the update watcher died of a bug in honker".to_owned());
    }
}

/// One subscriber. Wakes that it has not taken coalesce; it holds up nobody.
pub struct Subscription {
    id: u64,
    signal: Arc<Signal>,
    watcher: Arc<Watcher>,
    /// Whether a waiter has been told that it is dead: the signal tells only once.
    is_over: AtomicBool,
}

impl Subscription {
    /// Waits for a commit since the last call, and takes it. Several threads may wait; each wake goes to one of them.
    /// In a forked child it is dead, and takes no wake of the parent's.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> Wake {
        if self.watcher.is_inherited() || self.is_over.load(Ordering::Relaxed) {
            return Wake::Dead;
        }
        let wake = self.signal.wait(timeout);
        if wake == Wake::Dead {
            self.is_over.store(true, Ordering::Relaxed);
        }
        wake
    }

    /// A descriptor that is readable when there is something to take; `None` on systems without. It stays the
    /// subscription's: poll it, read it, do not close it. Each native 64-bit number read is 1 for each wake, or 2^32
    /// and more if the watcher is dead.
    #[must_use]
    pub fn descriptor(&self) -> Option<i32> {
        self.signal.descriptor()
    }

    /// Why the watcher is dead, if it is.
    #[must_use]
    pub fn death(&self) -> Option<String> {
        self.watcher.shared.subscribers().death.clone()
    }

    /// What the watcher does and has seen.
    #[must_use]
    pub fn report(&self) -> Report {
        let shared = &self.watcher.shared;
        let subscribers = shared.subscribers();
        Report {
            mode: *shared.mode.lock().unwrap_or_else(PoisonError::into_inner),
            path: shared.path.display().to_string(),
            events: shared.stats.events.get(),
            wakes: shared.stats.wakes.get(),
            missed: shared.stats.missed.get(),
            safety_ticks: shared.stats.safety_ticks.get(),
            subscribers: subscribers.signals.len(),
            death: subscribers.death.clone(),
        }
    }
}

impl Subscription {
    /// Stops being woken. Whoever waits in another thread is told that it is dead, instead of waiting on.
    pub fn end(&self) {
        if self.watcher.is_inherited() {
            return;
        }
        self.watcher.shared.subscribers().signals.remove(&self.id);
        self.signal.die();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.end();
    }
}
