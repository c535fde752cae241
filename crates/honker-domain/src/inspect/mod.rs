//! Inspection and operation of all jobs of a file, for people: lists, the facts about one job, and verbs for many.
//!
//! Each call is bounded by the rows it looks at and by time, see [`look`]: a list on a file of a million jobs returns as soon as on
//! an empty one, perhaps with fewer rows and a place to go on. Pages go by id, the greatest first; no list skips rows by number.
//!
//! Nothing here changes a job. [`apply()`] calls the operations of [`crate::queue`], whose moves have their effects.

mod apply;
mod candidates;
mod dead_groups;
mod detail;
mod filter;
mod jobs;
mod locks;
mod look;
mod streams;
mod summary;
mod walk;
mod workflows;

pub use apply::{Applied, Matching, Verb, apply, matching};
pub use dead_groups::{Group, Groups, dead_groups};
pub use detail::{Detail, Relative, detail};
pub use filter::{Args, Filter, Shown};
pub use jobs::{Page, list};
pub use locks::{Lock, Locks, locks};
pub use streams::{Consumer, Stream, Streams, streams};
pub use summary::Summary;
pub use walk::Walked;
pub use workflows::{Member, Workflow, Workflows, members, workflows};
