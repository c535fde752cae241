use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use honker::{ErrorKind, ScheduleUpdate, ScheduledTask, Stop};
use serde_json::json;

use crate::{Fresh, join, wait_until};

fn often() -> ScheduledTask {
    ScheduledTask::cron("often", "q", "@every 1s", json!({"n": 1}))
}

#[test]
fn a_schedule_is_listed_changed_and_removed() {
    let fresh = Fresh::new();
    let scheduler = fresh.db.scheduler();
    assert_eq!(scheduler.soonest().unwrap(), 0);
    scheduler.add(ScheduledTask { expires_s: Some(60), ..often() }).unwrap();
    assert!(!scheduler.update("often", ScheduleUpdate::default()).unwrap());
    let update = ScheduleUpdate { cron_expr: Some("@hourly".into()), expires_s: Some(None), ..Default::default() };
    assert!(scheduler.update("often", update).unwrap());
    assert!(scheduler.update_max_attempts("often", 9).unwrap());
    let row = scheduler.list().unwrap().pop().unwrap();
    assert_eq!((row.cron_expr.as_str(), row.expires_s, row.max_attempts, row.enabled), ("@hourly", None, 9, true));
    assert_eq!(scheduler.soonest().unwrap(), row.next_fire_at);
    assert_eq!((scheduler.remove("often").unwrap(), scheduler.remove("often").unwrap()), (1, 0));
    let bad = ScheduledTask::cron("bad", "q", "61 * * * *", json!(null));
    assert_eq!(scheduler.add(bad).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_running_scheduler_fires_and_the_standby_takes_over() {
    let fresh = Fresh::new();
    let scheduler = fresh.db.scheduler();
    scheduler.add(often()).unwrap();
    let run = |owner: &'static str| {
        let (scheduler, stop) = (fresh.other().scheduler(), Stop::new());
        let for_thread = stop.clone();
        (std::thread::spawn(move || scheduler.run(for_thread, owner)), stop)
    };
    let owner_is = |owner: &str| {
        let sql = "SELECT count(*) FROM _honker_locks WHERE owner = ?1";
        fresh.db.with_conn(|conn| conn.query_row(sql, [owner], |row| row.get::<_, i64>(0))).unwrap() == 1
    };
    let (first, stop_first) = run("a");
    wait_until(|| owner_is("a"));
    let (second, stop_second) = run("b");
    let waker = fresh.queue().claim_waker();
    waker.next("w").unwrap().unwrap().ack().unwrap();
    stop_first.stop();
    join(first).unwrap();
    wait_until(|| owner_is("b"));
    waker.next("w").unwrap().unwrap().ack().unwrap();
    stop_second.stop();
    join(second).unwrap();
    assert_eq!(fresh.count("_honker_locks"), 0);
}

#[test]
fn a_flag_stops_a_scheduler_without_schedules() {
    let fresh = Fresh::new();
    let stop = Arc::new(AtomicBool::new(false));
    let (scheduler, for_thread) = (fresh.db.scheduler(), Arc::clone(&stop));
    let running = std::thread::spawn(move || scheduler.run(for_thread, "a"));
    wait_until(|| fresh.count("_honker_locks") == 1);
    stop.store(true, Ordering::SeqCst);
    join(running).unwrap();
}
