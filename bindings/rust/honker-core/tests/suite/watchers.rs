use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use honker_core::{
    DEFAULT_WATCHER_POLL_INTERVAL, SharedUpdateWatcher, UpdateWatcher, WatcherBackend, WatcherConfig, open_conn,
};

use crate::{File, notify};

const LONG: Duration = Duration::from_secs(10);
const BACKENDS: [WatcherBackend; 3] =
    [WatcherBackend::Polling, WatcherBackend::KernelWatch, WatcherBackend::ShmFastPath];

#[test]
fn names_of_backends_are_exact() {
    for (name, backend) in [
        (None, WatcherBackend::Polling),
        (Some(""), WatcherBackend::Polling),
        (Some("poll"), WatcherBackend::Polling),
        (Some("polling"), WatcherBackend::Polling),
        (Some("kernel"), WatcherBackend::KernelWatch),
        (Some("kernel-watcher"), WatcherBackend::KernelWatch),
        (Some("shm"), WatcherBackend::ShmFastPath),
        (Some("shm-fast-path"), WatcherBackend::ShmFastPath),
    ] {
        assert_eq!(WatcherBackend::parse(name).unwrap(), backend);
    }
    for wrong in ["KERNEL", " polling ", "bogus"] {
        let error = WatcherBackend::parse(Some(wrong)).unwrap_err();
        assert!(error.starts_with("unknown watcher backend"), "{error}");
    }
}

#[test]
fn an_interval_is_positive() {
    let config = WatcherConfig::default();
    assert_eq!((config.backend, config.poll_interval), (WatcherBackend::Polling, DEFAULT_WATCHER_POLL_INTERVAL));
    assert_eq!(DEFAULT_WATCHER_POLL_INTERVAL, Duration::from_millis(1));
    let error = config.with_poll_interval(Duration::ZERO).unwrap_err();
    assert_eq!(error, "watcher poll interval must be positive");
}

#[test]
fn a_probe_says_if_a_backend_works() {
    let file = File::new();
    assert_eq!(WatcherBackend::Polling.probe(&file.path), Ok(()));
    let error = WatcherBackend::ShmFastPath.probe(&file.path).unwrap_err();
    assert!(error.contains("-shm unavailable"), "{error}");
    assert!(!file.path.exists(), "a probe makes no file");
    let folder_is_missing = file.path.join("no").join("app.db");
    assert!(WatcherBackend::KernelWatch.probe(&folder_is_missing).is_err());
    let _conn = file.open();
    for backend in BACKENDS {
        assert_eq!(backend.probe(&file.path), Ok(()), "{backend:?}");
    }
}

#[test]
fn each_backend_calls_after_a_commit() {
    for backend in BACKENDS {
        let file = File::new();
        let conn = file.open();
        let (sender, commits) = channel();
        let config = WatcherConfig::default().with_backend(backend);
        let watcher =
            UpdateWatcher::spawn_with_config(file.path.clone(), config, move || sender.send(()).unwrap_or_default());
        notify(&conn);
        commits.recv_timeout(LONG).unwrap_or_else(|error| panic!("{backend:?}: {error}"));
        watcher.stop();
        watcher.join().unwrap();
    }
}

#[test]
fn a_watcher_of_a_file_that_comes_later_calls_once_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later").join("app.db");
    let (sender, commits) = channel();
    let watcher = UpdateWatcher::spawn(path.clone(), move || sender.send(()).unwrap_or_default());
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let _conn = open_conn(path.to_str().unwrap(), true).unwrap();
    commits.recv_timeout(LONG).unwrap();
    watcher.stop();
    watcher.join().unwrap();
}

#[test]
fn join_reports_that_the_file_was_replaced() {
    let file = File::new();
    drop(file.open());
    let watcher = UpdateWatcher::spawn(file.path.clone(), || {});
    std::fs::remove_file(&file.path).unwrap();
    drop(file.open());
    let cause = watcher.join().unwrap_err();
    let text = cause.downcast_ref::<String>().unwrap();
    assert!(text.contains("replaced"), "{text}");
}

#[test]
fn dropping_a_watcher_stops_its_thread() {
    let file = File::new();
    let _conn = file.open();
    let (sender, commits) = channel::<()>();
    drop(UpdateWatcher::spawn(file.path.clone(), move || sender.send(()).unwrap_or_default()));
    while commits.recv_timeout(LONG).is_ok() {}
    assert_eq!(commits.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn each_receiver_gets_commits_which_coalesce() {
    let file = File::new();
    let conn = file.open();
    let watcher = SharedUpdateWatcher::new(file.path.clone());
    let ((first_id, first), (second_id, second)) = (watcher.subscribe(), watcher.subscribe());
    assert_ne!(first_id, second_id);
    assert_eq!(watcher.subscriber_count(), 2);
    for _ in 0..10 {
        notify(&conn);
    }
    first.recv_timeout(LONG).unwrap();
    second.recv_timeout(LONG).unwrap();
    watcher.unsubscribe(first_id);
    while first.recv_timeout(LONG).is_ok() {}
    assert_eq!(watcher.subscriber_count(), 1);
    drop(second);
    notify(&conn);
    let deadline = std::time::Instant::now() + LONG;
    while watcher.subscriber_count() > 0 {
        assert!(std::time::Instant::now() < deadline, "a dropped receiver is forgotten at the next commit");
        std::thread::yield_now();
    }
}

#[test]
fn closing_disconnects_receivers_and_frees_the_file() {
    let file = File::new();
    let _conn = file.open();
    let config = WatcherConfig::default();
    let watcher = SharedUpdateWatcher::new_with_config(file.path.clone(), config);
    let (_, commits) = watcher.subscribe();
    watcher.close();
    watcher.close();
    while commits.recv_timeout(LONG).is_ok() {}
    assert_eq!(commits.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    assert_eq!(watcher.subscribe().1.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    assert_eq!(watcher.subscriber_count(), 0);
}

#[test]
fn receivers_of_a_replaced_file_are_disconnected() {
    let file = File::new();
    drop(file.open());
    let watcher = SharedUpdateWatcher::new(file.path.clone());
    let (_, commits) = watcher.subscribe();
    std::fs::remove_file(&file.path).unwrap();
    drop(file.open());
    while commits.recv_timeout(LONG).is_ok() {}
    assert_eq!(watcher.subscribe().1.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
}
