// The open transactions of the process.
#ifndef HONKER_SRC_TRANSACTION_HPP
#define HONKER_SRC_TRANSACTION_HPP

#include <mutex>
#include <thread>

struct sqlite3;

namespace honker::detail {

/// A transaction object whose connection is open. connection is null once the transaction has ended.
struct OpenTransaction {
    std::recursive_mutex mutex;
    sqlite3* connection = nullptr;
    std::thread::id thread;
};

/// True if a Transaction on the connection was begun by this thread.
bool is_in_transaction(sqlite3* connection);
/// End the Transaction on a connection that is about to be closed. SQLite rolls it back.
void forget_transactions(sqlite3* connection);

}  // namespace honker::detail

#endif
