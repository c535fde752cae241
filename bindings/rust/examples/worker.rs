//! A worker that sleeps until there is a job, and ends at the end of its input: `cargo run --example worker app.db`.

use std::io::Read;

use honker::{Database, Job, QueueOpts, Stop};
use serde_json::Value;

/// The work. It may run more than once for a job, if a lease lapses meanwhile.
fn handle(job: &Job) -> Result<(), String> {
    let payload: Value = job.payload_as().map_err(|error| error.to_string())?;
    println!("job {}, attempt {}: {payload}", job.id, job.attempts);
    Ok(())
}

fn main() -> honker::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "app.db".to_owned());
    let db = Database::open(path)?;
    let stop = Stop::new();
    std::thread::spawn({
        let stop = stop.clone();
        move || {
            let _ended = std::io::stdin().read_to_end(&mut Vec::new());
            stop.stop();
        }
    });

    let waker = db.queue("emails", QueueOpts { visibility_timeout_s: 60, max_attempts: 5 }).claim_waker();
    while let Some(job) = waker.next_until("worker-1", &stop)? {
        // Each returns false if the lease was lost; then another worker has the job.
        let _is_settled = match handle(&job) {
            Ok(()) => job.ack()?,
            Err(error) => job.retry(30, &error)?,
        };
    }
    Ok(())
}
