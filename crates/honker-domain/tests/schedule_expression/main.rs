//! Schedule expressions: which are accepted, and when they fire.
//!
//! Tables are text, one case per line, because that is how they are read; columns are separated by ` | `.

mod clock_changes;
mod hostile;
mod process_zone;

use honker_domain::schedule::{Expression, ExpressionError};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

fn parse(expression: &str, time_zone: &str) -> Expression {
    Expression::parse(expression, Some(time_zone)).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(expression: &str) -> String {
    match Expression::parse(expression, Some("UTC")) {
        Ok(_) => panic!("{expression:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

/// A zone by the rules compiled in: some systems lack the old names.
fn time_zone(name: &str) -> TimeZone {
    let zone = TimeZoneDatabase::bundled().get(name);
    zone.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Unix seconds of a local time with offset, such as `2026-03-08T03:00:00-04:00`.
fn at(text: &str) -> i64 {
    let timestamp = text.parse::<Timestamp>();
    timestamp.unwrap_or_else(|error| panic!("{text}: {error}")).as_second()
}

fn boundaries(expression: &Expression, after: i64, count: usize) -> Vec<i64> {
    let mut last = after;
    let mut next = || {
        last = expression.next_after(last).unwrap_or_else(|error| panic!("{error}"));
        last
    };
    (0..count).map(|_| next()).collect()
}

fn rows<const COLUMNS: usize>(table: &str) -> impl Iterator<Item = [&str; COLUMNS]> {
    table.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| {
        let columns: Vec<&str> = line.split(" | ").map(str::trim).collect();
        columns.try_into().unwrap_or_else(|_| panic!("{line}: not {COLUMNS} columns"))
    })
}

/// Asserts for each row the boundaries that follow an instant.
fn assert_fires(zone: &str, table: &str) {
    for [expression, after, fires] in rows(table) {
        let expected: Vec<i64> = fires.split_whitespace().map(at).collect();
        let found = boundaries(&parse(expression, zone), at(after), expected.len());
        let readable = |instants: &[i64]| -> Vec<String> {
            let zone = time_zone(zone);
            let local = |second| Timestamp::from_second(second).expect("in range").to_zoned(zone.clone());
            instants.iter().map(|instant| local(*instant).to_string()).collect()
        };
        assert_eq!(readable(&found), readable(&expected), "{expression} in {zone} after {after}");
    }
}

#[test]
fn expressions_fire_at_the_boundaries_of_the_table() {
    assert_fires(
        "UTC",
        r"
        * * * * *            | 2026-01-01T00:00:00Z | 2026-01-01T00:01:00Z 2026-01-01T00:02:00Z
        * * * * * *          | 2026-01-01T00:00:00Z | 2026-01-01T00:00:01Z 2026-01-01T00:00:02Z
        */20 * * * * *       | 2026-01-01T00:00:41Z | 2026-01-01T00:01:00Z 2026-01-01T00:01:20Z
        0 9 * * 1-5          | 2026-01-02T09:00:00Z | 2026-01-05T09:00:00Z 2026-01-06T09:00:00Z
        0 9 * * mon-FRI      | 2026-01-02T09:00:00Z | 2026-01-05T09:00:00Z 2026-01-06T09:00:00Z
        5,10-12,*/30 3 * * * | 2026-01-02T03:00:00Z | 2026-01-02T03:05:00Z 2026-01-02T03:10:00Z
        10-30/10 3 * * *     | 2026-01-02T03:20:00Z | 2026-01-02T03:30:00Z 2026-01-03T03:10:00Z
        0 0 29 2 *           | 2096-02-29T00:00:00Z | 2104-02-29T00:00:00Z 2108-02-29T00:00:00Z
        0 0 1 jan,JUL *      | 2026-01-01T00:00:00Z | 2026-07-01T00:00:00Z 2027-01-01T00:00:00Z
        0 0 * * 7            | 2026-01-01T00:00:00Z | 2026-01-04T00:00:00Z 2026-01-11T00:00:00Z
        0 0 * * SUN-SUN      | 2026-01-01T00:00:00Z | 2026-01-04T00:00:00Z 2026-01-11T00:00:00Z
        0 0 * * FRI-SUN      | 2026-01-04T00:00:00Z | 2026-01-09T00:00:00Z 2026-01-10T00:00:00Z
        0 0 * * 5-7          | 2026-01-10T00:00:00Z | 2026-01-11T00:00:00Z 2026-01-16T00:00:00Z
        0 0 L * *            | 2026-01-31T00:00:00Z | 2026-02-28T00:00:00Z 2026-03-31T00:00:00Z
        0 0 LW * *           | 2026-01-31T00:00:00Z | 2026-02-27T00:00:00Z 2026-03-31T00:00:00Z
        0 0 15w * *          | 2026-02-01T00:00:00Z | 2026-02-16T00:00:00Z 2026-03-16T00:00:00Z
        0 0 * * 5#2          | 2026-01-01T00:00:00Z | 2026-01-09T00:00:00Z 2026-02-13T00:00:00Z
        0 0 * * FRI#L        | 2026-01-01T00:00:00Z | 2026-01-30T00:00:00Z 2026-02-27T00:00:00Z
        0 0 * * friL         | 2026-01-01T00:00:00Z | 2026-01-30T00:00:00Z 2026-02-27T00:00:00Z
        0 0 * * 7L           | 2026-01-01T00:00:00Z | 2026-01-25T00:00:00Z 2026-02-22T00:00:00Z
        0 0 * * 7#L          | 2026-01-01T00:00:00Z | 2026-01-25T00:00:00Z 2026-02-22T00:00:00Z
        0 0 ? * 1            | 2026-01-01T00:00:00Z | 2026-01-05T00:00:00Z 2026-01-12T00:00:00Z
        @hourly              | 2026-01-01T00:00:00Z | 2026-01-01T01:00:00Z 2026-01-01T02:00:00Z
        @daily               | 2026-01-01T00:00:00Z | 2026-01-02T00:00:00Z 2026-01-03T00:00:00Z
        @midnight            | 2026-01-01T00:00:00Z | 2026-01-02T00:00:00Z 2026-01-03T00:00:00Z
        @weekly              | 2026-01-01T00:00:00Z | 2026-01-04T00:00:00Z 2026-01-11T00:00:00Z
        @monthly             | 2026-01-01T00:00:00Z | 2026-02-01T00:00:00Z 2026-03-01T00:00:00Z
        @yearly              | 2026-01-01T00:00:00Z | 2027-01-01T00:00:00Z 2028-01-01T00:00:00Z
        @Annually            | 2026-01-01T00:00:00Z | 2027-01-01T00:00:00Z 2028-01-01T00:00:00Z
        * * * * *            | 1969-12-31T23:58:30Z | 1969-12-31T23:59:00Z 1970-01-01T00:00:00Z
        ",
    );
}

/// Both day fields restricted: either is enough. One of them begins with `*`, or day-of-week with `+`: both.
#[test]
fn day_fields_follow_the_rule_of_vixie_cron() {
    let table = "
        0 0 13 * 5    | 2026-01-02 2026-01-09 2026-01-13 2026-01-16
        0 0 13 * FRI  | 2026-01-02 2026-01-09 2026-01-13 2026-01-16
        0 0 13 * +FRI | 2026-02-13 2026-03-13 2026-11-13
        0 0 13 * +5   | 2026-02-13 2026-03-13 2026-11-13
        0 0 */2 * MON | 2026-01-05 2026-01-19 2026-02-09
        0 0 */2 * 1-7 | 2026-01-03 2026-01-05 2026-01-07
        0 0 1-7 * */3 | 2026-01-03 2026-01-04 2026-01-07
        0 0 *,5 * 1   | 2026-01-05 2026-01-12
        0 0 1 * ?     | 2026-02-01 2026-03-01
        0 0 1,15 * *  | 2026-01-15 2026-02-01
    ";
    for [expression, days] in rows(table) {
        let expected: Vec<i64> = days.split_whitespace().map(|day| at(&format!("{day}T00:00:00Z"))).collect();
        let found = boundaries(&parse(expression, "UTC"), at("2026-01-01T00:00:00Z"), expected.len());
        assert_eq!(found, expected, "{expression}");
    }
}

/// Rows written before this parser may contain the forms on the left.
#[test]
fn forms_that_older_rows_may_have_keep_their_meaning() {
    let table = "
        +5 * * * *          | 5 * * * *
        +5-+9 +3 * * *      | 5-9 3 * * *
        007 * * * *         | 7 * * * *
        *,5 * * * *         | * * * * *
        */60 * * * *        | 0 * * * *
        */100000 * * * *    | 0 * * * *
        30-59/65536 * * * * | 30 * * * *
        * * * * +5          | * * * * 5
        0 0 * * */7         | 0 0 * * 0
        */1 */1 */1 */1 */1 | * * * * *
    ";
    for [old, plain] in rows(table) {
        let after = at("2026-01-01T12:34:56Z");
        let expected = boundaries(&parse(plain, "UTC"), after, 50);
        assert_eq!(boundaries(&parse(old, "UTC"), after, 50), expected, "{old}");
    }
}

#[test]
fn an_interval_counts_from_the_given_instant() {
    let table = [
        ("@every 1s", 1),
        ("@every5s", 5),
        ("  @every  \t 10m ", 600),
        ("@every 2h", 7_200),
        ("@every 1d", 86_400),
        ("@every 007s", 7),
    ];
    for (expression, seconds) in table {
        for after in [0, 1_800_000_123, -5, i64::MIN] {
            assert_eq!(parse(expression, "UTC").next_after(after), Ok(after + seconds), "{expression}");
        }
    }
    let longest = parse("@every 9223372036854775807s", "UTC");
    assert_eq!(longest.next_after(0), Ok(i64::MAX));
    let error = longest.next_after(1).expect_err("the sum overflows");
    assert!(matches!(error, ExpressionError::OutOfRange { after: 1, .. }), "{error}");
}

#[test]
fn an_interval_of_another_form_is_refused() {
    let expressions = "@every|@every |@every 5|@every s|@every 0s|@every -5s|@every +5s|@every 5 s|@every 1.5h|\
        @every 1m30s|@every 5S|@every 5ms|@every 5w|@EVERY 5s|@Every 5s|@every 5s 5s|@every 9223372036854775808s|\
        @every 9223372036854775807m|@every 106751991167301d|@every \u{665}s|@every 5\u{e9}";
    for expression in expressions.split('|') {
        assert!(refusal(expression).contains("is not valid"), "{expression}");
    }
}

#[test]
fn a_refusal_says_what_is_wrong_and_what_is_accepted() {
    let table = r#"
        * * * *             | it has 4 fields instead of 5 or 6
        * * * * * * *       | it has 7 fields instead of 5 or 6
        0 0 0 1 1 * 2030    | it has 7 fields instead of 5 or 6
        60 * * * *          | in the minute field "60", 60 is not in the range 0-59
        * 24 * * *          | in the hour field "24", 24 is not in the range 0-23
        0 0 0 * *           | in the day-of-month field "0", 0 is not in the range 1-31
        0 0 * 13 *          | in the month field "13", 13 is not in the range 1-12
        0 0 * * 8           | in the day-of-week field "8", 8 is not in the range 0-7
        60 0 0 * * *        | in the second field "60", 60 is not in the range 0-59
        1,,2 * * * *        | in the minute field "1,,2", its list has an empty item
        , * * * *           | in the minute field ",", its list has an empty item
        1, * * * *          | in the minute field "1,", its list has an empty item
        30-10 * * * *       | in the minute field "30-10", range out of bounds
        0 0 * * FRI-MON     | in the day-of-week field "FRI-MON", range out of bounds
        */0 * * * *         | in the minute field "*/0", step cannot be zero
        */x * * * *         | in the minute field "*/x", the step "x" is not a whole number
        5/15 * * * *        | in the minute field "5/15", "5/15" is ambiguous, write "5-59/15" or "5"
        /15 * * * *         | in the minute field "/15", a number is missing
        1-2-3 * * * *       | in the minute field "1-2-3", invalid range syntax
        -5 * * * *          | in the minute field "-5", a number is missing
        0 MON * * *         | in the hour field "MON", "MON" is neither a number nor a name of this field
        0 0 * JANFEB *      | "JANFEB" is neither a number nor a name of this field
        0 0 * * MONDAY      | "MONDAY" is neither a number nor a name of this field
        0 0 * * ſUN         | "ſUN" is neither a number nor a name of this field
        0 0 * * L           | in the day-of-week field "L", a number is missing
        0 0 * * 5#0         | in the day-of-week field "5#0", nth specifier out of bounds
        0 0 * * 5#6         | in the day-of-week field "5#6", nth specifier out of bounds
        0 0 * * 5#MON       | "MON" after # is neither a number nor L
        0 0 * * 1-5L        | L in "1-5L" takes one weekday
        0 0 L,LW * *        | in the day-of-month field "L,LW", L and LW exclude each other
        99999999999 * * * * | 99999999999 is not in the range 0-59
        0 0 15WL * *        | "15WL" is neither a number nor a name of this field
        0 0 32W * *         | "32W" is neither a number nor a name of this field
        0 L * * *           | "L" is neither a number nor a name of this field
        ? * * * *           | "?" is neither a number nor a name of this field
        @reboot             | the nickname is unknown
        @daily 5            | the nickname is unknown
        5 @daily            | it has 2 fields instead of 5 or 6
        @every 5x           | it does not end in one of the units s, m, h or d
        @every 0s           | the count must be at least 1
        @every 1.5h         | "1.5" is not a whole number
    "#;
    for [expression, reason] in rows(table) {
        let message = refusal(expression);
        let shown = format!("schedule expression {expression:?} is not valid: ");
        assert!(message.starts_with(&shown), "{message}");
        assert!(message.contains(reason), "{message}\nlacks: {reason}");
        assert!(message.ends_with("(@every 30s)"), "{message}");
    }
    assert!(refusal(" \n").contains("it has 0 fields instead of 5 or 6"));
}

#[test]
fn an_expression_that_never_matches_is_refused_at_once() {
    for expression in ["0 0 31 2 *", "0 0 30 FEB *", "* * * 31 4,6,9,11 *", "0 0 31 2 +MON", "0 0 1-7 * +1#2"] {
        assert_eq!(
            refusal(expression),
            format!(
                "schedule expression {expression:?} matches no date within 100 years; use a day that its month has"
            )
        );
    }
    // The rarest that does match: 29 February on a Monday, across the year 2100 which has none.
    assert_fires("UTC", "0 0 29 2 +MON | 2072-03-01T00:00:00Z | 2112-02-29T00:00:00Z");
}

#[test]
fn the_length_of_an_expression_is_limited() {
    let list = |count: usize| format!("{} * * * *", vec!["10"; count].join(","));
    assert!(list(82).len() <= 255);
    parse(&list(82), "UTC");
    parse(&format!("{}* * * * *{}", " ".repeat(10_000), "\n".repeat(10_000)), "UTC");
    assert_eq!(refusal(&list(1_000)), "schedule expression has 3007 bytes; at most 255 are accepted");
}

#[test]
fn an_unknown_time_zone_is_refused() {
    for name in
        ["Mars/Olympus", "../../etc/passwd", "/etc/localtime", " ", "CET\0", "Etc/Unknown", "zone.tab", "+02:00"]
    {
        let error = Expression::parse("* * * * *", Some(name)).expect_err(name);
        let expected = format!("schedule expression \"* * * * *\" has the unknown time zone {name:?}; accepted are ");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
    let error = Expression::parse("@every 5s", Some(&"x".repeat(1_000_000))).expect_err("an absurd name");
    assert!(error.to_string().len() < 1_000);
}
