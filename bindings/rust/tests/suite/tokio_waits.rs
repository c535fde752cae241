use std::time::Duration;

use honker::{EnqueueOpts, ErrorKind, OutboxOpts, ScheduledTask};
use serde_json::json;
use tokio::time::timeout;

use crate::{Fresh, enqueue};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_claim_wakes_on_the_event_loop() {
    let fresh = Fresh::new();
    let waker = fresh.queue().claim_waker();
    let (claimed, id) = tokio::join!(timeout(SOON, waker.next_async("w")), async {
        tokio::task::yield_now().await;
        fresh.db.call(|db| Ok(enqueue(&db.queue("q", honker::QueueOpts::default()), "a"))).await.unwrap()
    });
    let job = claimed.unwrap().unwrap().unwrap();
    assert_eq!(job.id, id);
    assert!(job.heartbeat_async(60).await.unwrap());
    assert!(job.ack_async().await.unwrap());
    assert!(!job.fail_async("late").await.unwrap());
}

#[tokio::test]
async fn a_claim_that_is_dropped_at_any_moment_loses_no_job() {
    let fresh = Fresh::new();
    let waker = fresh.queue().claim_waker();
    for microseconds in (0..4000).step_by(100) {
        enqueue(&fresh.queue(), "a");
        let claimed = timeout(Duration::from_micros(microseconds), waker.next_async("w")).await;
        let job = match claimed {
            Ok(job) => job.unwrap().unwrap(),
            // The job waits still, or is given back.
            Err(_) => timeout(SOON, waker.next_async("w")).await.unwrap().unwrap().unwrap(),
        };
        assert_eq!(job.attempts, 1);
        assert!(job.ack_async().await.unwrap());
    }
    assert_eq!(fresh.count("_honker_live"), 0);
}

#[tokio::test]
async fn closing_ends_the_waits() {
    let fresh = Fresh::new();
    let waker = fresh.queue().claim_waker();
    let mut listener = fresh.db.listen("c").unwrap();
    let (claimed, heard, ()) =
        tokio::join!(timeout(SOON, waker.next_async("w")), timeout(SOON, listener.recv_async()), async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            fresh.db.close();
        });
    assert_eq!(claimed.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(heard.unwrap().unwrap().unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn subscriptions_and_results_wake() {
    let fresh = Fresh::new();
    let mut listener = fresh.db.listen("c").unwrap();
    let mut events = fresh.db.stream("t").subscribe("c").unwrap();
    let other = fresh.other();
    let (heard, event, result, ()) = tokio::join!(
        timeout(SOON, listener.recv_async()),
        timeout(SOON, events.recv_async()),
        fresh.db.wait_result_async(7, SOON),
        async {
            other.notify("c", "a").unwrap();
            other.stream("t").publish("b").unwrap();
            other.save_result(7, "42", 0).unwrap();
        }
    );
    assert_eq!(heard.unwrap().unwrap().unwrap().payload, "\"a\"");
    assert_eq!(event.unwrap().unwrap().unwrap().offset, 1);
    assert_eq!(result.unwrap().as_deref(), Some("42"));
    assert_eq!(fresh.db.wait_result_async(8, Duration::from_millis(10)).await.unwrap(), None);
}

#[tokio::test]
async fn a_scheduler_that_is_dropped_releases_its_lock() {
    let fresh = Fresh::new();
    let scheduler = fresh.db.scheduler();
    scheduler.add(ScheduledTask::cron("often", "q", "@every 1s", json!(1))).unwrap();
    let waker = fresh.queue().claim_waker();
    tokio::select! {
        ended = scheduler.run_async("a") => panic!("{ended:?}"),
        job = timeout(SOON, waker.next_async("w")) => assert!(job.unwrap().unwrap().is_some()),
    }
    crate::wait_until(|| fresh.count("_honker_locks") == 0);
}

#[tokio::test]
async fn an_outbox_that_is_dropped_gives_its_payload_back() {
    let fresh = Fresh::new();
    let outbox = fresh.db.outbox("mail", OutboxOpts { base_backoff_s: 0, ..OutboxOpts::default() });
    let id = outbox.enqueue("a", EnqueueOpts::default()).unwrap();
    let (began, mut begins) = tokio::sync::mpsc::unbounded_channel();
    tokio::select! {
        ended = outbox.run_async("w", |_| {
            began.send(()).unwrap();
            std::future::pending::<Result<(), String>>()
        }) => panic!("{ended:?}"),
        first = timeout(SOON, begins.recv()) => first.unwrap().unwrap(),
    }
    crate::wait_until(|| outbox.queue().get_job(id).unwrap().unwrap().state == "pending");
    assert_eq!(outbox.queue().get_job(id).unwrap().unwrap().attempts, 0);
    let delivered = tokio::select! {
        ended = outbox.run_async("w", async |payload| { began.send(()).unwrap(); assert_eq!(payload, "a"); Ok::<(), String>(()) }) => panic!("{ended:?}"),
        second = timeout(SOON, begins.recv()) => second.unwrap().is_some(),
    };
    assert!(delivered);
}
