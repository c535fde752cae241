//! One watcher per file and process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::backend::Options;
use crate::database::has_vfs;
use crate::location::{self, Identity, Location};
use crate::signal::Descriptor;
use crate::watcher::{Subscription, Watcher};

type Watchers = HashMap<(Location, Options), Weak<Watcher>>;

/// The watchers of one process, and the subscriptions that hosts know by number.
struct Registry {
    process: u32,
    watchers: Mutex<Watchers>,
    numbered: Mutex<HashMap<i64, Arc<Subscription>>>,
    next_number: AtomicI64,
}

/// Replaced, never freed, in a forked child: the parent's watchers have no thread there, and its mutex may have been
/// held at the moment of the fork.
static REGISTRY: AtomicPtr<Registry> = AtomicPtr::new(std::ptr::null_mut());

/// Begins to notice commits to the database that `path` names for SQLite, from now on.
///
/// The first subscriber starts a watcher, later ones share it, and the last to go stops it.
///
/// # Errors
/// A sentence: the file's directory is not there, or the backend asked for cannot work here.
pub fn subscribe(path: &str, options: Options, descriptor: Descriptor) -> Result<Subscription, String> {
    let file = location::resolve(path).map_err(|error| format!("cannot watch {path:?}: {error}"))?;
    if let Some(vfs) = file.vfs.as_deref().filter(|vfs| !has_vfs(vfs)) {
        return Err(format!("cannot watch {path:?}: SQLite has no VFS {vfs:?}"));
    }
    let registry = current();
    let mut watchers = registry.watchers.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (file, options);
    if let Some(watcher) = watchers.get(&key).and_then(Weak::upgrade)
        // A file that was replaced a moment ago has a watcher that does not know it yet.
        && watcher.identity() == Identity::of(&key.0.path)
        && let Some(subscription) = Watcher::subscribe(&watcher, descriptor)?
    {
        return Ok(subscription);
    }
    let watcher = Watcher::start(key.0.clone(), options)?;
    watchers.retain(|_, watcher| watcher.strong_count() > 0);
    watchers.insert(key, Arc::downgrade(&watcher));
    Watcher::subscribe(&watcher, descriptor)?.ok_or_else(|| format!("the watcher of {path:?} ended at once"))
}

/// As [`subscribe`], for hosts that hold no pointers; the subscription's number, from 1 on.
///
/// # Errors
/// As [`subscribe`].
pub fn open(path: &str, options: Options, descriptor: Descriptor) -> Result<i64, String> {
    let subscription = Arc::new(subscribe(path, options, descriptor)?);
    let registry = current();
    let number = registry.next_number.fetch_add(1, Ordering::Relaxed);
    registry.numbered().insert(number, subscription);
    Ok(number)
}

/// The subscription of that number. It stays open while it is used, also if it is closed meanwhile.
#[must_use]
pub fn get(number: i64) -> Option<Arc<Subscription>> {
    current().numbered().get(&number).cloned()
}

/// Ends the subscription of that number; a waiter in another thread learns that it is dead. Idempotent.
pub fn close(number: i64) {
    let subscription = current().numbered().remove(&number);
    // Outside the lock: the last one joins the watcher's thread.
    if let Some(subscription) = subscription {
        subscription.end();
    }
}

impl Registry {
    fn new(process: u32) -> Self {
        Self { process, watchers: Mutex::default(), numbered: Mutex::default(), next_number: AtomicI64::new(1) }
    }

    fn numbered(&self) -> MutexGuard<'_, HashMap<i64, Arc<Subscription>>> {
        self.numbered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn current() -> &'static Registry {
    let process = std::process::id();
    loop {
        let found = REGISTRY.load(Ordering::Acquire);
        // SAFETY: a stored registry is never freed.
        if let Some(registry) = unsafe { found.as_ref() }
            && registry.process == process
        {
            return registry;
        }
        let fresh = Box::into_raw(Box::new(Registry::new(process)));
        if REGISTRY.compare_exchange(found, fresh, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: no other thread has seen it.
            drop(unsafe { Box::from_raw(fresh) });
        }
    }
}
