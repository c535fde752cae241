//! The state of a handle, which its clones and all objects made from it share.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use honker_watch::{Descriptor, Options, Subscription as Watched};
use rusqlite::Connection;

use crate::connection::{self, Lent, Readers, Writer, one};
use crate::database::OpenOptions;
use crate::error::{Error, ErrorKind, Result};

/// The state of a handle.
pub struct Shared {
    path: String,
    writer: Writer,
    readers: Readers,
    watcher: Options,
    is_closed: AtomicBool,
    /// Ended by closing.
    waiting: Mutex<Vec<Weak<Watched>>>,
    /// Keeps the watcher running from the first wait on, or from opening if its backend was named: stopping it and starting
    /// another takes milliseconds. No wait uses this subscription.
    kept: Mutex<Option<Watched>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Shared {
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self> {
        let Some(text) = path.to_str() else {
            return Err(Error::core(ErrorKind::InvalidArgument, format!("the path {} is not UTF-8", path.display())));
        };
        let conn = connection::open(text)?;
        let file = conn.path().unwrap_or_default().to_owned();
        if file.is_empty() {
            return Err(connection::not_a_file(text));
        }
        one::<i64>(&conn, "SELECT honker_bootstrap()", [])?;
        let shared = Self {
            readers: Readers::new(file.clone()),
            path: file,
            writer: Writer::new(conn),
            watcher: options.watcher,
            is_closed: AtomicBool::new(false),
            waiting: Mutex::default(),
            kept: Mutex::default(),
        };
        if options.is_chosen {
            shared.keep_watching()?;
        }
        Ok(shared)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Weak<Watched>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    fn watch(&self) -> Result<Watched> {
        honker_watch::subscribe(&self.path, self.watcher, Descriptor::Fastest)
            .map_err(|problem| Error::core(ErrorKind::Watcher, problem))
    }

    /// Makes the watcher outlive its subscriptions, until the handle is closed.
    fn keep_watching(&self) -> Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: closing takes what is kept after it has set this.
        self.check_open()?;
        if kept.as_ref().is_none_or(|kept| kept.death().is_some()) {
            *kept = Some(self.watch()?);
        }
        Ok(())
    }

    /// Begins to notice commits.
    pub fn subscribe(&self) -> Result<Arc<Watched>> {
        self.keep_watching()?;
        let watched = Arc::new(self.watch()?);
        let mut waiting = self.waiting();
        // Under the lock: after closing nothing is there to end the subscription.
        self.check_open()?;
        waiting.retain(|each| each.strong_count() > 0);
        waiting.push(Arc::downgrade(&watched));
        Ok(watched)
    }

    pub fn check_open(&self) -> Result<()> {
        if self.is_closed.load(Ordering::SeqCst) { Err(Error::closed()) } else { Ok(()) }
    }

    pub fn lend(&self) -> Result<Lent<'_>> {
        self.writer.lend()
    }

    /// Runs a function with the connection that writes.
    pub fn write<T>(&self, write: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        write(&*self.writer.lend()?)
    }

    /// Runs a function with a connection that reads.
    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.writer.check()?;
        self.readers.with(read)
    }

    pub fn close(&self) {
        let waiting = {
            let mut waiting = self.waiting();
            self.is_closed.store(true, Ordering::SeqCst);
            std::mem::take(&mut *waiting)
        };
        for watched in waiting.iter().filter_map(Weak::upgrade) {
            watched.end();
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(kept);
        self.readers.close();
        self.writer.close();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use honker_watch::Wake;

    use super::Shared;
    use crate::connection::one;
    use crate::database::OpenOptions;

    #[test]
    fn the_watcher_of_the_first_wait_serves_the_next_until_the_handle_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let shared = Shared::open(&folder.path().join("app.db"), &OpenOptions::default()).unwrap();
        let first = shared.subscribe().unwrap();
        shared.write(|conn| one::<i64>(conn, "SELECT notify('c', 'p')", [])).unwrap();
        assert_eq!(first.wait(Duration::from_secs(10)), Wake::Update);
        drop(first);
        let next = shared.subscribe().unwrap().report();
        assert!(next.wakes > 0, "another watcher was started: {next:?}");
        assert_eq!(next.subscribers, 2, "the wait and the handle");
        shared.close();
        assert!(shared.subscribe().is_err());
        assert!(shared.kept.lock().unwrap().is_none());
    }
}
