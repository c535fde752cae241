//! Durable job queues. The file list is the life of a job: `enqueue` makes it pending, `claim` leases it to a
//! worker, `settle` ends the lease (ack, retry, fail, heartbeat, cancel), `dead` buries it, `sweep` buries what
//! expired unseen; `pause` holds a queue back and `inspect` looks without touching.

mod claim;
mod dead;
mod enqueue;
mod inspect;
mod pause;
mod settle;
mod sweep;

pub use claim::{Claim, ClaimedJob, Prospect, claim, next_claim_at, prospect};
pub use enqueue::{NewJob, enqueue};
pub use inspect::{LiveJob, get_job};
pub use pause::{pause, resume};
pub use settle::{Held, ack, ack_batch, cancel, fail, heartbeat, retry};
pub use sweep::sweep_expired;
