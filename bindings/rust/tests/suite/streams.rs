use std::time::Duration;

use honker::ErrorKind;

use crate::Fresh;

fn publish(fresh: &Fresh, count: i64) {
    for n in 1..=count {
        assert_eq!(fresh.db.stream("t").publish(&n).unwrap(), n);
    }
}

#[test]
fn the_event_at_which_a_loop_ends_comes_again() {
    let fresh = Fresh::new();
    publish(&fresh, 3);
    let stream = fresh.db.stream("t");
    for event in stream.subscribe("c").unwrap() {
        if event.unwrap().offset == 2 {
            break;
        }
    }
    assert_eq!(stream.get_offset("c").unwrap(), 1);
    let mut again = stream.subscribe("c").unwrap();
    assert_eq!(again.next().unwrap().unwrap().offset, 2);
    again.save_offset().unwrap();
    assert_eq!((again.offset(), stream.get_offset("c").unwrap()), (2, 2));
}

#[test]
fn the_offset_is_saved_at_the_distance_that_was_asked_for() {
    let fresh = Fresh::new();
    publish(&fresh, 5);
    let stream = fresh.db.stream("t");
    let mut every_two = stream.subscribe("a").unwrap().save_every(2);
    let mut never = stream.subscribe("b").unwrap().save_every(0);
    let mut saved = Vec::new();
    for _ in 0..5 {
        every_two.next().unwrap().unwrap();
        never.next().unwrap().unwrap();
        saved.push(stream.get_offset("a").unwrap());
    }
    assert_eq!(saved, [0, 0, 2, 2, 4]);
    drop(never);
    assert_eq!(stream.get_offset("b").unwrap(), 0);
}

#[test]
fn a_subscription_waits_for_the_next_event() {
    let fresh = Fresh::new();
    let mut events = fresh.db.stream("t").subscribe("c").unwrap();
    assert_eq!(events.try_next().unwrap(), None);
    let waiting = std::thread::spawn(move || events.recv_timeout(Duration::from_secs(30)).unwrap().unwrap());
    fresh.other().stream("t").publish_with_key("k", "ä€😀").unwrap();
    let event = crate::join(waiting);
    assert_eq!((event.key.as_deref(), event.payload_as::<String>().unwrap().as_str()), (Some("k"), "ä€😀"));
}

#[test]
fn a_listener_hears_its_channel_from_now_on() {
    let fresh = Fresh::new();
    fresh.db.notify("c", "before").unwrap();
    let mut listener = fresh.db.listen("c").unwrap();
    fresh.db.notify("other", "elsewhere").unwrap();
    let id = fresh.db.notify("c", "after").unwrap();
    let heard = listener.recv().unwrap().unwrap();
    assert_eq!((heard.id, heard.payload_as::<String>().unwrap().as_str()), (id, "after"));
    assert_eq!(listener.try_next().unwrap(), None);
    assert_eq!(fresh.db.prune_notifications_keep_latest(1).unwrap(), 2);
    assert_eq!(fresh.db.prune_notifications(0).unwrap(), 0);
}

#[test]
fn a_row_that_was_edited_by_hand_is_an_error_and_the_next_event_follows() {
    let fresh = Fresh::new();
    publish(&fresh, 2);
    let spoil = "UPDATE _honker_stream SET payload = x'ff' WHERE offset = 1";
    fresh.db.with_conn(|conn| conn.execute_batch(spoil)).unwrap();
    let mut events = fresh.db.stream("t").subscribe("c").unwrap();
    assert_eq!(events.next().unwrap().unwrap_err().kind(), ErrorKind::MalformedRow);
    assert_eq!(events.next().unwrap().unwrap().offset, 2);
}
