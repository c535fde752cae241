//! Notifications, and listening to a channel.

use std::collections::VecDeque;
use std::time::Duration;

use rusqlite::Connection;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::connection::one;
use crate::database::{Database, FALLBACK};
use crate::error::{Error, ErrorKind, Result};
use crate::row::parse;
use crate::stop::Stop;
use crate::wait::{Look, Waited, Waiter};

/// Rows of one read.
const PAGE: i64 = 1000;

pub fn notify(conn: &Connection, channel: &str, payload: &str) -> Result<i64> {
    one(conn, "SELECT notify(?1, ?2)", (channel, payload))
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Notification {
    /// The id, which grows.
    pub id: i64,
    /// The channel.
    pub channel: String,
    /// The payload: JSON text.
    pub payload: String,
    #[serde(default)]
    malformed: Option<String>,
}

impl Notification {
    /// Decodes the payload.
    ///
    /// # Errors
    /// [`Error::Json`] if it is not JSON, or not that of a `T`.
    pub fn payload_as<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_str(&self.payload)?)
    }
}

/// The notifications of a channel, in order, made by [`Database::listen`]. As an iterator it waits for the next one.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let db = honker::Database::open(folder.path().join("app.db"))?;
/// let mut news = db.listen("news")?;
/// db.notify("news", "hello")?;
/// let first = news.next().unwrap()?;
/// assert_eq!(first.payload_as::<String>()?, "hello");
/// # Ok::<(), honker::Error>(())
/// ```
#[derive(Debug)]
pub struct Subscription {
    pub(crate) log: Log,
    pub(crate) waiter: Waiter,
    has_ended: bool,
}

/// The place in the channel.
#[derive(Debug)]
pub struct Log {
    db: Database,
    channel: String,
    last_id: i64,
    page: VecDeque<Notification>,
}

impl Subscription {
    pub(crate) fn new(db: &Database, channel: &str) -> Result<Self> {
        let waiter = Waiter::new(db.shared())?;
        let last_id = db.shared().read(|conn| one(conn, "SELECT honker_notification_last_id(?1)", [channel]))?;
        let log = Log { db: db.clone(), channel: channel.to_owned(), last_id, page: VecDeque::new() };
        Ok(Self { log, waiter, has_ended: false })
    }

    /// Waits for the next notification. None after the end, which the error before it has told.
    pub fn recv(&mut self) -> Option<Result<Notification>> {
        self.wait(None, &Stop::new()).transpose()
    }

    /// As [`Subscription::recv`]; none once the stop comes.
    pub fn recv_until(&mut self, stop: &Stop) -> Option<Result<Notification>> {
        self.wait(None, stop).transpose()
    }

    /// The next notification, if it is there already.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`], [`ErrorKind::MalformedRow`] for a row that was edited by hand, and errors of reading.
    pub fn try_next(&mut self) -> Result<Option<Notification>> {
        match self.log.look()? {
            Look::Found(found) => found.map(Some),
            Look::Nothing(_) => Ok(None),
        }
    }

    /// Waits for the next notification, at most for the timeout.
    ///
    /// # Errors
    /// As [`Subscription::try_next`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<Notification>> {
        self.wait(Some(timeout), &Stop::new())
    }

    fn wait(&mut self, timeout: Option<Duration>, stop: &Stop) -> Result<Option<Notification>> {
        if self.has_ended {
            return Ok(None);
        }
        let waited = self.waiter.wait_for(timeout, stop, || self.log.look());
        self.outcome(waited)
    }

    /// The value of a wait. The subscription has ended after an error that will repeat.
    pub(crate) fn outcome(&mut self, waited: Result<Waited<Result<Notification>>>) -> Result<Option<Notification>> {
        match waited {
            Ok(Waited::Found(found)) => found.map(Some),
            Ok(Waited::TimedOut | Waited::Stopped) => Ok(None),
            Ok(Waited::Gone) => {
                self.has_ended = true;
                Err(Error::UpdateClosed)
            }
            Err(error) => {
                self.has_ended = matches!(error.kind(), ErrorKind::Closed | ErrorKind::Replaced);
                Err(error)
            }
        }
    }
}

impl Log {
    /// The next notification, or the error of its row.
    fn look(&mut self) -> Result<Look<Result<Notification>>> {
        if self.page.is_empty() {
            let page = self.reading()()?;
            self.add(page);
        }
        Ok(self.pop().map_or(Look::Nothing(FALLBACK), Look::Found))
    }

    /// Reads the next page, on any thread.
    pub(crate) fn reading(&self) -> impl FnOnce() -> Result<VecDeque<Notification>> + Send + 'static {
        const READ: &str = "SELECT honker_notification_read_since(?1, ?2, ?3)";
        let (db, channel, last_id) = (self.db.clone(), self.channel.clone(), self.last_id);
        move || parse(&db.shared().read(|conn| one::<String>(conn, READ, (channel, last_id, PAGE)))?)
    }

    pub(crate) fn add(&mut self, page: VecDeque<Notification>) {
        self.page = page;
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn is_empty(&self) -> bool {
        self.page.is_empty()
    }

    pub(crate) fn pop(&mut self) -> Option<Result<Notification>> {
        let next = self.page.pop_front()?;
        self.last_id = next.id;
        let malformed = next.malformed.as_ref().map(|problem| Error::core(ErrorKind::MalformedRow, problem));
        Some(malformed.map_or(Ok(next), Err))
    }
}

impl Iterator for Subscription {
    type Item = Result<Notification>;

    fn next(&mut self) -> Option<Self::Item> {
        self.recv()
    }
}
