//! The fuzzed operations as functions of bytes: the fuzzers in `fuzz_targets` call them with invented inputs, and
//! `tests/replay.rs` with the inputs of the corpus.

pub mod arguments;
pub mod schedule;
pub mod sql;
