//! For authors of bindings: the SQL functions of honker on a [`rusqlite::Connection`], two pools of connections, and a
//! watcher of commits. Applications use the crate `honker`.
//!
//! ```
//! use honker_core::{attach_honker_functions, bootstrap_honker_schema, open_conn};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("app.db");
//! let conn = open_conn(path.to_str().unwrap(), true)?;
//! attach_honker_functions(&conn)?;
//! bootstrap_honker_schema(&conn)?;
//! let sql = "SELECT honker_enqueue('emails', '{}', NULL, NULL, 0, 3, NULL)";
//! let job: i64 = conn.query_row(sql, [], |row| row.get(0))?;
//! assert_eq!(job, 1);
//! # Ok::<(), honker_core::Error>(())
//! ```
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `bundled` (default), `bundled-sqlite` | compile and link SQLite; otherwise the system's library is used, 3.38 or newer |
//! | `kernel-watcher`, `shm-fast-path` | nothing: these backends are always there |
//!
//! Two copies of SQLite in one process lose each other's locks: without `bundled` the crate uses the SQLite that the
//! process has.

// A library does not write to the output of its program.
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod connection;
pub mod cron;
mod error;
mod readers;
mod shared_watcher;
mod watcher;
mod watcher_config;
mod writer;

pub use connection::{
    BOOTSTRAP_HONKER_SQL, DEFAULT_PRAGMAS, apply_default_pragmas, attach_honker_functions, attach_notify,
    bootstrap_honker_schema, open_conn,
};
pub use error::Error;
pub use readers::Readers;
pub use shared_watcher::SharedUpdateWatcher;
pub use watcher::UpdateWatcher;
pub use watcher_config::{DEFAULT_WATCHER_POLL_INTERVAL, WatcherBackend, WatcherConfig};
pub use writer::Writer;
