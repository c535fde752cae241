//! The inputs that fuzzing has found worth keeping, each once, without a fuzzer: a panic names the member of the archive.
//!
//! `corpus.py` adds members to the archive and describes it. An archive of tar is read here by hand: a block of 512
//! bytes with the name and the octal size, then the content in whole blocks.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

const BLOCK: usize = 512;

struct Member {
    name: String,
    content: Vec<u8>,
}

fn members() -> Vec<Member> {
    let archive = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus.tar")).expect("the corpus");
    let mut found = Vec::new();
    let mut rest = archive.as_slice();
    // The archive ends with blocks of zeros.
    while let Some((header, after)) = rest.split_at_checked(BLOCK).filter(|(header, _)| header[0] != 0) {
        let size = usize::from_str_radix(text(&header[124..136]), 8).expect("an octal size");
        found.push(Member { name: text(&header[..100]).to_owned(), content: after[..size].to_vec() });
        rest = &after[size.next_multiple_of(BLOCK)..];
    }
    found
}

/// A field of the header, which ends with zeros or a space.
fn text(field: &[u8]) -> &str {
    std::str::from_utf8(field).expect("ASCII").trim_end_matches(['\0', ' '])
}

fn replay(target: &str, run: fn(&[u8])) {
    let mut count = 0;
    for Member { name, content } in members() {
        if name.split_once('/').is_some_and(|(folder, _)| folder == target) {
            let outcome = catch_unwind(AssertUnwindSafe(|| run(&content)));
            assert!(outcome.is_ok(), "{name} fails, see above; to see it: tar -xOf fuzz/corpus.tar {name}");
            count += 1;
        }
    }
    println!("{target}: {count} inputs");
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

#[test]
fn each_member_is_an_input_of_a_target() {
    for Member { name, .. } in members() {
        let target = name.split_once('/').map(|(folder, _)| folder);
        assert!(matches!(target, Some("schedule" | "arguments" | "sql")), "{name} is replayed by no test");
    }
}
