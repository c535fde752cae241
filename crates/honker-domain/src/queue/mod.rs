//! Durable job queues.
//!
//! `enqueue` adds a pending job, `claim` leases it to a worker by the verdicts of `policy`, and `settle` ends or extends
//! the lease. Every move between states is made by `transition`, whose table is the life of a job. `dead` brings dead
//! letters back and prunes them, `sweep` dead-letters expired jobs, `pause` holds a queue back, `work` is the round of a worker,
//! and `inspect`, `stats` and `why` read only; `operate` has what only operators do. `settings` are the limits of a queue; `keys` and `rate` apply them, `unique`,
//! `dependencies` and `admission` relate jobs to each other, and `ties` says what a job leaves to do when it moves. `history`,
//! `finished` and `progress` are what can be seen of jobs beside their rows. `slack` keeps the rows of large jobs at one length.

mod admission;
mod cancel;
mod claim;
mod claimed_job;
mod dead;
mod dependencies;
mod enqueue;
mod finished;
mod held;
mod history;
mod inspect;
mod keys;
mod lost_parents;
mod operate;
mod parents;
mod pause;
mod plain;
mod policy;
mod priority;
mod progress;
mod rate;
mod settings;
mod settle;
mod slack;
mod stats;
mod sweep;
mod task_name;
mod ties;
mod transition;
mod unique;
mod violations;
mod why;
mod work;

pub use admission::{Added, Flow, admit};
pub use cancel::{Request, cancel_held, cancel_requests, request_cancel};
pub use claim::{Claim, Prospect, claim, is_full, next_claim_at, prospect};
pub use claimed_job::ClaimedJob;
pub(crate) use dead::keep_to_policy;
pub use dead::{prune_dead, requeue};
pub use dependencies::ParentFailure;
pub(crate) use dependencies::revive;
pub use enqueue::{NewJob, enqueue, enqueue_many};
pub use finished::{FinishedJob, finished};
pub use held::Held;
pub use history::{Attempt, attempts};
pub use inspect::{LiveJob, Outcome, get_job, outcome};
pub(crate) use keys::promote;
pub use operate::{Refusal, delete_ended, run_now};
pub use parents::{Parent, parents};
pub(crate) use pause::is_paused;
pub use pause::{Hold, Terms, pause, pause_key, resume, resume_key};
pub use progress::{Progress, progress, report};
pub use rate::Rate;
pub use settings::{Decided, OnDead, Setting, Settings};
pub use settle::{
    Snooze, ack_batch, ack_tied, ack_untied, cancel, fail, heartbeat, heartbeat_batch, release, release_untied, retry,
    snooze,
};
pub use stats::{Stats, list, stats};
pub use sweep::sweep_expired;
pub use task_name::task_of;
pub(crate) use ties::{Left, write_left};
pub use transition::State;
pub use unique::{OnConflict, Unique};
pub use violations::{Violation, violations};
pub(crate) use why::why;
pub use work::{Ending, Kept, Settled, Settlement, settle};
