//! Schedule expressions, time zones and instants: for any input, parsing and searching end without a panic, and every
//! boundary found satisfies its contract.
//!
//! Input: eight bytes of an instant, one byte that chooses the zone, then the expression.

use honker_domain::clock::Instant;
use honker_domain::schedule::{self, Expression, Misfire};

const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe", // half an hour of daylight saving
    "Africa/Casablanca",   // negative daylight saving
    "Pacific/Apia",        // skipped a whole day
    "Asia/Kathmandu",
    "Antarctica/Troll",
];

/// Runs one input.
///
/// # Panics
/// A promise is broken.
pub fn run(data: &[u8]) {
    let Some((head, text)) = data.split_at_checked(9) else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let after = i64::from_le_bytes(head[..8].try_into().expect("eight bytes"));
    let zone_by_text = text.split_once('\u{1}');
    let (text, zone) = zone_by_text.unwrap_or((text, ZONES[usize::from(head[8]) % ZONES.len()]));
    let _ = Misfire::from_name(text);

    let Ok(expression) = Expression::parse(text, Some(zone)) else {
        let refused = schedule::next_after(text, Instant::from_seconds(after), Some(zone)).expect_err("was refused");
        assert_eq!(refused.code(), "HONKER_INVALID_ARGUMENT");
        return;
    };
    // Every instant that fits, and one in a realistic year.
    for after in [after, after.rem_euclid(4_102_444_800)] {
        check_boundary(&expression, after, text.trim_start().starts_with("@every"));
    }
}

/// `next_after` is later than its argument and reproducible. Unless it counts from its argument, it is the same from
/// every second in between.
fn check_boundary(expression: &Expression, after: i64, is_interval: bool) {
    let Ok(next) = expression.next_after(after) else { return };
    assert!(next > after, "{expression:?}: {next} is not after {after}");
    assert_eq!(expression.next_after(after).ok(), Some(next), "{expression:?}: after {after}, asked again");
    if let Ok(later) = expression.next_after(next) {
        assert!(later > next, "{expression:?}: {later} is not after {next}");
    }
    if is_interval {
        return;
    }
    let between = after + (next - after) / 2;
    assert_eq!(expression.next_after(between).ok(), Some(next), "{expression:?}: from {between}, after {after}");
    assert_eq!(expression.next_after(next - 1).ok(), Some(next), "{expression:?}: from the second before {next}");
}
