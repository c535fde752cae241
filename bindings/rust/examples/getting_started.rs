//! The program of the README: `cargo run --example getting_started`, in a folder where it may write `app.db`.

use honker::{Database, EnqueueOpts, QueueOpts};
use serde_json::{Value, json};

fn main() -> honker::Result<()> {
    let db = Database::open("app.db")?;
    db.with_conn(|conn| conn.execute_batch("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT)"))?;
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
    Ok(())
}
