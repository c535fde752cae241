use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use honker_core::{Error, Readers, Writer};

use crate::{File, notify};

const MOMENT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(10);

#[test]
fn the_writer_goes_from_one_caller_to_the_next() {
    let file = File::new();
    let writer = Arc::new(Writer::new(file.open()));
    let conn = writer.acquire().unwrap();
    let (sender, second) = channel();
    let waiting = thread::spawn({
        let writer = Arc::clone(&writer);
        move || sender.send(writer.acquire().map(|conn| notify(&conn)))
    });
    assert!(second.recv_timeout(MOMENT).is_err(), "the connection is lent");
    writer.release(conn);
    assert_eq!(second.recv_timeout(LONG).unwrap(), Some(1));
    waiting.join().unwrap().unwrap();
}

#[test]
fn closing_the_writer_ends_waits_and_closes_a_lent_connection_when_it_comes_back() {
    let file = File::new();
    let writer = Arc::new(Writer::new(file.open()));
    let conn = writer.acquire().unwrap();
    let waiting = thread::spawn({
        let writer = Arc::clone(&writer);
        move || writer.acquire().is_none()
    });
    writer.close();
    writer.close();
    assert!(waiting.join().unwrap());
    writer.release(conn);
    assert!(writer.try_acquire().is_none());
}

#[test]
fn a_transaction_that_was_left_open_is_rolled_back() {
    let file = File::new();
    let writer = Writer::new(file.open());
    let conn = writer.acquire().unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    notify(&conn);
    writer.release(conn);
    let conn = writer.try_acquire().unwrap();
    assert!(conn.is_autocommit());
    assert_eq!(notify(&conn), 1);
}

#[test]
fn no_more_than_max_readers_are_lent() {
    let file = File::new();
    notify(&file.open());
    let readers = Arc::new(Readers::new(file.text().to_owned(), 2));
    let (first, _second) = (readers.acquire().unwrap(), readers.acquire().unwrap());
    let (sender, third) = channel();
    let waiting = thread::spawn({
        let readers = Arc::clone(&readers);
        move || sender.send(readers.acquire().is_ok())
    });
    assert!(third.recv_timeout(MOMENT).is_err(), "two of two are lent");
    readers.release(first);
    assert!(third.recv_timeout(LONG).unwrap());
    waiting.join().unwrap().unwrap();
}

#[test]
fn a_failed_open_takes_no_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later").join("app.db");
    let readers = Readers::new(path.to_str().unwrap().to_owned(), 1);
    for _ in 0..3 {
        assert!(matches!(readers.acquire(), Err(Error::Sqlite(_))));
    }
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let conn = readers.acquire().unwrap();
    readers.release(conn);
}

#[test]
fn closed_readers_give_an_error() {
    let file = File::new();
    let readers = Readers::new(file.text().to_owned(), 0);
    let conn = readers.acquire().unwrap();
    readers.close();
    readers.close();
    readers.release(conn);
    assert!(matches!(readers.acquire(), Err(Error::Closed)));
}
