#include "connection.hpp"

#include "honker/database.hpp"

#include <sqlite3.h>
#include <chrono>
#include <thread>
#include <utility>

namespace honker::detail {
namespace {

constexpr const char* pragmas =
    "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -32000; PRAGMA temp_store = MEMORY;"
    "PRAGMA wal_autocheckpoint = 10000; PRAGMA mmap_size = 0";

/// Repeat the PRAGMA: SQLite does not wait for another process that changes the mode at the same time.
void use_write_ahead_log(sqlite3* db) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(busy_timeout_ms);
    for (;;) {
        try {
            one(db, "PRAGMA journal_mode = WAL");
            return;
        } catch (const BusyError&) {
            if (std::chrono::steady_clock::now() > deadline) {
                throw;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }
}

void set_up(sqlite3* db, const std::string& ext_path, bool is_own) {
    sqlite3_busy_timeout(db, busy_timeout_ms);
    load(db, ext_path);
    use_write_ahead_log(db);
    execute(db, pragmas);
    if (is_own) {
        one(db, "SELECT honker_busy_timeout(?)", {static_cast<std::int64_t>(busy_timeout_ms)});
    }
}

}  // namespace

Connection::Connection(const std::string& path, const std::string& ext_path, bool is_own) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_FULLMUTEX;
    const int rc = sqlite3_open_v2(path.c_str(), &db_, flags, nullptr);
    try {
        if (rc != SQLITE_OK) {
            fail(std::string(db_ == nullptr ? sqlite3_errstr(rc) : sqlite3_errmsg(db_)) + ": " + path, rc);
        }
        set_up(db_, ext_path, is_own);
    } catch (...) {
        sqlite3_close_v2(db_);
        throw;
    }
}

Connection::~Connection() {
    for (const auto& [sql, statement] : statements_) {
        sqlite3_finalize(statement);
    }
    // Statements of the application that are left keep the connection until they are finalized.
    sqlite3_close_v2(db_);
}

sqlite3* Connection::detach() {
    for (const auto& [sql, statement] : statements_) {
        sqlite3_finalize(statement);
    }
    statements_.clear();
    return std::exchange(db_, nullptr);
}

Value Connection::one(const std::string& sql, const Values& arguments) {
    auto found = statements_.find(sql);
    if (found == statements_.end()) {
        found = statements_.emplace(sql, prepare(db_, sql)).first;
    }
    return step(db_, found->second, arguments);
}

void Connection::set_busy_timeout(int timeout_ms) {
    if (timeout_ms_ != timeout_ms) {
        one("SELECT honker_busy_timeout(?)", {static_cast<std::int64_t>(timeout_ms)});
        timeout_ms_ = timeout_ms;
    }
}

}  // namespace honker::detail
