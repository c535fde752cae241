//! Notices commits to a SQLite file, by any connection of any process, and wakes any number of subscribers.
//!
//! The truth is `PRAGMA data_version` on a connection of the watcher's own, opened through the host's SQLite: it
//! changes when another connection has committed. In WAL mode it comes from the change counter of the WAL index, which
//! that connection has mapped and which can be read without a statement. File events only say when to look. A safety
//! tick looks anyway, so a file system without events, a container mount or an overflowing queue costs a tick and never
//! a wake.
//!
//! Rules that must not be broken:
//! - Never open the database, `-wal` or `-shm` as a file. POSIX locks belong to the process: closing any descriptor of
//!   such a file drops the locks that SQLite holds on it, and another process may then delete the WAL under us. Paths
//!   are watched by name, identity is asked with `stat`, and everything else goes through SQLite.
//! - Hold no transaction between two looks; a reader that stays pins the WAL.
//! - A wake is a hint. Subscribers subscribe first, then read, then wait.
//!
//! One watcher runs per file and process ([`subscribe`]), however many subscribers there are.

mod backend;
mod database;
#[cfg(target_os = "linux")]
mod events;
mod location;
mod lookout;
#[cfg(all(feature = "failpoints", target_os = "linux"))]
mod loss;
mod registry;
mod shared;
mod signal;
mod stats;
mod watcher;

pub use backend::{Backend, Options};
pub use database::{pause, resume};
pub use registry::{close, get, open, subscribe};
pub use signal::{Descriptor, Wake};
pub use stats::Report;
pub use watcher::Subscription;
