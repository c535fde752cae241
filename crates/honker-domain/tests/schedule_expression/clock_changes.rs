//! Boundaries around clock changes, tested in two ways. Tables, written as local time with offset, anchor them to the
//! real world. Then every second around each clock change is walked by an oracle which knows nothing about searching:
//! it reads the wall clock, looks whether it matches, and applies the two rules for skipped and repeated wall times.

use std::ops::Range;

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::{assert_fires, at, parse, time_zone};

/// For example the documented promises for US/Eastern: 02:30 fires at 03:00, and each minute goes on at 03:00.
#[test]
fn a_skipped_wall_time_fires_at_the_first_instant_after_the_gap() {
    let eastern = "
        30 2 * * *     | 2026-03-07T12:00:00-05:00 | 2026-03-08T03:00:00-04:00 2026-03-09T02:30:00-04:00
        0 * * * * *    | 2026-03-08T01:59:59-05:00 | 2026-03-08T03:00:00-04:00 2026-03-08T03:01:00-04:00
        30 * * * *     | 2026-03-08T01:30:00-05:00 | 2026-03-08T03:00:00-04:00 2026-03-08T03:30:00-04:00
        */15 2,3 * * * | 2026-03-08T01:00:00-05:00 | 2026-03-08T03:00:00-04:00 2026-03-08T03:15:00-04:00
        59 1 * * *     | 2026-03-08T01:59:00-05:00 | 2026-03-09T01:59:00-04:00
    ";
    assert_fires("US/Eastern", eastern);
    assert_fires("Europe/Berlin", "30 2 * * * | 2026-03-28T12:00:00+01:00 | 2026-03-29T03:00:00+02:00");
    assert_fires("Australia/Lord_Howe", "15 2 * * * | 2026-10-04T00:00:00+10:30 | 2026-10-04T02:30:00+11:00");
    let santiago = "0 0 * * * | 2026-09-05T12:00:00-04:00 | 2026-09-06T01:00:00-03:00 2026-09-07T00:00:00-03:00";
    assert_fires("America/Santiago", santiago);
    assert_fires("America/Havana", "@daily | 2026-03-07T12:00:00-05:00 | 2026-03-08T01:00:00-04:00");
    // Samoa had no 30 December 2011 at all.
    let samoa = "0 12 30 12 * | 2011-12-01T00:00:00-10:00 | 2011-12-31T00:00:00+14:00 2012-12-30T12:00:00+14:00";
    assert_fires("Pacific/Apia", samoa);
}

#[test]
fn fixed_hours_fire_once_when_the_clock_repeats_them() {
    let eastern = "
        30 1 * * *   | 2026-10-31T12:00:00-04:00 | 2026-11-01T01:30:00-04:00 2026-11-02T01:30:00-05:00
        30 1 * * *   | 2026-11-01T01:30:00-04:00 | 2026-11-02T01:30:00-05:00
        30 1 * * *   | 2026-11-01T01:59:59-04:00 | 2026-11-02T01:30:00-05:00
        30 1 * * *   | 2026-11-01T01:00:00-05:00 | 2026-11-02T01:30:00-05:00
        30 1 * * *   | 2026-11-01T01:29:59-05:00 | 2026-11-02T01:30:00-05:00
        30 1 * * *   | 2026-11-01T01:45:00-05:00 | 2026-11-02T01:30:00-05:00
        30 1-2 * * * | 2026-11-01T01:29:59-05:00 | 2026-11-01T02:30:00-05:00
    ";
    assert_fires("US/Eastern", eastern);
    let berlin = "30 2 * * * | 2026-10-24T12:00:00+02:00 | 2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00";
    assert_fires("Europe/Berlin", berlin);
    let lord_howe = "45 1 * * * | 2026-04-04T12:00:00+11:00 | 2026-04-05T01:45:00+11:00 2026-04-06T01:45:00+10:30";
    assert_fires("Australia/Lord_Howe", lord_howe);
    let santiago = "
        30 23 * * * | 2026-04-04T12:00:00-03:00 | 2026-04-04T23:30:00-03:00 2026-04-05T23:30:00-04:00
        0 0 * * *   | 2026-04-04T12:00:00-03:00 | 2026-04-05T00:00:00-04:00 2026-04-06T00:00:00-04:00
    ";
    assert_fires("America/Santiago", santiago);
}

#[test]
fn running_through_the_hours_goes_on_when_the_clock_repeats_one() {
    let eastern = "
        */15 * * * *      | 2026-11-01T01:30:00-04:00 | 2026-11-01T01:45:00-04:00 2026-11-01T01:00:00-05:00
        */15 0-23 * * *   | 2026-11-01T01:30:00-04:00 | 2026-11-01T01:45:00-04:00 2026-11-01T01:00:00-05:00
        */15 1-23/2 * * * | 2026-11-01T01:30:00-04:00 | 2026-11-01T01:45:00-04:00 2026-11-01T01:00:00-05:00
        @hourly           | 2026-11-01T00:59:59-04:00 | 2026-11-01T01:00:00-04:00 2026-11-01T01:00:00-05:00
        @hourly           | 2026-11-01T01:00:00-05:00 | 2026-11-01T02:00:00-05:00
        * * * * *         | 2026-11-01T01:58:00-04:00 | 2026-11-01T01:59:00-04:00 2026-11-01T01:00:00-05:00
        * * * * *         | 2026-11-01T01:59:00-05:00 | 2026-11-01T02:00:00-05:00
        0 * * * * *       | 2026-11-01T01:59:59-04:00 | 2026-11-01T01:00:00-05:00
    ";
    assert_fires("US/Eastern", eastern);
    let lord_howe = "
        45 * * * * | 2026-04-05T01:00:00+11:00 | 2026-04-05T01:45:00+11:00 2026-04-05T01:45:00+10:30
        45 * * * * | 2026-04-05T01:45:00+10:30 | 2026-04-05T02:45:00+10:30
    ";
    assert_fires("Australia/Lord_Howe", lord_howe);
}

