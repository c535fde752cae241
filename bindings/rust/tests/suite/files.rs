use std::time::Duration;

use honker::{Database, OpenOptions, QueueOpts};

use crate::{Fresh, enqueue};

#[test]
fn the_connection_has_the_documented_pragmas() {
    let fresh = Fresh::new();
    let pragma = |name: &str| -> i64 {
        fresh.db.with_conn(|conn| conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))).unwrap()
    };
    let names = ["synchronous", "foreign_keys", "cache_size", "temp_store", "wal_autocheckpoint"];
    assert_eq!(names.map(pragma), [1, 1, -32000, 2, 10000]);
    let mode: String = fresh.db.with_conn(|conn| conn.query_row("PRAGMA journal_mode", [], |row| row.get(0))).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn eight_threads_open_a_new_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let open = || {
        let path = path.clone();
        std::thread::spawn(move || enqueue(&Database::open(path).unwrap().queue("q", QueueOpts::default()), "a"))
    };
    let opening: Vec<_> = (0..8).map(|_| open()).collect();
    let mut ids: Vec<i64> = opening.into_iter().map(crate::join).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=8).collect::<Vec<_>>());
}

#[test]
fn every_backend_wakes() {
    let fresh = Fresh::new();
    for backend in ["polling", "kernel", "shm"] {
        let options = OpenOptions::default().watcher_backend(backend).unwrap();
        let db = Database::open_with_options(fresh.path(), options).unwrap();
        let updates = db.update_events();
        assert_eq!(updates.try_recv(), None, "{backend}");
        enqueue(&fresh.queue(), "a");
        updates.recv_timeout(Duration::from_secs(10)).unwrap().unwrap();
    }
}

#[test]
fn handles_are_shared_between_threads() {
    fn is_shared<T: Clone + Send + Sync>() {}
    is_shared::<Database>();
    is_shared::<honker::Queue>();
    is_shared::<honker::Stream>();
    is_shared::<honker::Outbox>();
    is_shared::<honker::Scheduler>();
    is_shared::<honker::Job>();
    is_shared::<honker::Stop>();
}

#[test]
fn the_readme_has_the_program_of_the_example() {
    let program = include_str!("../../examples/getting_started.rs").split_once("\n\n").unwrap().1;
    assert!(include_str!("../../README.md").contains(program));
}

#[test]
fn the_path_is_absolute() {
    let fresh = Fresh::new();
    assert_eq!(std::path::Path::new(fresh.db.path()), fresh.path().canonicalize().unwrap());
}
