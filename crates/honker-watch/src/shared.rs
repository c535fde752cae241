//! The state that the watcher, its thread and its subscriptions share.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::location::{Identity, Location};
use crate::signal::Signal;
use crate::stats::{Report, Stats};

pub struct Shared {
    pub location: Location,
    /// The identity of the file at the start.
    pub identity: Option<Identity>,
    pub stats: Stats,
    /// Interrupts the thread's wait.
    pub stop: Signal,
    pub is_stopping: AtomicBool,
    mode: Mutex<&'static str>,
    subscribers: Mutex<Subscribers>,
}

#[derive(Default)]
struct Subscribers {
    signals: HashMap<u64, Arc<Signal>>,
    /// Set once, when the thread ends other than by being stopped. Read and set under the same lock as the signals, so
    /// that a subscription to a dead watcher, which would wait for ever, cannot be made.
    death: Option<String>,
}

impl Shared {
    pub fn new(location: Location, stop: Signal) -> Self {
        Self {
            identity: Identity::of(&location.path),
            location,
            stats: Stats::default(),
            stop,
            is_stopping: AtomicBool::new(false),
            mode: Mutex::new("starting"),
            subscribers: Mutex::default(),
        }
    }

    fn subscribers(&self) -> MutexGuard<'_, Subscribers> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_mode(&self, mode: &'static str) {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    /// Adds a subscriber; false if the watcher is dead.
    pub fn add(&self, id: u64, signal: &Arc<Signal>) -> bool {
        let mut subscribers = self.subscribers();
        if subscribers.death.is_none() {
            subscribers.signals.insert(id, Arc::clone(signal));
        }
        subscribers.death.is_none()
    }

    pub fn remove(&self, id: u64) {
        self.subscribers().signals.remove(&id);
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

    /// Why the watcher is dead, if it is.
    pub fn death(&self) -> Option<String> {
        self.subscribers().death.clone()
    }

    pub fn report(&self) -> Report {
        let subscribers = self.subscribers();
        Report {
            mode: *self.mode.lock().unwrap_or_else(PoisonError::into_inner),
            path: self.location.path.display().to_string(),
            events: self.stats.events.get(),
            wakes: self.stats.wakes.get(),
            missed: self.stats.missed.get(),
            safety_ticks: self.stats.safety_ticks.get(),
            subscribers: subscribers.signals.len(),
            death: subscribers.death.clone(),
        }
    }
}
