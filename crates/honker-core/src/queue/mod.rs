//! Durable job queues. The file list is the life of a job: `enqueue` makes it pending, `claim` leases it to a
//! worker, `settle` ends the lease (ack, retry, fail, release, heartbeat, cancel), `dead` buries it or brings it back, `sweep` buries what
//! expired unseen; `pause` holds a queue back, `work` is the round of a worker, and `inspect` and `stats` look without touching.

mod claim;
mod dead;
mod enqueue;
mod inspect;
mod pause;
mod priority;
mod settle;
mod stats;
mod sweep;
mod work;

pub use claim::{Claim, ClaimedJob, Prospect, claim, next_claim_at, prospect};
pub use dead::{prune_dead, requeue};
pub use enqueue::{NewJob, enqueue, enqueue_many};
pub use inspect::{LiveJob, Outcome, get_job, outcome};
pub use pause::{pause, resume};
pub use settle::{Held, ack, ack_batch, cancel, fail, heartbeat, heartbeat_batch, release, retry};
pub use stats::{Stats, list, stats};
pub use sweep::sweep_expired;
pub use work::{Ending, Kept, Settlement, settle};
