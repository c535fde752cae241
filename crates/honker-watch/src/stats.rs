//! The counters of a watcher.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Counters that the watcher's thread writes and any thread reads.
#[derive(Debug, Default)]
pub struct Stats {
    pub events: Counter,
    pub wakes: Counter,
    pub missed: Counter,
    pub safety_ticks: Counter,
}

/// A counter with one writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The state and the counters of a watcher.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `events`, `polling`, `shm`, or `dead`.
    pub mode: &'static str,
    /// The file that is watched.
    pub path: String,
    /// File events that concerned it.
    pub events: u64,
    /// Times that subscribers were woken.
    pub wakes: u64,
    /// Commits that no event had announced.
    pub missed: u64,
    /// Looks taken without any event.
    pub safety_ticks: u64,
    /// Subscribers now.
    pub subscribers: usize,
    /// Why it died, if it did.
    pub death: Option<String>,
}
