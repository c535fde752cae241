//! The fuzz targets, as functions of bytes: the fuzzers in `fuzz_targets` call them with generated inputs, and
//! `tests/replay.rs` with the corpus.

pub mod arguments;
pub mod schedule;
pub mod sql;
