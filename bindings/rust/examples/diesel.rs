//! A job that commits with a row of Diesel, on Diesel's connection: `cargo run --example diesel`.
//!
//! Diesel and rusqlite link the same SQLite, so the functions of honker work on connections of both. This needs a Diesel
//! and a rusqlite that agree on `libsqlite3-sys`: Diesel 2.3 and rusqlite 0.40 do.

#![expect(missing_docs, reason = "the table of Diesel has none")]

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use honker::{Database, QueueOpts};

diesel::table! {
    orders (id) {
        id -> Integer,
        item -> Text,
    }
}

diesel::define_sql_function! {
    /// The function of the engine that enqueues; options have their defaults.
    #[sql_name = "honker_enqueue"]
    fn enqueue(
        queue: Text,
        payload: Text,
        run_at: diesel::sql_types::Nullable<BigInt>,
        delay: diesel::sql_types::Nullable<BigInt>,
        priority: BigInt,
        max_attempts: BigInt,
        expires: diesel::sql_types::Nullable<BigInt>,
    ) -> BigInt;
}

/// Inserts an order and enqueues its job.
fn order(conn: &mut SqliteConnection, item: &str, is_paid: bool) -> QueryResult<i64> {
    conn.immediate_transaction(|conn| {
        diesel::insert_into(orders::table).values(orders::item.eq(item)).execute(conn)?;
        let payload = serde_json::json!({"item": item}).to_string();
        let none = None::<i64>;
        let job = diesel::select(enqueue("emails", payload, none, none, 0, 3, none)).get_result(conn)?;
        if is_paid { Ok(job) } else { Err(diesel::result::Error::RollbackTransaction) }
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.db");
    honker::install_on_new_connections()?;
    let db = Database::open(&path)?;
    let mut conn = SqliteConnection::establish(&path.display().to_string())?;
    diesel::sql_query("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)").execute(&mut conn)?;

    order(&mut conn, "book", true)?;
    // The order that is rolled back takes its job with it.
    order(&mut conn, "lamp", false).unwrap_err();

    let jobs = db.queue("emails", QueueOpts::default()).claim_batch("worker-1", 10)?;
    let orders: i64 = orders::table.count().get_result(&mut conn)?;
    println!("orders: {orders}, jobs: {}", jobs.len());
    assert_eq!((orders, jobs.len()), (1, 1));
    Ok(())
}
