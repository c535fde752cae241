#include "statement.hpp"

#include <sqlite3.h>
#include <cmath>

namespace honker {

Error::Error(std::string code, const std::string& message, int sqlite_code)
    : std::runtime_error(code + ": " + message), code_(std::move(code)), sqlite_code_(sqlite_code) {}

bool Error::is_retryable() const noexcept {
    return code_ == "HONKER_BUSY" || code_ == "HONKER_FULL" || code_ == "HONKER_IO" || code_ == "HONKER_INTERRUPTED";
}

namespace detail {
namespace {

/// The code of a statement that no function of honker runs.
const char* native_code(int rc) {
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "HONKER_BUSY";
    case SQLITE_READONLY: return "HONKER_READ_ONLY";
    case SQLITE_FULL: return "HONKER_FULL";
    case SQLITE_IOERR: return "HONKER_IO";
    case SQLITE_CANTOPEN: return "HONKER_CANTOPEN";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return "HONKER_CORRUPT";
    case SQLITE_CONSTRAINT: return "HONKER_CONSTRAINT";
    case SQLITE_INTERRUPT: return "HONKER_INTERRUPTED";
    default: return "HONKER_SQLITE";
    }
}

void bind(sqlite3* db, sqlite3_stmt* statement, int index, const Value& value) {
    int rc = SQLITE_OK;
    switch (value.index()) {
    case 0: rc = sqlite3_bind_null(statement, index); break;
    case 1: rc = sqlite3_bind_int64(statement, index, std::get<std::int64_t>(value)); break;
    case 2: rc = sqlite3_bind_double(statement, index, std::get<double>(value)); break;
    default:
        const std::string& text = value.text();
        // The arguments live until the statement is reset.
        rc = sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    if (rc != SQLITE_OK) {
        fail(db, rc);
    }
}

Value column(sqlite3_stmt* statement) {
    switch (sqlite3_column_type(statement, 0)) {
    case SQLITE_INTEGER: return Value(static_cast<std::int64_t>(sqlite3_column_int64(statement, 0)));
    case SQLITE_FLOAT: return Value(sqlite3_column_double(statement, 0));
    case SQLITE_NULL: return Value(nullptr);
    default:
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, 0));
        return Value(text == nullptr ? std::string() : std::string(text, size));
    }
}

}  // namespace

std::int64_t Value::integer() const {
    if (const auto* real = std::get_if<double>(this)) {
        return static_cast<std::int64_t>(std::floor(*real));
    }
    return std::get<std::int64_t>(*this);
}

double Value::real() const {
    if (const auto* integer = std::get_if<std::int64_t>(this)) {
        return static_cast<double>(*integer);
    }
    return std::get<double>(*this);
}

void fail(const std::string& message, int rc) {
    std::string code = native_code(rc);
    std::string text = message;
    const auto colon = message.find(": ");
    if (message.rfind("HONKER_", 0) == 0 && colon != std::string::npos) {
        code = message.substr(0, colon);
        text = message.substr(colon + 2);
    } else if (message.find("no such function: honker_") != std::string::npos) {
        throw ExtensionError("HONKER_EXTENSION_NOT_FOUND", message + "; call honker::load(connection) first", rc);
    }
    if (code == "HONKER_INVALID_ARGUMENT") {
        throw InvalidArgumentError(text, rc);
    }
    if (code == "HONKER_BUSY") {
        throw BusyError(text, rc);
    }
    if (code == "HONKER_WATCHER") {
        throw WatcherError(text, rc);
    }
    throw Error(code, text, rc);
}

void fail(sqlite3* db, int rc) {
    const int extended = sqlite3_extended_errcode(db);
    fail(sqlite3_errmsg(db), (extended & 0xff) == (rc & 0xff) ? extended : rc);
}

sqlite3_stmt* prepare(sqlite3* db, const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    const int rc = sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    if (rc != SQLITE_OK) {
        fail(db, rc);
    }
    return statement;
}

Value step(sqlite3* db, sqlite3_stmt* statement, const Values& arguments) {
    struct Reset {
        sqlite3_stmt* statement;
        ~Reset() {
            sqlite3_reset(statement);
            sqlite3_clear_bindings(statement);
        }
    } reset{statement};
    int index = 0;
    for (const Value& each : arguments) {
        bind(db, statement, ++index, each);
    }
    int rc = sqlite3_step(statement);
    Value value(nullptr);
    if (rc == SQLITE_ROW) {
        value = column(statement);
        // A statement commits when it is reset; step to its end to see that error.
        while (rc == SQLITE_ROW) {
            rc = sqlite3_step(statement);
        }
    }
    if (rc != SQLITE_DONE) {
        fail(db, rc);
    }
    return value;
}

Value one(sqlite3* db, const std::string& sql, const Values& arguments) {
    struct Finalize {
        sqlite3_stmt* statement;
        ~Finalize() { sqlite3_finalize(statement); }
    } prepared{prepare(db, sql)};
    return step(db, prepared.statement, arguments);
}

void execute(sqlite3* db, const std::string& sql) {
    char* message = nullptr;
    const int rc = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message);
    const std::string text = message == nullptr ? "" : message;
    sqlite3_free(message);
    if (rc != SQLITE_OK) {
        fail(text, sqlite3_extended_errcode(db));
    }
}

}  // namespace detail
}  // namespace honker
