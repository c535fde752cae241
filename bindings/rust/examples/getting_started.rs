//! Enqueues a job with a row in one transaction, works it, and prints what happened: `cargo run --example
//! getting_started`.

use honker::{Database, EnqueueOpts, QueueOpts};
use serde_json::{Value, json};

#[expect(clippy::print_stdout, reason = "the output of the program")]
fn main() -> honker::Result<()> {
    let path = std::env::temp_dir().join(format!("honker-getting-started-{}.db", std::process::id()));
    let db = Database::open(&path)?;
    db.with_conn(|conn| conn.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT)"))?;
    let emails = db.queue("emails", QueueOpts::default());

    // The order and the job commit together, or neither does.
    let tx = db.transaction()?;
    tx.execute("INSERT INTO orders (item) VALUES (?1)", ["book"])?;
    emails.enqueue_tx(&tx, &json!({"to": "ann@example.com", "order": 1}), EnqueueOpts::default())?;
    tx.commit()?;

    while let Some(job) = emails.claim_one("worker-1")? {
        let payload: Value = job.payload_as()?;
        println!("job {}: mail to {} about order {}", job.id, payload["to"], payload["order"]);
        job.ack()?;
    }
    db.close();
    for suffix in ["", "-wal", "-shm"] {
        // The last connection removes the other two.
        let _is_gone = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    Ok(())
}
