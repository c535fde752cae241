// SQL on a connection: the one function behind every call.
#ifndef HONKER_SRC_STATEMENT_HPP
#define HONKER_SRC_STATEMENT_HPP

#include "honker/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace honker::detail {

/// A value of SQL; blobs do not occur.
struct Value : std::variant<std::nullptr_t, std::int64_t, double, std::string> {
    using variant::variant;
    template <class T>
    Value(const std::optional<T>& from) : variant(nullptr) {
        if (from) {
            *this = Value(*from);
        }
    }
    bool is_null() const { return index() == 0; }
    /// The integer; a real is rounded down.
    std::int64_t integer() const;
    double real() const;
    bool truth() const { return integer() != 0; }
    const std::string& text() const { return std::get<std::string>(*this); }
};

using Values = std::vector<Value>;

/// The typed error of a connection's last call, whose result code is rc.
[[noreturn]] void fail(sqlite3* db, int rc);
/// The typed error of a message and an extended result code.
[[noreturn]] void fail(const std::string& message, int rc);

/// Prepare one statement.
sqlite3_stmt* prepare(sqlite3* db, const std::string& sql);
/// Bind, step to the first row, read its first column, and reset. Null without a row.
Value step(sqlite3* db, sqlite3_stmt* statement, const Values& arguments);
/// Prepare, step and finalize.
Value one(sqlite3* db, const std::string& sql, const Values& arguments = {});
/// Run statements without results.
void execute(sqlite3* db, const std::string& sql);

}  // namespace honker::detail

#endif
