//! One watcher for any number of receivers.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use honker_watch::{Backend, Options};

use crate::watcher::UpdateWatcher;
use crate::watcher_config::WatcherConfig;

/// A watcher whose commits any number of receivers get.
///
/// Each receiver holds one message at most: commits that it has not taken are one message, and it never delays the others.
/// When the watcher is closed, or the file was replaced, receivers report that they are disconnected.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("app.db");
/// # let conn = honker_core::open_conn(path.to_str().unwrap(), true)?;
/// let watcher = honker_core::SharedUpdateWatcher::new(path);
/// let (id, commits) = watcher.subscribe();
/// conn.query_row("SELECT notify('news', 'hello')", [], |_| Ok(()))?;
/// commits.recv().unwrap();
/// watcher.unsubscribe(id);
/// watcher.close();
/// # Ok::<(), honker_core::Error>(())
/// ```
pub struct SharedUpdateWatcher {
    receivers: Arc<Receivers>,
    /// None after the end.
    watcher: Mutex<Option<UpdateWatcher>>,
}

impl fmt::Debug for SharedUpdateWatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedUpdateWatcher").field("subscribers", &self.subscriber_count()).finish_non_exhaustive()
    }
}

impl SharedUpdateWatcher {
    /// Begins to notice commits, as [`UpdateWatcher::spawn`].
    ///
    /// # Panics
    /// The operating system gives no thread.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self::start(path, Options::new(Backend::SelfChecking))
    }

    /// As [`SharedUpdateWatcher::new`], with settings.
    ///
    /// # Panics
    /// The operating system gives no thread.
    #[must_use]
    pub fn new_with_config(path: PathBuf, config: WatcherConfig) -> Self {
        Self::start(path, config.options())
    }

    fn start(path: PathBuf, options: Options) -> Self {
        let receivers = Arc::new(Receivers::default());
        // Dropped with the function that holds it, when the thread ends for any cause.
        let end = EndOnDrop(Arc::clone(&receivers));
        let watcher = UpdateWatcher::start(path, options, move || end.0.wake());
        Self { receivers, watcher: Mutex::new(Some(watcher)) }
    }

    /// A receiver of commits from now on, and its number for [`SharedUpdateWatcher::unsubscribe`]. It is disconnected if
    /// the watcher has ended.
    #[must_use]
    pub fn subscribe(&self) -> (u64, Receiver<()>) {
        self.receivers.add()
    }

    /// Disconnects a receiver, which ends a wait for it. An unknown number does nothing.
    pub fn unsubscribe(&self, id: u64) {
        self.receivers.open().senders.remove(&id);
    }

    /// The number of receivers. One that was dropped counts until the next commit.
    #[must_use]
    pub fn subscriber_count(&self) -> usize {
        self.receivers.open().senders.len()
    }

    /// Disconnects all receivers, and waits for the end of the thread, so that the file can be deleted. Idempotent.
    pub fn close(&self) {
        self.receivers.end();
        let watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(watcher) = watcher {
            watcher.stop();
            // The receivers were told by their end that the file was replaced.
            let _outcome: thread::Result<()> = watcher.join();
        }
    }
}

impl Drop for SharedUpdateWatcher {
    fn drop(&mut self) {
        self.receivers.end();
    }
}

struct EndOnDrop(Arc<Receivers>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[derive(Default)]
struct Receivers {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    senders: HashMap<u64, SyncSender<()>>,
    last_id: u64,
    /// Set once. Read and set under the same lock as the senders: a receiver that waits for ever cannot be made.
    has_ended: bool,
}

impl Receivers {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self) -> (u64, Receiver<()>) {
        let (sender, receiver) = sync_channel(1);
        let mut open = self.open();
        open.last_id += 1;
        let id = open.last_id;
        if !open.has_ended {
            open.senders.insert(id, sender);
        }
        (id, receiver)
    }

    fn wake(&self) {
        self.open().senders.retain(|_, sender| !matches!(sender.try_send(()), Err(TrySendError::Disconnected(()))));
    }

    fn end(&self) {
        let mut open = self.open();
        open.has_ended = true;
        open.senders.clear();
    }
}