/// Whether `time` matches, written by hand for each expression; the last column tells whether it fires in both passes.
type Case = (&'static str, fn(DateTime) -> bool, bool);

const CASES: [Case; 14] = [
    ("* * * * *", |t| t.second() == 0, true),
    ("0 * * * * *", |t| t.second() == 0, true),
    ("* * * * * *", |_| true, true),
    ("*/7 * * * * *", |t| t.second() % 7 == 0, true),
    ("*/15 * * * *", |t| t.minute() % 15 == 0 && t.second() == 0, true),
    ("30 * * * *", |t| t.minute() == 30 && t.second() == 0, true),
    ("15 */2 * * *", |t| t.hour() % 2 == 0 && is_at(t, 15), true),
    ("30 1 * * *", |t| t.hour() == 1 && is_at(t, 30), false),
    ("45 2 * * *", |t| t.hour() == 2 && is_at(t, 45), false),
    ("0 0 * * *", |t| t.hour() == 0 && is_at(t, 0), false),
    ("*/20 23,0,1 * * *", |t| [23, 0, 1].contains(&t.hour()) && t.minute() % 20 == 0 && t.second() == 0, false),
    ("*/9 50-59 1-3 * * *", |t| (1..=3).contains(&t.hour()) && t.minute() >= 50 && t.second() % 9 == 0, false),
    ("* * 1,2,23 * * SUN", |t| [1, 2, 23].contains(&t.hour()) && t.weekday() == Weekday::Sunday, false),
    ("5 * 1-15 * SAT", |t| (t.day() <= 15 || t.weekday() == Weekday::Saturday) && is_at(t, 5), true),
];

fn is_at(time: DateTime, minute: i8) -> bool {
    time.minute() == minute && time.second() == 0
}

/// Every instant in `range` at which a case fires, by looking at the wall clock second after second.
fn oracle((_, matches, both): Case, zone: &TimeZone, range: Range<i64>) -> Vec<i64> {
    let wall_at = |second: i64| zone.to_datetime(Timestamp::from_second(second).expect("in range"));
    let mut latest = wall_at(range.start - 1);
    let mut fires = Vec::new();
    for second in range {
        let wall = wall_at(second);
        let is_first_pass = wall > latest;
        let mut fires_now = matches(wall) && (both || is_first_pass);
        let mut skipped = latest + 1.second();
        while skipped < wall {
            fires_now |= matches(skipped);
            skipped += 1.second();
        }
        if fires_now {
            fires.push(second);
        }
        latest = latest.max(wall);
    }
    fires
}

/// The clock changes of 2026, or midyear for a zone without any.
pub fn changes(zone: &TimeZone) -> Vec<i64> {
    let new_year = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
    let found: Vec<i64> = zone.following(new_year).take(2).map(|change| change.timestamp().as_second()).collect();
    if found.is_empty() { vec![at("2026-07-01T00:00:00Z")] } else { found }
}

/// Zones whose clocks change by an hour at night, by half an hour, at midnight, and never.
pub const ZONES: [&str; 7] =
    ["US/Eastern", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "America/Havana", "Asia/Kolkata", "UTC"];

#[test]
fn boundaries_around_clock_changes_agree_with_a_walk_over_every_second() {
    for zone_name in ZONES {
        let zone = time_zone(zone_name);
        for change in changes(&zone) {
            for case in CASES {
                compare_with_oracle(case, zone_name, change - 3 * 3_600..change + 3 * 3_600);
            }
        }
    }
}

fn compare_with_oracle(case: Case, zone_name: &str, range: Range<i64>) {
    let zone = time_zone(zone_name);
    let expression = parse(case.0, zone_name);
    let context = format!("{} in {zone_name} around {}", case.0, range.start);
    let expected = oracle(case, &zone, range.clone());
    let mut found = Vec::new();
    let mut last = range.start - 1;
    loop {
        let next = expression.next_after(last).expect("a boundary");
        assert!(next > last, "{context}: {next} is not after {last}");
        if next >= range.end {
            break;
        }
        found.push(next);
        last = next;
    }
    assert_eq!(found, expected, "{context}");
    for after in (range.start - 1..range.end).step_by(37) {
        let index = expected.partition_point(|fire| *fire <= after);
        let next = expression.next_after(after).expect("a boundary");
        match expected.get(index) {
            Some(fire) => assert_eq!(next, *fire, "{context} after {after}"),
            None => assert!(next >= range.end, "{context} after {after}: {next}"),
        }
    }
}
