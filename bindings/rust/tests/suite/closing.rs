use std::time::Duration;

use honker::{EnqueueOpts, Error, ErrorKind};

use crate::{Fresh, enqueue, join};

#[test]
fn closing_ends_every_wait_with_the_closed_error() {
    let fresh = Fresh::new();
    let (waker, mut listener) = (fresh.queue().claim_waker(), fresh.db.listen("c").unwrap());
    let mut events = fresh.db.stream("t").subscribe("c").unwrap();
    let (db, scheduler, updates) = (fresh.db.clone(), fresh.db.scheduler(), fresh.db.update_events());
    let threads = [
        std::thread::spawn(move || waker.next("w").map(drop).unwrap_err().kind()),
        std::thread::spawn(move || listener.recv().unwrap().unwrap_err().kind()),
        std::thread::spawn(move || events.recv().unwrap().unwrap_err().kind()),
        std::thread::spawn(move || db.wait_result(1, Duration::from_secs(60)).unwrap_err().kind()),
        std::thread::spawn(move || scheduler.run(honker::Stop::new(), "a").unwrap_err().kind()),
        std::thread::spawn(move || {
            loop {
                // The scheduler's lock is a commit.
                if let Err(error) = updates.recv() {
                    assert!(matches!(error, Error::UpdateClosed), "{error}");
                    return error.kind();
                }
            }
        }),
    ];
    // The scheduler leads, so its thread runs; the others may close before they wait, which must not matter.
    crate::wait_until(|| fresh.count("_honker_locks") == 1);
    fresh.db.close();
    for thread in threads {
        assert_eq!(join(thread), ErrorKind::Closed);
    }
    // The scheduler's lock was released.
    assert!(fresh.other().try_lock("honker-scheduler", "b", 60).unwrap().is_some());
}

#[test]
fn calls_on_a_closed_handle_fail_and_closing_twice_does_nothing() {
    let fresh = Fresh::new();
    let (queue, clone) = (fresh.queue(), fresh.db.clone());
    fresh.db.close();
    fresh.db.close();
    assert_eq!(queue.enqueue("a", EnqueueOpts::default()).unwrap_err().code(), "HONKER_CLOSED");
    assert_eq!(queue.get_job(1).unwrap_err().code(), "HONKER_CLOSED");
    assert_eq!(clone.listen("c").unwrap_err().code(), "HONKER_CLOSED");
    assert_eq!(clone.try_with_conn(|_| ()).unwrap_err().code(), "HONKER_CLOSED");
    assert_eq!(enqueue(&fresh.other().queue("q", honker::QueueOpts::default()), "a"), 1);
}

#[test]
fn a_transaction_that_is_open_while_the_handle_closes_can_commit() {
    let fresh = Fresh::new();
    let tx = fresh.db.transaction().unwrap();
    fresh.queue().enqueue_tx(&tx, "a", EnqueueOpts::default()).unwrap();
    let db = fresh.db.clone();
    join(std::thread::spawn(move || db.close()));
    tx.commit().unwrap();
    assert!(fresh.other().queue("q", honker::QueueOpts::default()).claim_one("w").unwrap().is_some());
}

#[test]
fn a_subscription_ends_after_its_error() {
    let fresh = Fresh::new();
    let mut listener = fresh.db.listen("c").unwrap();
    fresh.db.close();
    assert_eq!(listener.next().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert!(listener.next().is_none());
}
