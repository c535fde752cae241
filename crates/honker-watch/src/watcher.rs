//! The watcher: one thread that notices commits to one file, and its subscribers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::backend::Options;
use crate::location::{Identity, Location};
use crate::lookout::Lookout;
use crate::shared::Shared;
use crate::signal::{Descriptor, Signal, Wake};
use crate::stats::Report;

/// A running watcher; stops and joins its thread when the last subscription is gone.
pub struct Watcher {
    /// In a forked child the thread is not there, and locks may be held for ever: nothing is touched then.
    process: u32,
    shared: Arc<Shared>,
    next_id: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Watcher {
    /// Starts a thread and waits until it has its baseline: commits from then on are noticed.
    pub fn start(location: Location, options: Options) -> Result<Arc<Self>, String> {
        let stop = Signal::new(Descriptor::Fastest).map_err(|error| format!("cannot start a watcher: {error}"))?;
        let shared = Arc::new(Shared::new(location, stop));
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

    /// The identity of the file; `None` if there was none at the start.
    pub fn identity(&self) -> Option<Identity> {
        self.shared.identity
    }

    fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    /// A new subscription; `None` if the watcher is dead.
    pub fn subscribe(watcher: &Arc<Self>, descriptor: Descriptor) -> Result<Option<Subscription>, String> {
        let signal = Arc::new(Signal::new(descriptor).map_err(|error| format!("cannot subscribe: {error}"))?);
        let id = watcher.next_id.fetch_add(1, Ordering::Relaxed);
        if !watcher.shared.add(id, &signal) {
            return Ok(None);
        }
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
            let _receiver_is_gone = ready.send(Ok(()));
            if let Err(cause) = lookout.keep() {
                shared.set_mode("dead");
                shared.die(cause);
            }
        }
        Err(problem) => {
            let _receiver_is_gone = ready.send(Err(problem));
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

/// One subscriber. Wakes that it has not taken coalesce; it never blocks the watcher.
pub struct Subscription {
    id: u64,
    signal: Arc<Signal>,
    watcher: Arc<Watcher>,
    /// Set once a waiter has learned that it is dead: the signal tells only once.
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

    /// A descriptor that is readable when there is a wake to take; `None` on systems without. It stays the
    /// subscription's: poll it, read it, do not close it. Each native 64-bit number read is 1 for each wake, or 2^32
    /// and more if the watcher is dead. A pipe also ends when the watcher is dead.
    #[must_use]
    pub fn descriptor(&self) -> Option<i32> {
        self.signal.descriptor()
    }

    /// Why the watcher is dead, if it is.
    #[must_use]
    pub fn death(&self) -> Option<String> {
        self.watcher.shared.death()
    }

    /// The state and the counters of the watcher.
    #[must_use]
    pub fn report(&self) -> Report {
        self.watcher.shared.report()
    }

    /// Stops being woken. A waiter in another thread learns that it is dead, instead of waiting on.
    pub fn end(&self) {
        if self.watcher.is_inherited() {
            return;
        }
        self.watcher.shared.remove(self.id);
        self.signal.die();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.end();
    }
}
