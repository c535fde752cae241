use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use honker::{EnqueueOpts, ErrorKind, Stop};

use crate::{Fresh, enqueue, join};

#[test]
fn a_stop_ends_a_waiting_claim_and_the_waker_waits_again() {
    let fresh = Fresh::new();
    let waker = Arc::new(fresh.queue().claim_waker());
    for _ in 0..3 {
        let stop = Stop::new();
        let waiting = {
            let (waker, stop) = (Arc::clone(&waker), stop.clone());
            std::thread::spawn(move || waker.next_until("w", &stop).unwrap().is_none())
        };
        stop.stop();
        assert!(join(waiting));
    }
    enqueue(&fresh.queue(), "a");
    assert_eq!(waker.next("w").unwrap().unwrap().attempts, 1);
}

#[test]
fn a_flag_ends_a_wait_too() {
    let fresh = Fresh::new();
    let flag = Arc::new(AtomicBool::new(false));
    let (waker, stop) = (fresh.queue().claim_waker(), Stop::from(Arc::clone(&flag)));
    let waiting = std::thread::spawn(move || waker.next_until("w", &stop).unwrap().is_none());
    flag.store(true, Ordering::SeqCst);
    assert!(join(waiting));
}

#[test]
fn threads_of_one_waker_all_get_jobs_of_one_commit() {
    let fresh = Fresh::new();
    let waker = Arc::new(fresh.queue().claim_waker());
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let waker = Arc::clone(&waker);
            std::thread::spawn(move || waker.next("w").unwrap().unwrap().id)
        })
        .collect();
    let began = Instant::now();
    fresh.queue().enqueue_many(&[1, 2, 3, 4], EnqueueOpts::default()).unwrap();
    let mut ids: Vec<i64> = waiting.into_iter().map(join).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4]);
    assert!(began.elapsed() < Duration::from_secs(4), "the fallback found them, and no wake");
}

#[test]
fn a_timeout_ends_a_wait_without_a_job() {
    let fresh = Fresh::new();
    assert!(fresh.queue().claim_waker().next_timeout("w", Duration::from_millis(20)).unwrap().is_none());
    assert!(fresh.db.listen("c").unwrap().recv_timeout(Duration::from_millis(20)).unwrap().is_none());
    assert!(fresh.db.wait_result(1, Duration::from_millis(20)).unwrap().is_none());
    assert!(fresh.db.update_events().recv_timeout(Duration::from_millis(20)).unwrap().is_none());
}

#[test]
fn a_waiting_claim_wakes_when_a_delayed_job_is_due() {
    let fresh = Fresh::new();
    fresh.queue().enqueue("a", EnqueueOpts { delay: Some(1), ..Default::default() }).unwrap();
    let began = Instant::now();
    assert!(fresh.queue().claim_waker().next("w").unwrap().is_some());
    let waited = began.elapsed();
    assert!(waited > Duration::from_millis(900) && waited < Duration::from_secs(4), "{waited:?}");
}

#[test]
fn a_waiting_claim_does_not_hold_the_connection() {
    let fresh = Fresh::new();
    let waker = fresh.queue().claim_waker();
    let stop = Stop::new();
    let waiting = {
        let stop = stop.clone();
        std::thread::spawn(move || waker.next_until("w", &stop).unwrap().is_none())
    };
    let tx = fresh.db.transaction().unwrap();
    tx.rollback().unwrap();
    stop.stop();
    assert!(join(waiting));
}

#[test]
fn a_replaced_file_ends_the_claims() {
    let fresh = Fresh::new();
    let waker = fresh.queue().claim_waker();
    let waiting = std::thread::spawn(move || waker.next("w").map(|job| job.is_none()));
    let updates = fresh.db.update_events();
    std::fs::rename(fresh.path(), fresh.folder.path().join("old.db")).unwrap();
    std::fs::write(fresh.path(), "").unwrap();
    while updates.recv().is_ok() {}
    assert!(join(waiting).unwrap());
    // Its readers read the old file, or none.
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let queue = fresh.queue();
            std::thread::spawn(move || queue.get_job(1).map_err(|error| error.kind()))
        })
        .collect();
    for reader in readers {
        assert!(matches!(join(reader), Ok(None) | Err(ErrorKind::Replaced)));
    }
}

#[test]
fn a_result_wakes_the_one_that_waits_for_it() {
    let fresh = Fresh::new();
    let db = fresh.db.clone();
    let waiting = std::thread::spawn(move || db.wait_result(7, Duration::from_secs(30)).unwrap());
    fresh.other().save_result(7, "42", 0).unwrap();
    assert_eq!(join(waiting).as_deref(), Some("42"));
    assert_eq!(fresh.db.get_result(7).unwrap().as_deref(), Some("42"));
    assert_eq!(fresh.db.sweep_results().unwrap(), 0);
}
