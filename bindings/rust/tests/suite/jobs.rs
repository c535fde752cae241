use honker::{EnqueueOpts, ErrorKind, FlowOpts, OutboxOpts, QueueOpts};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Fresh, enqueue};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Email {
    to: String,
    tags: Vec<u8>,
}

#[test]
fn a_payload_comes_back_as_its_type() {
    let fresh = Fresh::new();
    let email = Email { to: "ann".into(), tags: vec![1, 2] };
    fresh.queue().enqueue(&email, EnqueueOpts::default()).unwrap();
    let job = fresh.queue().claim_one("w").unwrap().unwrap();
    assert_eq!(job.payload_as::<Email>().unwrap(), email);
    assert_eq!(job.payload_as::<i64>().unwrap_err().kind(), ErrorKind::Payload);
    assert_eq!((job.queue.as_str(), job.worker_id.as_str(), job.attempts), ("q", "w", 1));
}

#[test]
fn nul_characters_emoji_and_a_megabyte_come_back() {
    let fresh = Fresh::new();
    for text in ["a\0b".to_owned(), "ä€😀".to_owned(), "x".repeat(1 << 20)] {
        enqueue(&fresh.queue(), &text);
        let job = fresh.queue().claim_one("w").unwrap().unwrap();
        assert_eq!(job.payload_as::<String>().unwrap(), text);
        assert!(job.ack().unwrap());
    }
}

#[test]
fn a_payload_that_json_cannot_hold_is_an_error_and_stores_nothing() {
    let fresh = Fresh::new();
    let payload = std::collections::HashMap::from([(vec![1], 2)]);
    let error = fresh.queue().enqueue(&payload, EnqueueOpts::default()).unwrap_err();
    assert_eq!(error.code(), "HONKER_INVALID_PAYLOAD");
    assert_eq!(fresh.count("_honker_live"), 0);
}

#[test]
fn a_job_row_shows_what_is_stored() {
    let fresh = Fresh::new();
    let queue = fresh.db.queue("q", QueueOpts { visibility_timeout_s: 60, max_attempts: 7 });
    let opts = EnqueueOpts { delay: Some(60), priority: 5, expires: Some(3600), ..Default::default() };
    let id = queue.enqueue(&json!([1]), opts).unwrap();
    let row = queue.get_job(id).unwrap().unwrap();
    assert_eq!((row.state.as_str(), row.payload.as_str(), row.priority, row.max_attempts), ("pending", "[1]", 5, 7));
    assert!((59..=61).contains(&(row.run_at - row.created_at)), "{row:?}");
    assert!((3599..=3601).contains(&(row.expires_at.unwrap() - row.created_at)), "{row:?}");
    assert_eq!(fresh.db.queue("other", QueueOpts::default()).get_job(id).unwrap(), None);
}

#[test]
fn a_released_job_is_claimed_again_without_a_charge() {
    let fresh = Fresh::new();
    enqueue(&fresh.queue(), "a");
    let job = fresh.queue().claim_one("w").unwrap().unwrap();
    assert!(job.release().unwrap());
    assert!(!job.ack().unwrap());
    assert_eq!(fresh.queue().claim_one("w").unwrap().unwrap().attempts, 1);
}

#[test]
fn many_jobs_are_enqueued_at_once() {
    let fresh = Fresh::new();
    let ids = fresh.queue().enqueue_many(&[json!("a"), json!({"b": 1})], EnqueueOpts::default()).unwrap();
    let jobs = fresh.queue().claim_batch("w", 10).unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), ids);
    assert_eq!(jobs[1].payload_as::<Value>().unwrap(), json!({"b": 1}));
    assert_eq!(fresh.queue().ack_batch(&ids, "w").unwrap(), 2);
}

#[test]
fn a_job_that_runs_after_another_waits_for_it() {
    let fresh = Fresh::new();
    let parent = enqueue(&fresh.queue(), "parent");
    let flow = FlowOpts { after: vec![parent], ..Default::default() };
    let child = fresh.queue().enqueue_flow("child", EnqueueOpts::default(), &flow).unwrap();
    let claimed = fresh.queue().claim_batch("w", 10).unwrap();
    assert_eq!(claimed.iter().map(|job| job.id).collect::<Vec<_>>(), [parent]);
    assert!(claimed[0].ack().unwrap());
    assert_eq!(fresh.queue().claim_one("w").unwrap().unwrap().id, child.id);
}

#[test]
fn a_unique_key_that_is_taken_is_an_error_where_that_is_asked_for() {
    let fresh = Fresh::new();
    let flow = |on_conflict: &str| FlowOpts {
        unique_key: Some("k".into()),
        on_conflict: Some(on_conflict.into()),
        ..Default::default()
    };
    let first = fresh.queue().enqueue_flow("a", EnqueueOpts::default(), &flow("existing")).unwrap();
    assert!(!first.is_duplicate);
    let error = fresh.queue().enqueue_flow("b", EnqueueOpts::default(), &flow("raise")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UniqueKeyTaken);
}

#[test]
fn two_threads_on_one_handle_do_each_job_once() {
    let fresh = Fresh::new();
    let ids = fresh.queue().enqueue_many(&vec![0; 200], EnqueueOpts::default()).unwrap();
    let work = |worker: &'static str| {
        let queue = fresh.queue();
        std::thread::spawn(move || {
            let mut done = Vec::new();
            while let Some(job) = queue.claim_one(worker).unwrap() {
                assert!(job.ack().unwrap());
                done.push(job.id);
            }
            done
        })
    };
    let (a, b) = (work("a"), work("b"));
    let mut done = crate::join(a);
    done.extend(crate::join(b));
    done.sort_unstable();
    assert_eq!(done, ids);
}

#[test]
fn an_outbox_backs_off_and_keeps_the_error() {
    let fresh = Fresh::new();
    let outbox = fresh.db.outbox("mail", OutboxOpts { base_backoff_s: 100, ..OutboxOpts::default() });
    assert!(!outbox.run_once("w", |_| Ok::<(), String>(())).unwrap());
    let id = outbox.enqueue("a", EnqueueOpts::default()).unwrap();
    assert!(outbox.run_once("w", |_| Err("no route")).unwrap());
    let row = outbox.queue().get_job(id).unwrap().unwrap();
    assert!((99..=101).contains(&(row.run_at - row.created_at)), "{row:?}");
    assert_eq!((outbox.name(), outbox.queue().name()), ("mail", "_outbox:mail"));
}

#[test]
fn an_outbox_reports_a_lease_that_was_lost_during_the_delivery() {
    let fresh = Fresh::new();
    let outbox = fresh.db.outbox("mail", OutboxOpts::default());
    let id = outbox.enqueue("a", EnqueueOpts::default()).unwrap();
    let queue = outbox.queue().clone();
    let error = outbox.run_once("w", |_| queue.cancel(id).map(drop)).unwrap_err();
    assert!(matches!(error, honker::Error::Core(_)), "{error}");
}

#[test]
fn a_lock_is_released_on_drop_and_a_rate_limit_counts() {
    let fresh = Fresh::new();
    let lock = fresh.db.try_lock("l", "a", 60).unwrap().unwrap();
    assert_eq!((lock.name(), lock.owner()), ("l", "a"));
    assert!(fresh.other().try_lock("l", "b", 60).unwrap().is_none());
    drop(lock);
    assert!(fresh.other().try_lock("l", "b", 60).unwrap().unwrap().release().unwrap());
    assert!(fresh.db.try_rate_limit("r", 1, 3600).unwrap());
    assert!(!fresh.db.try_rate_limit("r", 1, 3600).unwrap());
}
