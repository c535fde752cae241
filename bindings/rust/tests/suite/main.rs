//! The tests of the crate. The protocol's own are in the conformance suite of the repository.

mod closing;
mod errors;
mod files;
mod jobs;
mod queue_settings;
mod schedules;
mod streams;
#[cfg(feature = "tokio")]
mod tokio_waits;
mod transactions;
mod waiting;

use std::time::{Duration, Instant};

use honker::{Database, EnqueueOpts, Queue, QueueOpts};
use tempfile::TempDir;

/// A handle of a new file, which is deleted at the end.
struct Fresh {
    folder: TempDir,
    db: Database,
}

impl Fresh {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(folder.path().join("app.db")).unwrap();
        Self { folder, db }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("app.db")
    }

    /// Another handle, as another process would have.
    fn other(&self) -> Database {
        Database::open(self.path()).unwrap()
    }

    fn queue(&self) -> Queue {
        self.db.queue("q", QueueOpts::default())
    }

    fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        self.db.with_conn(|conn| conn.query_row(&sql, [], |row| row.get(0))).unwrap()
    }
}

fn enqueue(queue: &Queue, payload: &str) -> i64 {
    queue.enqueue(payload, EnqueueOpts::default()).unwrap()
}

/// Waits for a condition.
fn wait_until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "it did not come true in 10 s");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits for a thread, which must end soon.
fn join<T>(thread: std::thread::JoinHandle<T>) -> T {
    wait_until(|| thread.is_finished());
    thread.join().unwrap()
}
