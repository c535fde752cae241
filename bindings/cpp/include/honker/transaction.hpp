/// @file
/// Transactions of the application.
#ifndef HONKER_TRANSACTION_HPP
#define HONKER_TRANSACTION_HPP

#include <memory>
#include <string>

struct sqlite3;

namespace honker {
namespace detail {
struct OpenTransaction;
}

/// A transaction on a connection, which begins with the write lock. It is rolled back by its destructor unless it was
/// committed. Use it on the thread that made it.
///
/// @code
/// honker::Transaction tx{db.raw()};
/// sqlite3_exec(tx.raw(), "INSERT INTO orders VALUES (42)", nullptr, nullptr, nullptr);
/// db.queue("emails").enqueue_tx(tx, {{"order", 42}});
/// tx.commit();
/// @endcode
///
/// Calls of a database whose raw() connection has a transaction take part in it if they run on the thread of the
/// transaction, as all statements on one connection do. Calls of other threads wait for its end, at most 5 s.
class Transaction {
public:
    /// Begin, on db.raw() or on a connection of the application that has called load(). Throws BusyError after 5 s.
    explicit Transaction(sqlite3* connection);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    /// Commit. After an error the transaction is still open, and the destructor rolls it back. Throws ClosedError if it
    /// has ended.
    void commit();

    /// Roll back. Throws ClosedError if it has ended.
    void rollback();

    /// Run statements of the application. Throws Error.
    void execute(const std::string& sql);

    /// The connection. Throws ClosedError if the transaction has ended.
    sqlite3* raw() const;

private:
    void end(const char* statement);
    std::shared_ptr<detail::OpenTransaction> open_;
};

}  // namespace honker

#endif
