//! Replays the corpus, each input once, without a fuzzer: a panic names the file.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the corpus") {
        let file = entry.expect("a file of the corpus").path();
        let input = fs::read(&file).expect("readable");
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&input)));
        assert!(outcome.is_ok(), "{} fails, see above", file.display());
        count += 1;
    }
    assert!(count > 10, "{target} has {count} inputs");
}

#[test]
fn schedules() {
    replay("schedule", honker_fuzz::schedule::run);
}

#[test]
fn arguments() {
    replay("arguments", honker_fuzz::arguments::run);
}

#[test]
fn sql() {
    replay("sql", honker_fuzz::sql::run);
}
