//! Durable job queues.
//!
//! `enqueue` adds a pending job, `claim` leases it to a worker by the verdicts of `policy`, and `settle` ends or extends
//! the lease. Every move between states is made by `transition`, whose table is the life of a job. `dead` brings dead
//! letters back and prunes them, `sweep` dead-letters expired jobs, `pause` holds a queue back, `work` is the round of a worker,
//! and `inspect` and `stats` read only. `slack` keeps the rows of large jobs at one length.

mod claim;
mod claimed_job;
mod dead;
mod enqueue;
mod held;
mod inspect;
mod pause;
mod policy;
mod priority;
mod settle;
mod slack;
mod stats;
mod sweep;
mod transition;
mod work;

pub use claim::{Claim, Prospect, claim, next_claim_at, prospect};
pub use claimed_job::ClaimedJob;
pub(crate) use dead::keep_to_policy;
pub use dead::{prune_dead, requeue};
pub use enqueue::{NewJob, enqueue, enqueue_many};
pub use held::Held;
pub use inspect::{LiveJob, Outcome, get_job, outcome};
pub use pause::{pause, resume};
pub use settle::{ack, ack_batch, cancel, fail, heartbeat, heartbeat_batch, release, retry};
pub use stats::{Stats, list, stats};
pub use sweep::sweep_expired;
pub use transition::State;
pub use work::{Ending, Kept, Settlement, settle};
