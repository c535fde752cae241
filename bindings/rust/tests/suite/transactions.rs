use honker::rusqlite::{Connection, params};
use honker::{EnqueueOpts, ErrorKind};

use crate::{Fresh, enqueue, join};

#[test]
fn a_call_outside_the_transaction_of_its_thread_fails_at_once() {
    let fresh = Fresh::new();
    let tx = fresh.db.transaction().unwrap();
    let errors = [
        fresh.queue().enqueue("a", EnqueueOpts::default()).unwrap_err(),
        fresh.queue().claim_one("w").unwrap_err(),
        fresh.queue().get_job(1).unwrap_err(),
        fresh.db.transaction().unwrap_err(),
        fresh.db.try_lock("l", "a", 60).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::NestedTransaction, "{error}");
    }
    fresh.queue().enqueue_tx(&tx, "a", EnqueueOpts::default()).unwrap();
    tx.commit().unwrap();
    assert!(fresh.queue().claim_one("w").unwrap().is_some());
}

#[test]
fn a_call_inside_with_conn_fails_at_once_too() {
    let fresh = Fresh::new();
    let error = fresh.db.with_conn(|_| fresh.queue().claim_one("w").unwrap_err());
    assert_eq!(error.code(), "HONKER_NESTED_TRANSACTION");
}

#[test]
fn another_thread_waits_for_the_transaction_to_end() {
    let fresh = Fresh::new();
    let tx = fresh.db.transaction().unwrap();
    let queue = fresh.queue();
    let (began, begins) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        began.send(()).unwrap();
        enqueue(&queue, "second")
    });
    begins.recv().unwrap();
    assert_eq!(fresh.queue().enqueue_tx(&tx, "first", EnqueueOpts::default()).unwrap(), 1);
    tx.commit().unwrap();
    assert_eq!(join(waiting), 2);
}

#[test]
fn a_reader_does_not_wait_for_the_transaction_of_another_thread() {
    let fresh = Fresh::new();
    let id = enqueue(&fresh.queue(), "a");
    let tx = fresh.db.transaction().unwrap();
    let queue = fresh.queue();
    assert_eq!(join(std::thread::spawn(move || queue.get_job(id).unwrap().unwrap().id)), id);
    tx.rollback().unwrap();
}

#[test]
fn an_error_that_leaves_the_function_rolls_back() {
    let fresh = Fresh::new();
    fresh.db.with_conn(|conn| conn.execute_batch("CREATE TABLE t (n NOT NULL)")).unwrap();
    let order = || -> honker::Result<()> {
        let tx = fresh.db.transaction()?;
        fresh.queue().enqueue_tx(&tx, "a", EnqueueOpts::default())?;
        tx.execute("INSERT INTO t VALUES (?1)", params![None::<i64>])?;
        tx.commit()
    };
    assert_eq!(order().unwrap_err().kind(), ErrorKind::Constraint);
    assert!(fresh.queue().claim_one("w").unwrap().is_none());
}

#[test]
fn a_commit_that_fails_rolls_back_and_leaves_the_handle_usable() {
    let fresh = Fresh::new();
    let tables = "CREATE TABLE a (id INTEGER PRIMARY KEY);
        CREATE TABLE b (a REFERENCES a DEFERRABLE INITIALLY DEFERRED)";
    fresh.db.with_conn(|conn| conn.execute_batch(tables)).unwrap();
    let tx = fresh.db.transaction().unwrap();
    tx.execute("INSERT INTO b VALUES (1)", []).unwrap();
    assert_eq!(tx.commit().unwrap_err().kind(), ErrorKind::Constraint);
    assert_eq!(fresh.count("b"), 0);
}

#[test]
fn a_transaction_that_was_forgotten_is_rolled_back() {
    let fresh = Fresh::new();
    fresh.db.with_conn(|conn| conn.execute_batch("CREATE TABLE t (n); BEGIN; INSERT INTO t VALUES (1)")).unwrap();
    assert_eq!(fresh.count("t"), 0);
}

#[test]
fn a_panic_inside_with_conn_gives_the_connection_back() {
    let fresh = Fresh::new();
    let db = fresh.db.clone();
    std::thread::spawn(move || db.with_conn(|_| panic!("a bug of the application"))).join().unwrap_err();
    assert_eq!(enqueue(&fresh.queue(), "a"), 1);
}

#[test]
fn all_tx_forms_commit_together() {
    let fresh = Fresh::new();
    enqueue(&fresh.queue(), "a");
    let job = fresh.queue().claim_one("w").unwrap().unwrap();
    let stream = fresh.db.stream("t");
    let tx = fresh.db.transaction().unwrap();
    assert!(job.ack_tx(&tx).unwrap());
    stream.publish_with_key_tx(&tx, "k", &1).unwrap();
    stream.save_offset_tx(&tx, "c", 1).unwrap();
    fresh.db.notify_tx(&tx, "ch", &1).unwrap();
    assert_eq!(tx.query_row("SELECT 1 + 1", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
    tx.commit().unwrap();
    assert!(!job.ack().unwrap());
    assert_eq!((stream.get_offset("c").unwrap(), fresh.count("_honker_notifications")), (1, 1));
}

#[test]
fn the_on_forms_use_a_connection_of_the_application() {
    let fresh = Fresh::new();
    let mut conn = Connection::open(fresh.path()).unwrap();
    let error = fresh.queue().enqueue_on(&conn, "a", EnqueueOpts::default()).unwrap_err();
    assert!(error.to_string().contains("no such function"), "{error}");
    honker::install(&conn).unwrap();
    let tx = conn.transaction().unwrap();
    fresh.queue().enqueue_on(&tx, "a", EnqueueOpts::default()).unwrap();
    fresh.db.stream("t").publish_on(&tx, &1).unwrap();
    fresh.db.notify_on(&tx, "ch", &1).unwrap();
    tx.rollback().unwrap();
    assert!(fresh.queue().claim_one("w").unwrap().is_none());
}
