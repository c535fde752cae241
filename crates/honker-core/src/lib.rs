//! The domain of honker: job queues, streams, notifications, locks, rate limits, results and schedules, as
//! operations on one SQLite connection.
//!
//! An operation that writes more than once must run inside a transaction or savepoint that the caller rolls back
//! when it fails; `honker-extension` brackets each such function. Nothing here begins or ends a transaction,
//! registers a function, or knows who calls it.

pub mod clock;
pub mod error;
pub mod limits;
pub mod lock;
pub mod malformed;
pub mod notify;
pub mod queue;
pub mod rate_limit;
pub mod result;
pub mod retention;
pub mod schedule;
pub mod schema;
mod stored;
pub mod stream;
pub mod token_bucket;

pub use error::{Error, Result};
