//! The handle of a file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use honker_watch::{Backend, Options};
use rusqlite::Connection;
use serde::Serialize;

use crate::connection::one;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::Lock;
use crate::notification::{self, Subscription};
use crate::outbox::{Outbox, OutboxOpts};
use crate::queue::{Queue, QueueOpts};
use crate::scheduler::Scheduler;
use crate::shared::Shared;
use crate::stop::Stop;
use crate::stream::Stream;
use crate::transaction::Transaction;
use crate::update_events::UpdateEvents;
use crate::wait::{Look, Waited, Waiter};

/// The longest time between two looks for something that no commit has announced.
pub const FALLBACK: Duration = Duration::from_secs(15);

/// Options of [`Database::open_with_options`].
///
/// ```
/// use std::time::Duration;
///
/// let options = honker::OpenOptions::default()
///     .watcher_backend("polling")?
///     .watcher_poll_interval(Duration::from_millis(5))?;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("app.db");
/// let db = honker::Database::open_with_options(path, options)?;
/// # Ok::<(), honker::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct OpenOptions {
    pub(crate) watcher: Options,
    /// True if a backend was named, which then must work.
    pub(crate) is_chosen: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { watcher: Options::new(Backend::SelfChecking), is_chosen: false }
    }
}

impl OpenOptions {
    /// Chooses how commits are noticed: `polling`, `kernel` or `shm`.
    ///
    /// By default the events of the file system are used, with checks that find commits without an event.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for any other name.
    pub fn watcher_backend(self, backend: impl AsRef<str>) -> Result<Self> {
        let backend = Backend::from_name(Some(backend.as_ref()))
            .map_err(|problem| Error::core(ErrorKind::InvalidArgument, problem))?;
        Ok(Self { watcher: Options { backend, ..self.watcher }, is_chosen: true })
    }

    /// Sets the interval between two checks while polling; 1 ms by default.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] below a millisecond.
    pub fn watcher_poll_interval(self, interval: Duration) -> Result<Self> {
        let milliseconds = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        let watcher = self
            .watcher
            .with_poll_interval_ms(milliseconds)
            .map_err(|problem| Error::core(ErrorKind::InvalidArgument, problem))?;
        Ok(Self { watcher, ..self })
    }
}

/// A handle of a database file. Clones share it.
///
/// The file is closed when the last clone and the last object made from it are dropped, or by [`Database::close`].
#[derive(Debug, Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

impl Database {
    /// Opens a file, creating it and the tables of honker if they are missing.
    ///
    /// The file is in WAL mode then. Opening a file that is current writes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::CantOpen`] for a path that cannot be opened and for `:memory:`, [`ErrorKind::SchemaTooNew`] for a
    /// file that a newer honker has upgraded, [`ErrorKind::ReadOnly`], [`ErrorKind::Corrupt`], [`ErrorKind::Busy`].
    pub fn open<P: AsRef<Path>>(path: P) -> Result<Self> {
        Self::open_with_options(path, OpenOptions::default())
    }

    /// As [`Database::open`], with options.
    ///
    /// # Errors
    /// As [`Database::open`]; [`ErrorKind::Watcher`] if the backend that was named cannot watch this file.
    #[expect(clippy::needless_pass_by_value, reason = "the signature that programs call")]
    pub fn open_with_options<P: AsRef<Path>>(path: P, options: OpenOptions) -> Result<Self> {
        Ok(Self { shared: Arc::new(Shared::open(path.as_ref(), &options)?) })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The path of the file, as SQLite has made it absolute.
    #[must_use]
    pub fn path(&self) -> &str {
        self.shared.path()
    }

    /// Closes the handle, for all clones and all objects made from it.
    ///
    /// Waits end at once, and every later call fails, with [`ErrorKind::Closed`]. A transaction that is open can still
    /// end. Closing twice does nothing.
    pub fn close(&self) {
        self.shared.close();
    }

    /// A queue. Nothing is stored until the first job.
    #[must_use]
    pub fn queue(&self, name: &str, opts: QueueOpts) -> Queue {
        Queue::new(self, name, opts)
    }

    /// An outbox, for calls to other systems that must follow a commit.
    #[must_use]
    pub fn outbox(&self, name: &str, opts: OutboxOpts) -> Outbox {
        Outbox::new(self, name, opts)
    }

    /// A stream, by its topic. Nothing is stored until the first event.
    #[must_use]
    pub fn stream(&self, topic: &str) -> Stream {
        Stream::new(self, topic)
    }

    /// The schedules of the file.
    #[must_use]
    pub fn scheduler(&self) -> Scheduler {
        Scheduler::new(self)
    }

    /// Sends a notification to the present listeners of a channel. Returns its id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a channel that is empty or longer than 255 bytes, and errors of writing.
    pub fn notify<P: Serialize + ?Sized>(&self, channel: &str, payload: &P) -> Result<i64> {
        let payload = crate::row::encode(payload)?;
        self.shared.write(|conn| notification::notify(conn, channel, &payload))
    }

    /// As [`Database::notify`], when the transaction commits.
    ///
    /// # Errors
    /// As [`Database::notify`].
    pub fn notify_tx<P: Serialize + ?Sized>(&self, tx: &Transaction<'_>, channel: &str, payload: &P) -> Result<i64> {
        self.notify_on(tx.conn(), channel, payload)
    }

    /// As [`Database::notify`], on a connection of yours; see [`install`](crate::install).
    ///
    /// # Errors
    /// As [`Database::notify`].
    pub fn notify_on<P: Serialize + ?Sized>(&self, conn: &Connection, channel: &str, payload: &P) -> Result<i64> {
        notification::notify(conn, channel, &crate::row::encode(payload)?)
    }

    /// Listens to a channel, from now on.
    ///
    /// # Errors
    /// [`ErrorKind::Watcher`] if the file cannot be watched, and errors of reading.
    pub fn listen(&self, channel: &str) -> Result<Subscription> {
        Subscription::new(self, channel)
    }

    /// The commits of the file, from now on, of any process. A low-level tool; to wait for jobs, events or
    /// notifications use their own waits.
    #[must_use]
    pub fn update_events(&self) -> UpdateEvents {
        UpdateEvents::new(&self.shared)
    }

    /// Begins a transaction that may write (`BEGIN IMMEDIATE`). Dropped without a commit, it is rolled back.
    ///
    /// Calls of other threads that write wait until it ends.
    ///
    /// # Errors
    /// [`ErrorKind::NestedTransaction`] if this thread holds one already, [`ErrorKind::Busy`] if another process holds
    /// the write lock for more than 5 seconds.
    pub fn transaction(&self) -> Result<Transaction<'_>> {
        Transaction::begin(self.shared.lend()?)
    }

