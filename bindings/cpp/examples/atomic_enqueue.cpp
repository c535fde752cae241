// An order and the job that it needs are committed together, or not at all.
#include <sqlite3.h>
#include <honker.hpp>
#include <iostream>

namespace {

void place_order(honker::Database& db, int number) {
    honker::Transaction tx{db.raw()};
    tx.execute("INSERT INTO orders (number) VALUES (" + std::to_string(number) + ")");
    db.queue("invoices").enqueue_tx(tx, {{"order", number}});
    tx.commit();  // without it, the destructor rolls both back
}

}  // namespace

int main() {
    honker::Database db{"app.db"};
    sqlite3_exec(db.raw(), "CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY)", nullptr, nullptr, nullptr);
    place_order(db, 42);
    try {
        place_order(db, 42);
    } catch (const honker::Error& error) {
        std::cout << "refused: " << error.what() << '\n';
    }
    const auto jobs = db.queue("invoices").claim_batch("worker-1", 10);
    for (const auto& job : jobs) {
        std::cout << "invoice for order " << job.payload()["order"] << '\n';
        job.ack();
    }
}
