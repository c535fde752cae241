#include "transaction.hpp"

#include "honker/error.hpp"
#include "honker/transaction.hpp"
#include "statement.hpp"

#include <sqlite3.h>
#include <map>
#include <memory>

namespace honker {
namespace detail {
namespace {

struct Registry {
    std::mutex mutex;
    std::map<sqlite3*, std::shared_ptr<OpenTransaction>> open;
};

Registry& registry() {
    static Registry instance;
    return instance;
}

std::shared_ptr<OpenTransaction> find(sqlite3* connection) {
    Registry& known = registry();
    const std::lock_guard<std::mutex> guard(known.mutex);
    const auto found = known.open.find(connection);
    return found == known.open.end() ? nullptr : found->second;
}

void forget(sqlite3* connection) {
    Registry& known = registry();
    const std::lock_guard<std::mutex> guard(known.mutex);
    known.open.erase(connection);
}

}  // namespace

bool is_in_transaction(sqlite3* connection) {
    const auto open = find(connection);
    return open != nullptr && open->thread == std::this_thread::get_id();
}

void forget_transactions(sqlite3* connection) {
    if (const auto open = find(connection)) {
        const std::lock_guard<std::recursive_mutex> guard(open->mutex);
        if (open->connection != nullptr && sqlite3_get_autocommit(connection) == 0) {
            sqlite3_exec(connection, "ROLLBACK", nullptr, nullptr, nullptr);  // closing rolls back otherwise
        }
        open->connection = nullptr;
        forget(connection);
    }
}

}  // namespace detail

Transaction::Transaction(sqlite3* connection) : open_(std::make_shared<detail::OpenTransaction>()) {
    detail::execute(connection, "BEGIN IMMEDIATE");
    open_->connection = connection;
    open_->thread = std::this_thread::get_id();
    detail::Registry& known = detail::registry();
    const std::lock_guard<std::mutex> guard(known.mutex);
    known.open[connection] = open_;
}

Transaction::~Transaction() {
    const std::lock_guard<std::recursive_mutex> guard(open_->mutex);
    if (open_->connection == nullptr) {
        return;
    }
    detail::forget(open_->connection);
    if (sqlite3_get_autocommit(open_->connection) == 0) {
        sqlite3_exec(open_->connection, "ROLLBACK", nullptr, nullptr, nullptr);
    }
    open_->connection = nullptr;
}

void Transaction::commit() {
    end("COMMIT");
}

void Transaction::rollback() {
    end("ROLLBACK");
}

void Transaction::end(const char* statement) {
    const std::lock_guard<std::recursive_mutex> guard(open_->mutex);
    sqlite3* connection = raw();
    detail::execute(connection, statement);
    detail::forget(connection);
    open_->connection = nullptr;
}

void Transaction::execute(const std::string& sql) {
    const std::lock_guard<std::recursive_mutex> guard(open_->mutex);
    detail::execute(raw(), sql);
}

sqlite3* Transaction::raw() const {
    if (open_->connection == nullptr) {
        throw ClosedError("the transaction has ended");
    }
    // SQLite itself rolls back after some errors, such as a full disk. Calls would commit one by one then.
    if (sqlite3_get_autocommit(open_->connection) != 0) {
        throw ClosedError("SQLite has ended the transaction; begin another one");
    }
    return open_->connection;
}

}  // namespace honker
