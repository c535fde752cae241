// Connections that this library opens.
#ifndef HONKER_SRC_CONNECTION_HPP
#define HONKER_SRC_CONNECTION_HPP

#include "statement.hpp"

#include <map>
#include <string>

namespace honker::detail {

/// How long a call waits for the write lock.
inline constexpr int busy_timeout_ms = 5000;

/// A connection of one thread at a time, with its prepared statements.
class Connection {
public:
    /// Open the file in WAL mode, with the functions of honker. Own connections wait for locks by honker's handler,
    /// whose pauses are shorter than those of SQLite; the application's has PRAGMA busy_timeout.
    Connection(const std::string& path, const std::string& ext_path, bool is_own);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    sqlite3* raw() const { return db_; }
    /// Give the connection away, without the statements of this object.
    sqlite3* detach();
    /// Run a statement that is prepared once; sql is one of the constants of this library.
    Value one(const std::string& sql, const Values& arguments);
    /// Wait for locks for so long from now on.
    void set_busy_timeout(int timeout_ms);

private:
    sqlite3* db_ = nullptr;
    std::map<std::string, sqlite3_stmt*> statements_;
    int timeout_ms_ = busy_timeout_ms;
};

}  // namespace honker::detail

#endif
