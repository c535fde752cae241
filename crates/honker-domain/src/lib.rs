//! The domain of honker: job queues, streams, notifications, locks, rate limits, results and schedules, as
//! operations on one SQLite connection.
//!
//! Each call has a [`Ctx`]. An operation that writes more than once must run inside a transaction or savepoint that the
//! caller rolls back when it fails, and that ends with [`Ctx::flush`]; `honker-engine` brackets each such function.
//! Nothing here begins or ends a transaction or registers a function.

pub mod clock;
mod context;
pub mod counters;
mod effects;
pub mod error;
pub mod inspect;
pub mod json_length;
pub mod limits;
pub mod lock;
pub mod malformed;
pub mod moves;
pub mod notify;
pub mod queue;
pub mod rate_limit;
pub mod result;
pub mod retention;
pub mod schedule;
pub mod schema;
pub mod statements;
mod stored;
pub mod stream;
pub mod test_clock;
pub mod token_bucket;
pub mod worker;

pub use context::Ctx;
pub use error::{Error, Result};

/// The tables of a new file as statements of SQL, for programs that make them without [`schema::upgrade`]. They change
/// nothing in a file that has all of them.
pub const FRESH_SCHEMA: &str = include_str!("schema/fresh.sql");
