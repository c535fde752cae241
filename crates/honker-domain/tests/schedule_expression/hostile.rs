//! Input meant to break things: texts of all kinds, and instants at the ends of time.

use honker_domain::schedule::{Expression, ExpressionError};

use super::clock_changes::{ZONES, changes};
use super::{at, parse, time_zone};

#[test]
fn starting_points_out_of_range_are_an_error() {
    for (expression, zone) in [("* * * * *", "UTC"), ("30 2 29 2 *", "US/Eastern"), ("0 0 1 1 *", "Asia/Kolkata")] {
        let expression = parse(expression, zone);
        for after in [i64::MIN, i64::MIN + 1, -377_705_116_800, -377_705_023_201, -62_167_219_201] {
            let error = expression.next_after(after).expect_err("before the year 1");
            assert!(matches!(error, ExpressionError::OutOfRange { .. }), "{error}");
        }
        for after in [at("4900-01-02T00:00:00Z"), 253_402_207_200, 253_402_207_201, i64::MAX - 1, i64::MAX] {
            let error = expression.next_after(after).expect_err("after the year 4899");
            assert!(error.to_string().contains("accepted for cron are the years 1 to 4899"), "{error}");
        }
        assert!(expression.next_after(at("4899-12-30T00:00:00Z")).is_ok());
        assert!(expression.next_after(at("0001-01-03T00:00:00Z")).is_ok());
    }
}

/// Deterministic numbers: a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("smaller than limit")
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }
}

/// Parts of fields, valid and not.
const FRAGMENTS: &str = "* * * ? 0 1 5 7 12 23 31 59 60 99999 4294967296 - , / # + L W LW 15W 5L MON sun JAN @every \
    @daily s m */2 1-5 */15 1-31/3 FRI#2 \u{e9} \u{17f} \0 \u{130} \u{df} \u{1f600} 0-0 +MON \u{665}";

const VALID: [&str; 6] = [
    "*/5 1-6/2 L,15W JAN-MAR,7 MON#2",
    "0 30 9,17 1-31/3 * sun-FRI,6L",
    "59 23 31 12 +5#L",
    "@daily",
    "@every 30m",
    "",
];

/// Valid texts with a few fragments put in and characters taken out, so that some are accepted and reach the search.
#[test]
fn no_text_makes_the_parser_panic_or_hang() {
    let fragments: Vec<&str> = FRAGMENTS.split(' ').collect();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut text: Vec<char> = random.pick(&VALID).chars().collect();
        for _ in 0..=random.below(6) {
            let start = random.below(text.len() + 1);
            let end = text.len().min(start + random.below(3));
            let is_space = random.below(2) == 0;
            let fragment = if is_space { " " } else { random.pick(&fragments) };
            text.splice(start..end, fragment.chars());
        }
        accepted += usize::from(exercise(&String::from_iter(text), &mut random));
    }
    assert!(accepted > 500, "only {accepted} texts were accepted, so little was tested");
}

/// Expressions of well-formed fields are mostly accepted, and reach the search.
#[test]
fn boundaries_of_random_expressions_ascend() {
    let time_fields = ["*", "*/7", "0", "5,17", "1-20/3", "2", "3", "*/2", "0-3"];
    let mut random = Random(42);
    let mut accepted = 0;
    for _ in 0..2_000 {
        let mut fields = vec![];
        for _ in 0..2 + random.below(2) {
            fields.push(random.pick(&time_fields));
        }
        fields.push(random.pick(&["*", "*", "1", "L", "LW", "29", "31", "15W", "*/2", "1-7"]));
        fields.push(random.pick(&["*", "*", "2", "3", "NOV", "*/3", "2,4"]));
        fields.push(random.pick(&["*", "*", "SUN", "1-5", "7", "5#5", "1L", "+MON", "*/2"]));
        accepted += usize::from(exercise(&fields.join(" "), &mut random));
    }
    assert!(accepted > 1_500, "only {accepted} expressions were accepted");
}

/// Parses `text`, and if that succeeds checks the order of some boundaries; returns whether it was accepted.
fn exercise(text: &str, random: &mut Random) -> bool {
    let zone = random.pick(&ZONES);
    let Ok(expression) = Expression::parse(text, Some(zone)) else {
        return false;
    };
    for after in [i64::MIN, -62_135_596_800, 95_617_584_000, i64::MAX] {
        if let Ok(next) = expression.next_after(after) {
            assert!(next > after, "{text:?} in {zone} after {after}");
        }
    }
    // Starting points near the clock changes of some year.
    let change = changes(&time_zone(zone))[0];
    let mut last = i64::MIN;
    for step in 0_i64..8 {
        let after = change - 5_400 + step * 1_501;
        let next = expression.next_after(after).unwrap_or_else(|error| panic!("{error}"));
        assert!(next > after && next >= last, "{text:?} in {zone} after {after}");
        last = next;
    }
    true
}
