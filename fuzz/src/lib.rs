//! What is fuzzed, as functions of bytes: the fuzzers in `fuzz_targets` call them with what they invent, and
//! `tests/replay.rs` with what they found worth keeping.

pub mod arguments;
pub mod schedule;
pub mod sql;
