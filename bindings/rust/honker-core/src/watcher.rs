//! A thread that calls a function after commits.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use honker_watch::{Backend, Descriptor, Options, Subscription, Wake};

use crate::watcher_config::WatcherConfig;

/// The longest wait of one call of the system.
const LONGEST: Duration = Duration::from_secs(86_400);
/// The time between two attempts to watch a file that cannot be watched yet.
const ATTEMPT: Duration = Duration::from_millis(100);

/// Calls a function after each commit to a file, by any connection of any process.
///
/// Several commits may cause one call, and a call may come without a commit: read what you need after each. Dropping the
/// watcher stops it, without waiting for its thread.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("app.db");
/// # let conn = honker_core::open_conn(path.to_str().unwrap(), true)?;
/// let (sender, commits) = std::sync::mpsc::channel();
/// let watcher = honker_core::UpdateWatcher::spawn(path, move || sender.send(()).unwrap_or_default());
/// conn.query_row("SELECT notify('news', 'hello')", [], |_| Ok(()))?;
/// commits.recv().unwrap();
/// watcher.stop();
/// watcher.join().unwrap();
/// # Ok::<(), honker_core::Error>(())
/// ```
#[derive(Debug)]
pub struct UpdateWatcher {
    ending: Arc<Ending>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

impl UpdateWatcher {
    /// Begins to notice commits, by file events where they are reliable and else by polling, and calls the function in a
    /// thread of its own. Commits after the return are noticed.
    ///
    /// A file that is not there yet, or cannot be watched yet, is tried again ten times a second.
    ///
    /// # Panics
    /// The operating system gives no thread.
    pub fn spawn<F>(path: PathBuf, on_update: F) -> Self
    where
        F: FnMut() + Send + 'static,
    {
        Self::start(path, Options::new(Backend::SelfChecking), on_update)
    }

    /// As [`UpdateWatcher::spawn`], with settings. Check a backend by
    /// [`WatcherBackend::probe`](crate::WatcherBackend::probe) first.
    ///
    /// # Panics
    /// The operating system gives no thread.
    pub fn spawn_with_config<F>(path: PathBuf, config: WatcherConfig, on_update: F) -> Self
    where
        F: FnMut() + Send + 'static,
    {
        Self::start(path, config.options(), on_update)
    }

    pub(crate) fn start(path: PathBuf, options: Options, mut on_update: impl FnMut() + Send + 'static) -> Self {
        let ending = Arc::new(Ending::default());
        // Here, so that commits after the return are noticed.
        let first = subscribe(&path, options).ok();
        if let Some(subscription) = &first {
            ending.end_with(subscription);
        }
        let for_thread = Arc::clone(&ending);
        let thread = thread::Builder::new()
            .name("honker-updates".to_owned())
            .spawn(move || run(&for_thread, first, || subscribe(&path, options), &mut on_update))
            .expect("the operating system starts a thread");
        Self { ending, thread: Some(thread) }
    }

    /// Ends the thread after the call that it is in. Idempotent.
    pub fn stop(&self) {
        self.ending.end();
    }

    /// Waits for the end of the thread, which comes after [`UpdateWatcher::stop`], or once the file was replaced.
    ///
    /// # Errors
    /// A `String` if the file was replaced (`database file replaced: ...`) or cannot be watched any more; the value of
    /// the panic if the function has panicked.
    ///
    /// # Panics
    /// Never: the thread is there until the watcher is joined.
    pub fn join(mut self) -> thread::Result<()> {
        let thread = self.thread.take().expect("only join takes it");
        thread.join()?.map_err(|cause| Box::new(cause) as Box<dyn std::any::Any + Send>)
    }
}

impl Drop for UpdateWatcher {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.stop();
        }
    }
}

/// The end of a thread, demanded from another.
#[derive(Default)]
struct Ending {
    has_come: AtomicBool,
    /// Ended at the end.
    subscription: Mutex<Option<Arc<Subscription>>>,
    /// Notified at the end.
    came: Condvar,
}

impl std::fmt::Debug for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ending").field("has_come", &self.has_come).finish_non_exhaustive()
    }
}

impl Ending {
    fn subscription(&self) -> MutexGuard<'_, Option<Arc<Subscription>>> {
        self.subscription.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_come(&self) -> bool {
        self.has_come.load(Ordering::SeqCst)
    }

    fn end_with(&self, subscription: &Arc<Subscription>) {
        *self.subscription() = Some(Arc::clone(subscription));
    }

    fn end(&self) {
        let subscription = {
            let mut subscription = self.subscription();
            self.has_come.store(true, Ordering::SeqCst);
            subscription.take()
        };
        self.came.notify_all();
        if let Some(subscription) = subscription {
            subscription.end();
        }
    }

    /// Waits for the end, up to a time.
    fn wait(&self, timeout: Duration) {
        let is_running = |_: &mut Option<Arc<Subscription>>| !self.has_come();
        drop(self.came.wait_timeout_while(self.subscription(), timeout, is_running));
    }
}

fn subscribe(path: &Path, options: Options) -> Result<Arc<Subscription>, String> {
    let text = path.to_str().ok_or_else(|| format!("the path {} is not UTF-8", path.display()))?;
    honker_watch::subscribe(text, options, Descriptor::Fastest).map(Arc::new)
}

fn run(
    ending: &Ending,
    mut subscription: Option<Arc<Subscription>>,
    subscribe: impl Fn() -> Result<Arc<Subscription>, String>,
    on_update: &mut impl FnMut(),
) -> Result<(), String> {
    while !ending.has_come() {
        let Some(current) = &subscription else {
            ending.wait(ATTEMPT);
            if let Ok(fresh) = subscribe() {
                ending.end_with(&fresh);
                subscription = Some(fresh);
                // There may have been commits before.
                on_update();
            }
            continue;
        };
        match current.wait(LONGEST) {
            Wake::Update => on_update(),
            Wake::Timeout => {}
            Wake::Dead if ending.has_come() => {}
            Wake::Dead => return Err(current.death().unwrap_or_else(|| "the update watcher died".to_owned())),
        }
    }
    Ok(())
}
