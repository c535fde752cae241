//! Durable job queues, streams, notifications, schedules, locks, rate limits and results, inside the application's own
//! SQLite file.
//!
//! The engine is linked into the `rusqlite` of your program: there is no server, no extension file and no second SQLite.
//! A job commits with the rows that it is about, or not at all.
//!
//! ```
//! use honker::{Database, EnqueueOpts, QueueOpts};
//! use serde_json::json;
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("app.db");
//! let db = Database::open(path)?;
//! let emails = db.queue("emails", QueueOpts::default());
//! emails.enqueue(&json!({"to": "ann@example.com"}), EnqueueOpts::default())?;
//!
//! while let Some(job) = emails.claim_one("worker-1")? {
//!     let payload: serde_json::Value = job.payload_as()?;
//!     assert_eq!(payload["to"], "ann@example.com");
//!     job.ack()?;
//! }
//! # Ok::<(), honker::Error>(())
//! ```
//!
//! # Where things are
//!
//! | for | see |
//! |---|---|
//! | jobs | [`Database::queue`], [`Queue`], [`Job`] |
//! | limits, order and pauses of a queue | [`Queue::configure`], [`Queue::pause`], [`Queue::stats`] |
//! | a worker that sleeps until there is a job | [`Queue::claim_waker`], [`ClaimWaker`] |
//! | a job and a row in one transaction | [`Database::transaction`], [`Queue::enqueue_tx`], [`Queue::enqueue_on`] |
//! | events that consumers read at their own pace | [`Stream`], [`StreamSubscription`] |
//! | messages to those who listen now | [`Database::notify`], [`Database::listen`], [`Subscription`] |
//! | jobs at certain times | [`Scheduler`] |
//! | one process at a time, so many calls per minute | [`Database::try_lock`], [`Database::try_rate_limit`] |
//! | the result of a job | [`Database::save_result`], [`Database::wait_result`] |
//! | calls to other systems after a commit | [`Outbox`] |
//! | async programs | feature `tokio`: [`Database::call`], [`ClaimWaker::next_async`] |
//!
//! # Threads
//!
//! [`Database`] and all objects made from it are cheap to clone, and clones share one handle. Writes take turns on one
//! connection, reads have connections of their own. Waiting holds no connection.
//!
//! A [`Transaction`] holds the connection that writes until it ends; calls of other threads wait meanwhile. A call on the
//! *same* thread that is not part of the transaction fails at once with [`ErrorKind::NestedTransaction`].
//!
//! # Waiting
//!
//! Waits are woken by commits, of this process or of any other, in any language. They use no processor time meanwhile.
//! [`Stop`] ends them from another thread, and so does [`Database::close`].
//!
//! # Delivery
//!
//! A job runs at least once: if its lease lapses, another worker claims it, so handlers must tolerate repeats. The
//! methods of [`Job`] return false if the lease was lost.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `bundled` (default), `bundled-sqlite` | compile and link SQLite; otherwise the system's library is used, 3.38 or newer |
//! | `tokio` | `async` forms of everything that waits |
//! | `kernel-watcher`, `shm-fast-path` | nothing: these backends are always there |

// A library does not write to the output of its program.
#![warn(clippy::print_stderr, clippy::print_stdout)]

#[cfg(feature = "tokio")]
mod asynchronous;
mod claim;
mod connection;
mod database;
mod error;
mod everywhere;
mod job;
mod lock;
mod notification;
mod outbox;
mod queue;
mod queue_settings;
mod row;
mod schedule;
mod scheduler;
mod shared;
mod stop;
mod stream;
mod stream_subscription;
mod transaction;
mod update_events;
mod wait;

pub use claim::ClaimWaker;
pub use database::{Database, OpenOptions};
pub use error::{Error, ErrorKind, Result};
pub use everywhere::install_on_new_connections;
pub use job::{Job, JobRow};
pub use lock::Lock;
pub use notification::{Notification, Subscription};
pub use outbox::{Outbox, OutboxOpts};
pub use queue::{EnqueueOpts, FlowOpts, Queue, QueueOpts, UniqueJob};
pub use queue_settings::{OnDead, QueueSettings, QueueStats, QueueUpdate, Rate};
pub use rusqlite;
pub use schedule::{ScheduleRow, ScheduleUpdate, ScheduledFire, ScheduledTask};
pub use scheduler::Scheduler;
pub use stop::Stop;
pub use stream::{Stream, StreamEvent};
pub use stream_subscription::StreamSubscription;
pub use transaction::Transaction;
pub use update_events::UpdateEvents;

/// Registers the SQL functions on a connection of yours, and creates the tables.
///
/// The `_on` forms then work on it, such as [`Queue::enqueue_on`], and so does any `SELECT honker_...`. Its pragmas and
/// its busy timeout stay as they are.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("app.db");
/// let conn = honker::rusqlite::Connection::open(path)?;
/// honker::install(&conn)?;
/// let id: i64 = conn.query_row(
///     "SELECT honker_enqueue('emails', '{}', NULL, NULL, 0, 3, NULL)", [], |row| row.get(0))?;
/// assert_eq!(id, 1);
/// # Ok::<(), honker::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::SqliteTooOld`] below SQLite 3.38; otherwise an error of SQLite, as for a file that is read-only.
pub fn install(conn: &rusqlite::Connection) -> Result<()> {
    honker_engine::install(conn)?;
    connection::one::<i64>(conn, "SELECT honker_bootstrap()", []).map(drop)
}

/// The programs of the README, which must compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
