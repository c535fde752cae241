//! honker as a SQLite loadable extension: the entry point for SQLite ([`entry`]) and the C functions of
//! `include/honker.h` ([`c_api`]). The SQL functions are those of `honker-engine`.
//!
//! Loading writes nothing and reads nothing.

mod c_api;
mod entry;

/// The number of statement boundaries that this process has passed. See `honker_engine::failpoints`.
#[cfg(feature = "failpoints")]
#[unsafe(no_mangle)]
pub extern "C" fn honker_failpoints_passed() -> u64 {
    honker_engine::failpoints::passed()
}
