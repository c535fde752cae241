use honker::{Database, EnqueueOpts, Error, ErrorKind, OpenOptions};

use crate::Fresh;

#[test]
fn a_path_that_cannot_be_opened_has_a_code() {
    let error = Database::open("/nowhere/app.db").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CantOpen);
    assert_eq!(Database::open(":memory:").unwrap_err().kind(), ErrorKind::CantOpen);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), "x".repeat(4096)).unwrap();
    assert_eq!(Database::open(folder.path().join("text")).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn arguments_out_of_range_have_a_code() {
    let fresh = Fresh::new();
    let opts = EnqueueOpts { priority: 1 << 60, ..Default::default() };
    assert_eq!(fresh.queue().enqueue("a", opts).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(fresh.queue().claim_batch("", 1).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let error = fresh.db.prune_notifications_keep_latest(-1).unwrap_err();
    assert!(error.to_string().contains("max_keep must not be negative"), "{error}");
}

#[test]
fn an_unknown_watcher_backend_is_refused_by_name() {
    let error = OpenOptions::default().watcher_backend("KERNEL").unwrap_err();
    assert!(error.to_string().contains("unknown watcher backend"), "{error}");
    let error = OpenOptions::default().watcher_poll_interval(std::time::Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("watcher poll interval must be positive"), "{error}");
}

#[test]
fn errors_are_errors_of_the_standard_library() {
    let fresh = Fresh::new();
    let error = fresh.queue().claim_batch("", 1).unwrap_err();
    assert!(matches!(error, Error::Sqlite(_)));
    let boxed: Box<dyn std::error::Error + Send + Sync> = error.into();
    assert!(boxed.source().is_some());
}
