#include "core.hpp"

#include "honker/database.hpp"
#include "transaction.hpp"

#include <sqlite3.h>
#include <algorithm>
#include <filesystem>

namespace honker::detail {
namespace {

/// Idle connections that are kept.
constexpr std::size_t most_idle = 4;
/// The wait for the write lock between two looks at a request.
constexpr Milliseconds slice{50};

/// The path as SQLite and the watcher open it: absolute, because connections are opened at any time.
std::string checked_path(const std::string& path) {
    if (path.empty() || path.find(":memory:") != std::string::npos || path.find("mode=memory") != std::string::npos) {
        throw InvalidArgumentError("path is \"" + path + "\"; a file is needed, which other connections can open");
    }
    return path.rfind("file:", 0) == 0 ? path : std::filesystem::absolute(path).string();
}

}  // namespace

Core::Core(const std::string& path, const std::string& ext_path, std::string backend, std::int64_t poll_interval_ms)
    : path_(checked_path(path)),
      ext_path_(extension_path(ext_path)),
      backend_(std::move(backend)),
      poll_interval_ms_(poll_interval_ms),
      raw_(std::make_unique<Connection>(path_, ext_path_, false)),
      raw_pointer_(raw_->raw()) {
    one(raw_->raw(), "SELECT honker_bootstrap()");
    file_ = sqlite3_db_filename(raw_->raw(), "main");
    if (!backend_.empty() || poll_interval_ms_ != 1) {
        anchor_ = open_watcher().first;  // an error of these arguments is one of the constructor
    }
}

Core::~Core() {
    close();
}

Core::Entered::Entered(Core& core) : core_(core) {
    const std::lock_guard<std::mutex> guard(core_.mutex_);
    core_.check_open();
    ++core_.inside_;
}

Core::Entered::~Entered() {
    const std::lock_guard<std::mutex> guard(core_.mutex_);
    if (--core_.inside_ == 0) {
        core_.left_.notify_all();
    }
}

Core::Leased::Leased(Core& core) : core_(core) {
    {
        const std::lock_guard<std::mutex> guard(core_.mutex_);
        if (!core_.idle_.empty()) {
            connection_ = std::move(core_.idle_.back());
            core_.idle_.pop_back();
            return;
        }
    }
    connection_ = std::make_unique<Connection>(core_.path_, core_.ext_path_, true);
}

Core::Leased::~Leased() {
    std::unique_ptr<Connection> surplus = std::move(connection_);
    const std::lock_guard<std::mutex> guard(core_.mutex_);
    if (core_.idle_.size() < most_idle) {
        core_.idle_.push_back(std::move(surplus));
    }
}

void Core::check_open() const {
    if (is_closed()) {
        throw ClosedError("the database is closed");
    }
}

bool Core::is_in_transaction() const {
    if (!detail::is_in_transaction(raw_pointer_)) {
        return false;
    }
    // A call that commits by itself would not be undone with the rest.
    if (sqlite3_get_autocommit(raw_pointer_) != 0) {
        throw ClosedError("SQLite has ended the transaction of this thread; begin another one");
    }
    return true;
}

void Core::check_may_wait() const {
    check_open();
    if (is_in_transaction()) {
        throw InvalidArgumentError(
            "this thread has an open transaction, whose write lock others need; end it, then wait");
    }
}

std::unique_lock<std::timed_mutex> Core::take_turn(Milliseconds timeout) {
    std::unique_lock<std::timed_mutex> turn(turn_, timeout);
    if (!turn.owns_lock()) {
        throw BusyError("another call of this process has held the write lock for too long", SQLITE_BUSY);
    }
    return turn;
}

Value Core::call(const std::string& sql, const Values& arguments) {
    return call_within(sql, arguments, Milliseconds(busy_timeout_ms));
}

Value Core::call_within(const std::string& sql, const Values& arguments, Milliseconds timeout) {
    const Entered entered(*this);
    if (is_in_transaction()) {
        return one(raw_pointer_, sql, arguments);
    }
    const auto turn = take_turn(timeout);
    const Leased leased(*this);
    leased->set_busy_timeout(static_cast<int>(timeout.count()));
    return leased->one(sql, arguments);
}

Value Core::ask(const std::string& sql, const Values& arguments) {
    const Entered entered(*this);
    if (is_in_transaction()) {
        return one(raw_pointer_, sql, arguments);
    }
    const Leased leased(*this);
    leased->set_busy_timeout(busy_timeout_ms);
    return leased->one(sql, arguments);
}

Value Core::call_in(const Transaction* tx, const std::string& sql, const Values& arguments) {
    if (tx == nullptr) {
        return call(sql, arguments);
    }
    const Entered entered(*this);
    const char* file = sqlite3_db_filename(tx->raw(), "main");
    if (file == nullptr || file_ != file) {
        throw InvalidArgumentError("tx is a transaction on " + std::string(file == nullptr ? "" : file) +
                                   "; this database is " + file_);
    }
    return one(tx->raw(), sql, arguments);
}

std::optional<Value> Core::call_or_stop(const std::string& sql, const Values& arguments, const Stop& stop,
                                        const Stop& closed) {
    const auto deadline = Clock::now() + Milliseconds(busy_timeout_ms);
    while (!stop.requested() && !closed.requested()) {
        try {
            return call_within(sql, arguments, slice);
        } catch (const BusyError&) {
            if (Clock::now() > deadline) {
                throw;
            }
        }
    }
    return std::nullopt;
}

void Core::rollback(Connection& connection) noexcept {
    if (sqlite3_get_autocommit(connection.raw()) == 0) {
        sqlite3_exec(connection.raw(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
}

sqlite3* Core::raw() const {
    check_open();
    return raw_pointer_;
}

std::pair<std::int64_t, int> Core::open_watcher() {
    const Entered entered(*this);
    const auto open = [this] {
        const Leased leased(*this);
        const Values arguments{path_, backend_, poll_interval_ms_};
        return leased->one("SELECT honker_update_watcher_open(?, ?, ?)", arguments).integer();
    };
    const std::int64_t id = open();
    std::int64_t anchor = 0;
    {
        const std::lock_guard<std::mutex> guard(mutex_);
        watchers_.insert(id);
        anchor = anchor_;
    }
    if (anchor == 0) {
        const std::int64_t made = open();
        const std::lock_guard<std::mutex> guard(mutex_);
        watchers_.insert(made);
        anchor_ = made;
    }
    const Leased leased(*this);
    const Value descriptor = leased->one("SELECT honker_update_watcher_fd(?)", {id});
    if (descriptor.is_null()) {
        throw WatcherError("this system has no descriptor to wait for");
    }
    return {id, static_cast<int>(descriptor.integer())};
}

void Core::close_watcher(std::int64_t id) noexcept {
    try {
        const Entered entered(*this);
        {
            const std::lock_guard<std::mutex> guard(mutex_);
            watchers_.erase(id);
        }
        const Leased leased(*this);
        leased->one("SELECT honker_update_watcher_close(?)", {id});
    } catch (const std::exception&) {
        // A closed database has closed its subscriptions.
    }
}

void Core::close() {
    std::vector<std::unique_ptr<Connection>> connections;
    std::unique_ptr<Connection> raw;
    {
        std::unique_lock<std::mutex> guard(mutex_);
        closing.raise();
        left_.wait(guard, [this] { return inside_ == 0; });
        connections.swap(idle_);
        raw = std::move(raw_);
    }
    if (raw == nullptr) {
        return;
    }
    forget_transactions(raw->raw());
    for (const std::int64_t id : watchers_) {
        one(raw->raw(), "SELECT honker_update_watcher_close(?)", {id});
    }
}

std::shared_ptr<Updates> Core::updates() const {
    const std::lock_guard<std::mutex> guard(mutex_);
    return updates_;
}

void Core::set_updates(std::shared_ptr<Updates> updates) {
    // The old one ends its subscription after the lock, which that needs.
    const std::lock_guard<std::mutex> guard(mutex_);
    updates_.swap(updates);
}

Clock::time_point deadline_of(const std::optional<Milliseconds>& timeout) {
    // A year, so that the sum stays within the clock.
    const Milliseconds longest = std::chrono::hours(24 * 365);
    return Clock::now() + std::min(timeout.value_or(longest), longest);
}

Milliseconds until(Clock::time_point deadline, Milliseconds longest) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - Clock::now());
    return std::clamp(left, Milliseconds(0), longest);
}

Milliseconds backoff(int tries) {
    return std::min(Milliseconds(10) * (1 << std::min(tries, 7)), Milliseconds(1000));
}

}  // namespace honker::detail
