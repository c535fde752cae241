//! Commits of the file, without their content.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::shared::Shared;
use crate::stop::Stop;
use crate::wait::{Waited, Waiter};

/// The commits of a file, made by [`Database::update_events`](crate::Database::update_events).
///
/// Several commits may be one event, and an event may come without a commit: read what you need after each.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let db = honker::Database::open(folder.path().join("app.db"))?;
/// let events = db.update_events();
/// db.notify("news", "hello")?;
/// events.recv()?;
/// # Ok::<(), honker::Error>(())
/// ```
#[derive(Debug)]
pub struct UpdateEvents {
    /// The error of subscribing is reported by the calls.
    waiter: Mutex<Result<Waiter>>,
}

impl UpdateEvents {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { waiter: Mutex::new(Waiter::new(shared)) }
    }

    /// Waits for a commit.
    ///
    /// # Errors
    /// [`Error::UpdateClosed`] once no more come: the handle was closed, or the file replaced.
    /// [`ErrorKind::Watcher`](crate::ErrorKind::Watcher) if the file cannot be watched.
    pub fn recv(&self) -> Result<()> {
        while self.recv_timeout(Duration::MAX)?.is_none() {}
        Ok(())
    }

    /// A commit that has come already.
    #[must_use]
    pub fn try_recv(&self) -> Option<()> {
        self.recv_timeout(Duration::ZERO).ok().flatten()
    }

    /// As [`UpdateEvents::recv`]; none after the timeout.
    ///
    /// # Errors
    /// As [`UpdateEvents::recv`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<()>> {
        let mut waiter = self.waiter.lock().unwrap_or_else(PoisonError::into_inner);
        match waiter.as_mut() {
            Ok(waiter) => match waiter.wait(timeout, &Stop::new()) {
                Ok(Waited::Found(())) => Ok(Some(())),
                Ok(Waited::TimedOut | Waited::Stopped) => Ok(None),
                Ok(Waited::Gone) | Err(_) => Err(Error::UpdateClosed),
            },
            Err(Error::Core(message)) => Err(Error::Core(message.clone())),
            Err(_) => Err(Error::UpdateClosed),
        }
    }
}
