// A program that uses SQLiteCpp: an order and the job that it needs are committed together, on SQLiteCpp's connection.
#include <SQLiteCpp/SQLiteCpp.h>
#include <honker.hpp>
#include <iostream>

namespace {

void insert_order(SQLite::Database& orders, int number) {
    SQLite::Statement insert{orders, "INSERT INTO orders (number) VALUES (?)"};
    insert.bind(1, number);
    insert.exec();
}

// A transaction of honker on the connection of SQLiteCpp. All statements of the connection take part in it.
void place_order(SQLite::Database& orders, const honker::Queue& invoices, int number) {
    honker::Transaction tx{orders.getHandle()};
    insert_order(orders, number);
    invoices.enqueue_tx(tx, {{"order", number}});
    tx.commit();  // without it, the destructor rolls both back
}

// A transaction of SQLiteCpp; the job is enqueued by a statement.
void place_order_by_statements(SQLite::Database& orders, int number) {
    SQLite::Transaction tx{orders, SQLite::TransactionBehavior::IMMEDIATE};
    insert_order(orders, number);
    SQLite::Statement enqueue{orders, "SELECT honker_enqueue('invoices', ?, NULL, NULL, 0, 3, NULL)"};
    enqueue.bind(1, honker::json{{"order", number}}.dump());
    enqueue.executeStep();
    tx.commit();
}

}  // namespace

int main() {
    honker::Database db{"app.db"};
    SQLite::Database orders{"app.db", SQLite::OPEN_READWRITE, 5000};
    honker::load(orders.getHandle());
    orders.exec("CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY)");

    const auto invoices = db.queue("invoices");
    place_order(orders, invoices, 42);
    place_order_by_statements(orders, 43);
    try {
        place_order(orders, invoices, 42);
    } catch (const SQLite::Exception& error) {
        std::cout << "refused: " << error.what() << '\n';
    }
    for (const auto& job : invoices.claim_batch("worker-1", 10)) {
        std::cout << "invoice for order " << job.payload()["order"] << '\n';
        job.ack();
    }
}
