//! honker as a SQLite loadable extension: the operations of `honker-core` as SQL functions.
//!
//! - [`functions`] is the table of every SQL function, one row each, and the decoding of their arguments.
//! - [`engine`] keeps prepared statements for the life of a connection.
//! - [`bracket`] makes functions that write more than once atomic in every position they can be called from.
//! - [`carrier`] is what [`bracket`] uses inside statements that write.
//! - [`busy`] waits for the lock of another process, where it is asked to.
//! - [`arguments`] checks what callers pass.
//! - [`entry`], [`scalar`] and [`c_api`] are where C is met; with `bracket`, `busy`, `carrier` and `engine` they hold
//!   all unsafe code.
//! - `failpoints`, in builds for the crash tests alone, kills the process at a chosen statement boundary.
//!
//! Loading writes nothing and reads nothing.

mod arguments;
mod bracket;
mod busy;
mod c_api;
mod carrier;
mod direct;
mod engine;
mod entry;
#[cfg(feature = "failpoints")]
mod failpoints;
mod functions;
mod scalar;
