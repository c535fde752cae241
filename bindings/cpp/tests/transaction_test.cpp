#include "fixture.hpp"

#include <sqlite3.h>

using honker::Transaction;
using Transactions = WithDatabase;

TEST_F(Transactions, A_job_and_a_row_commit_together) {
    sqlite3_exec(db->raw(), "CREATE TABLE orders (n)", nullptr, nullptr, nullptr);
    const auto queue = db->queue("q");
    {
        Transaction tx{db->raw()};
        ASSERT_EQ(sqlite3_exec(tx.raw(), "INSERT INTO orders VALUES (1)", nullptr, nullptr, nullptr), SQLITE_OK);
        queue.enqueue_tx(tx, {{"order", 1}});
        tx.commit();
    }
    EXPECT_EQ(queue.claim_one("w")->payload()["order"], 1);
}

TEST_F(Transactions, A_forgotten_commit_rolls_back) {
    const auto queue = db->queue("q");
    {
        Transaction tx{db->raw()};
        queue.enqueue_tx(tx, 1);
        db->stream("t").publish_tx(tx, 1);
        db->notify_tx(tx, "c", 1);
    }
    EXPECT_FALSE(queue.claim_one("w"));
    EXPECT_TRUE(db->stream("t").read_since(0).empty());
}

TEST_F(Transactions, An_exception_rolls_back) {
    const auto queue = db->queue("q");
    const auto fail = [&] {
        Transaction tx = db->begin();
        queue.enqueue_tx(tx, 1);
        throw std::runtime_error("the order is refused");
    };
    EXPECT_THROW(fail(), std::runtime_error);
    EXPECT_FALSE(queue.claim_one("w"));
    EXPECT_GT(queue.enqueue(2), 0);
}

TEST_F(Transactions, A_failed_call_leaves_the_transaction_usable) {
    const auto queue = db->queue("q");
    Transaction tx{db->raw()};
    EXPECT_THROW(queue.enqueue_tx(tx, 1, 0, std::int64_t{1} << 60), honker::InvalidArgumentError);
    queue.enqueue_tx(tx, 2);
    tx.commit();
    EXPECT_EQ(queue.claim_one("w")->payload(), 2);
}

TEST_F(Transactions, Calls_of_its_thread_take_part) {
    const auto queue = db->queue("q");
    queue.enqueue(1);
    const auto job = queue.claim_one("w");
    {
        Transaction tx{db->raw()};
        EXPECT_TRUE(job->ack());
        tx.rollback();
    }
    EXPECT_TRUE(job->ack());
}

TEST_F(Transactions, Calls_of_another_thread_wait_for_its_end) {
    const auto queue = db->queue("q");
    Transaction tx{db->raw()};
    queue.enqueue_tx(tx, 1);
    Waiting waiting{[&] { queue.enqueue(2); }};
    tx.rollback();
    waiting.join();
    EXPECT_EQ(queue.claim_one("w")->payload(), 2);
}

TEST_F(Transactions, An_ended_transaction_is_closed) {
    Transaction tx{db->raw()};
    tx.commit();
    EXPECT_THROW(tx.commit(), honker::ClosedError);
    EXPECT_THROW(tx.rollback(), honker::ClosedError);
    EXPECT_THROW(db->queue("q").enqueue_tx(tx, 1), honker::ClosedError);
}

TEST_F(Transactions, A_transaction_that_sqlite_has_ended_takes_no_call) {
    const auto queue = db->queue("q");
    {
        Transaction tx{db->raw()};
        // As SQLite does after an error such as a full disk.
        sqlite3_exec(db->raw(), "ROLLBACK", nullptr, nullptr, nullptr);
        EXPECT_THROW(queue.enqueue_tx(tx, 1), honker::ClosedError);
        EXPECT_THROW(queue.enqueue(2), honker::ClosedError);
        EXPECT_THROW(tx.commit(), honker::ClosedError);
    }
    EXPECT_FALSE(queue.claim_one("w"));
}

TEST_F(Transactions, A_transaction_within_another_is_an_error) {
    Transaction tx{db->raw()};
    EXPECT_THROW(Transaction{db->raw()}, honker::Error);
    db->queue("q").enqueue_tx(tx, 1);
    tx.commit();
    EXPECT_TRUE(db->queue("q").claim_one("w"));
}

TEST_F(Transactions, A_transaction_on_another_file_is_refused) {
    const honker::Database other{path("other.db")};
    Transaction tx{other.raw()};
    EXPECT_THROW(db->queue("q").enqueue_tx(tx, 1), honker::InvalidArgumentError);
}

TEST_F(Transactions, A_wait_within_a_transaction_is_refused) {
    Transaction tx{db->raw()};
    EXPECT_THROW(db->queue("q").claim_waker().next("w"), honker::InvalidArgumentError);
    EXPECT_THROW(db->wait_result(1), honker::InvalidArgumentError);
}

TEST_F(Transactions, Closing_the_database_ends_a_transaction) {
    Transaction tx{db->raw()};
    db->queue("q").enqueue_tx(tx, 1);
    db->close();
    EXPECT_THROW(tx.commit(), honker::ClosedError);
    const honker::Database again{path()};
    EXPECT_FALSE(again.queue("q").claim_one("w"));
}

TEST_F(Transactions, A_connection_of_the_application_has_the_functions_after_load) {
    sqlite3* own = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &own), SQLITE_OK);
    EXPECT_EQ(code_of([&] {
                  Transaction tx{own};
                  db->queue("q").enqueue_tx(tx, 1);
              }),
              "HONKER_EXTENSION_NOT_FOUND");
    honker::load(own);
    {
        Transaction tx{own};
        db->queue("q").enqueue_tx(tx, 1);
        tx.commit();
    }
    sqlite3_close(own);
    EXPECT_TRUE(db->queue("q").claim_one("w"));
}
