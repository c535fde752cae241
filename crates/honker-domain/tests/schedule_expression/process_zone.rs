//! The environment belongs to the whole process, so these run in a process of their own.

use std::process::Command;

use super::{at, boundaries};
use honker_domain::schedule::Expression;

const CHILD: &str = "process_zone::child";

fn noon_in_child(variable: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().expect("the path of this test"));
    command.args(["--exact", CHILD, "--ignored", "--nocapture", "--test-threads=1"]).env_remove("TZ");
    if let Some(variable) = variable {
        command.env("TZ", variable);
    }
    let output = command.output().expect("the child runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find_map(|line| line.split_once("noon: "));
    line.expect("a line with the answer").1.to_owned()
}

#[test]
fn is_taken_from_the_tz_variable() {
    let table = [
        ("Europe/Berlin", at("2026-07-01T12:00:00+02:00")),
        (":Europe/Berlin", at("2026-07-01T12:00:00+02:00")),
        ("US/Eastern", at("2026-07-01T12:00:00-04:00")),
        ("EST5EDT,M3.2.0,M11.1.0", at("2026-07-01T12:00:00-04:00")),
        ("<+03>-3", at("2026-07-01T12:00:00+03:00")),
        ("", at("2026-07-01T12:00:00Z")),
    ];
    for (variable, expected) in table {
        assert_eq!(noon_in_child(Some(variable)), expected.to_string(), "TZ={variable}");
    }
}

#[test]
fn is_the_zone_of_the_system_without_a_tz_variable() {
    assert!(noon_in_child(None).parse::<i64>().is_ok());
}

#[test]
fn is_an_error_when_the_tz_variable_names_no_zone() {
    let message = noon_in_child(Some("Mars/Olympus"));
    assert!(message.contains("whose TZ variable \"Mars/Olympus\" is no time zone"), "{message}");
}

#[expect(clippy::print_stdout, reason = "the parent test reads it")]
#[test]
#[ignore = "started by its neighbours with TZ set"]
fn child() {
    let expression = Expression::parse("0 12 * * *", None).expect("a valid expression");
    let midnight = at("2026-07-01T00:00:00Z");
    match expression.next_after(midnight) {
        Ok(noon) => println!("noon: {noon}"),
        Err(error) => println!("noon: {error}"),
    }
    // The same expression follows a change of TZ from the next call on.
    for (zone, expected) in [("Asia/Kolkata", "2026-07-01T12:00:00+05:30"), ("UTC", "2026-07-01T12:00:00Z")] {
        // SAFETY: this process runs this test only, and the test harness reads no environment meanwhile.
        unsafe { std::env::set_var("TZ", zone) };
        assert_eq!(boundaries(&expression, midnight, 1), [at(expected)], "TZ={zone}");
    }
}
