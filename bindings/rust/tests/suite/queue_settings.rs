use honker::{EnqueueOpts, ErrorKind, FlowOpts, OnDead, QueueSettings, QueueUpdate, Rate};

use crate::{Fresh, enqueue};

fn concurrency(limit: Option<i64>) -> QueueUpdate {
    QueueUpdate { concurrency: Some(limit), ..QueueUpdate::default() }
}

#[test]
fn a_queue_without_settings_has_no_limit() {
    assert_eq!(Fresh::new().queue().settings().unwrap(), QueueSettings::default());
}

#[test]
fn every_process_obeys_a_setting_until_it_is_removed() {
    let fresh = Fresh::new();
    let update = QueueUpdate {
        concurrency: Some(Some(1)),
        rate: Some(Some(Rate { limit: 100, per_s: 0.5 })),
        burst: Some(Some(10)),
        keep_finished_s: Some(Some(60.0)),
        ..QueueUpdate::default()
    };
    let settings = fresh.queue().configure(&update).unwrap();
    assert_eq!(settings.rate, Some(Rate { limit: 100, per_s: 0.5 }));
    assert_eq!((settings.concurrency, settings.keep_finished_s), (Some(1), Some(60.0)));
    let other = fresh.other().queue("q", honker::QueueOpts::default());
    assert_eq!(other.settings().unwrap(), settings);
    other.enqueue_many(&[1, 2], EnqueueOpts::default()).unwrap();
    assert_eq!(other.claim_batch("w", 2).unwrap().len(), 1);

    let lifted = fresh.queue().configure(&concurrency(None)).unwrap();
    assert_eq!((lifted.concurrency, lifted.burst), (None, Some(10)));
    assert_eq!(other.claim_batch("w", 2).unwrap().len(), 1);
    let error = fresh.queue().configure(&concurrency(Some(0))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn an_ordered_queue_runs_one_job_of_a_key() {
    let fresh = Fresh::new();
    let queue = fresh.queue();
    let update =
        QueueUpdate { ordered: Some(Some(true)), on_dead: Some(Some(OnDead::Continue)), ..QueueUpdate::default() };
    let settings = queue.configure(&update).unwrap();
    assert_eq!((settings.ordered, settings.on_dead), (Some(true), Some(OnDead::Continue)));
    let flow = FlowOpts { key: Some("ann".into()), ..FlowOpts::default() };
    let ids = ["a", "b"].map(|each| queue.enqueue_flow(each, EnqueueOpts::default(), &flow).unwrap().id);
    let first = queue.claim_batch("w", 2).unwrap();
    assert_eq!(first.iter().map(|job| job.id).collect::<Vec<_>>(), ids[..1]);
    assert_eq!(queue.stats().unwrap().blocked, 1);
    assert!(first[0].fail("no").unwrap());
    assert_eq!(queue.claim_one("w").unwrap().unwrap().id, ids[1]);
}

#[test]
fn a_paused_queue_hands_out_nothing() {
    let fresh = Fresh::new();
    let queue = fresh.queue();
    enqueue(&queue, "a");
    assert!(queue.pause().unwrap());
    assert!(!queue.pause().unwrap());
    assert!(queue.stats().unwrap().paused_at.is_some());
    assert!(queue.claim_one("w").unwrap().is_none());
    assert!(queue.resume().unwrap());
    assert!(!queue.resume().unwrap());
    assert!(queue.claim_one("w").unwrap().is_some());
}

#[test]
fn a_requeued_dead_letter_has_all_its_attempts() {
    let fresh = Fresh::new();
    let queue = fresh.queue();
    let id = enqueue(&queue, "a");
    assert!(!queue.requeue(id).unwrap());
    assert!(queue.claim_one("w").unwrap().unwrap().fail("no").unwrap());
    assert!(!fresh.db.queue("other", honker::QueueOpts::default()).requeue(id).unwrap());
    assert!(queue.requeue(id).unwrap());
    assert_eq!(queue.claim_one("w").unwrap().unwrap().attempts, 1);
}

#[test]
fn a_job_is_put_off_without_a_charge() {
    let fresh = Fresh::new();
    let queue = fresh.queue();
    enqueue(&queue, "a");
    let job = queue.claim_one("w").unwrap().unwrap();
    assert!(job.snooze(0).unwrap());
    assert!(!job.snooze(0).unwrap());
    let again = queue.claim_one("w").unwrap().unwrap();
    assert_eq!(again.attempts, 1);
    assert_eq!(again.snooze(-1).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert!(again.snooze(3600).unwrap());
    assert!(queue.claim_one("w").unwrap().is_none());
}

#[test]
fn stats_count_the_jobs_by_state() {
    let fresh = Fresh::new();
    let queue = fresh.queue();
    queue.enqueue_many(&[1, 2, 3], EnqueueOpts::default()).unwrap();
    queue.enqueue(&4, EnqueueOpts { delay: Some(3600), ..EnqueueOpts::default() }).unwrap();
    assert!(queue.claim_one("w").unwrap().unwrap().fail("no").unwrap());
    let parent = queue.claim_one("w").unwrap().unwrap();
    let flow = FlowOpts { after: vec![parent.id], ..FlowOpts::default() };
    queue.enqueue_flow(&5, EnqueueOpts::default(), &flow).unwrap();
    let stats = queue.stats().unwrap();
    assert_eq!((stats.ready, stats.delayed, stats.processing), (1, 1, 1), "{stats:?}");
    assert_eq!((stats.lapsed, stats.blocked, stats.waiting, stats.dead), (0, 0, 1, 1), "{stats:?}");
    assert!(stats.is_exact && stats.oldest_ready_age_s.is_some() && stats.next_due_at.is_some(), "{stats:?}");
    assert_eq!(stats.paused_at, None);
}

#[test]
fn a_count_that_stops_is_a_lower_bound() {
    let fresh = Fresh::new();
    fresh.queue().enqueue_many(&vec![0; 10_001], EnqueueOpts::default()).unwrap();
    let stats = fresh.queue().stats().unwrap();
    assert_eq!((stats.ready, stats.is_exact), (10_000, false));
}
