//! A job that commits with a row, on connections of rusqlite that are yours: `cargo run --example atomic_enqueue`.

use honker::rusqlite::Connection;
use honker::{Database, EnqueueOpts, QueueOpts};

fn main() -> honker::Result<()> {
    let path = std::env::temp_dir().join(format!("honker-atomic-{}.db", std::process::id()));
    let db = Database::open(&path)?;
    let emails = db.queue("emails", QueueOpts::default());

    let mut conn = Connection::open(&path)?;
    honker::install(&conn)?;
    conn.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)")?;

    // The second order fails, and takes its job back.
    for item in [Some("book"), None] {
        let tx = conn.transaction()?;
        emails.enqueue_on(&tx, &item, EnqueueOpts::default())?;
        match tx.execute("INSERT INTO orders (item) VALUES (?1)", [item]) {
            Ok(_) => tx.commit()?,
            Err(error) => println!("refused: {error}"),
        }
    }
    println!("jobs: {}", emails.claim_batch("worker-1", 10)?.len());
    drop(conn);
    db.close();
    for suffix in ["", "-wal", "-shm"] {
        // The last connection removes the other two.
        let _is_gone = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    Ok(())
}