    /// Takes a lock for `ttl_s` seconds, or returns none if another owner holds it.
    ///
    /// The lock lapses unless [`Lock::heartbeat`] renews it, and is released on drop.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a `ttl_s` outside 1 to 31,536,000, and errors of writing.
    pub fn try_lock(&self, name: &str, owner: &str, ttl_s: i64) -> Result<Option<Lock>> {
        Lock::acquire(self, name, owner, ttl_s)
    }

    /// Counts a call against a limit of `limit` calls in each period of `per` seconds. False if the limit is reached.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a limit outside 1 to 1,000,000 or a period that is not positive.
    pub fn try_rate_limit(&self, name: &str, limit: i64, per: i64) -> Result<bool> {
        self.shared.write(|conn| one(conn, "SELECT honker_rate_limit_try(?1, ?2, ?3)", (name, limit, per)))
    }

    /// Forgets the counts of rate limits that were not used for so many seconds. Returns their number.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn sweep_rate_limits(&self, older_than_s: i64) -> Result<i64> {
        self.shared.write(|conn| one(conn, "SELECT honker_rate_limit_sweep(?1)", [older_than_s]))
    }

    /// Saves the result of a job, JSON text by convention, for `ttl_s` seconds; for ever if that is 0.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn save_result(&self, job_id: i64, value: &str, ttl_s: i64) -> Result<()> {
        self.shared
            .write(|conn| one::<i64>(conn, "SELECT honker_result_save(?1, ?2, ?3)", (job_id, value, ttl_s)))
            .map(drop)
    }

    /// The result of a job, if it was saved and its time is not over.
    ///
    /// # Errors
    /// Errors of reading.
    pub fn get_result(&self, job_id: i64) -> Result<Option<String>> {
        self.shared.read(|conn| one(conn, "SELECT honker_result_get(?1)", [job_id]))
    }

    /// Waits for the result of a job, at most for `timeout`, after which it returns none.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] if the handle is closed meanwhile, and errors of reading.
    pub fn wait_result(&self, job_id: i64, timeout: Duration) -> Result<Option<String>> {
        let look = || Ok(self.get_result(job_id)?.map_or(Look::Nothing(FALLBACK), Look::Found));
        match Waiter::new(&self.shared)?.wait_for(Some(timeout), &Stop::new(), look)? {
            Waited::Found(result) => Ok(Some(result)),
            Waited::Gone => Err(Error::UpdateClosed),
            Waited::TimedOut | Waited::Stopped => Ok(None),
        }
    }

    /// Deletes the results whose time is over. Returns their number.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn sweep_results(&self) -> Result<i64> {
        self.shared.write(|conn| one(conn, "SELECT honker_result_sweep()", []))
    }

    /// Deletes the notifications that are older than so many seconds. Returns their number.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn prune_notifications(&self, older_than_s: i64) -> Result<i64> {
        self.shared.write(|conn| one(conn, "SELECT honker_notification_prune(?1, NULL)", [older_than_s]))
    }

    /// Deletes all notifications but the `max_keep` newest. Returns their number.
    ///
    /// # Errors
    /// [`Error::Core`] for a negative number, and errors of writing.
    pub fn prune_notifications_keep_latest(&self, max_keep: i64) -> Result<i64> {
        if max_keep < 0 {
            return Err(Error::core(ErrorKind::InvalidArgument, "max_keep must not be negative"));
        }
        self.shared.write(|conn| one(conn, "SELECT honker_notification_prune(NULL, ?1)", [max_keep]))
    }

    /// Runs a function with the connection that writes, for statements of your own.
    ///
    /// A transaction that the function leaves open is rolled back.
    ///
    /// # Panics
    /// If the handle is closed, or this thread holds a transaction; [`Database::try_with_conn`] returns these as errors.
    pub fn with_conn<F, R>(&self, f: F) -> R
    where
        F: FnOnce(&Connection) -> R,
    {
        match self.try_with_conn(f) {
            Ok(value) => value,
            Err(error) => panic!("with_conn: {error}"),
        }
    }

    /// As [`Database::with_conn`], without a panic.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`], [`ErrorKind::NestedTransaction`].
    pub fn try_with_conn<F, R>(&self, f: F) -> Result<R>
    where
        F: FnOnce(&Connection) -> R,
    {
        Ok(f(&*self.shared.lend()?))
    }
}
