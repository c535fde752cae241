// The shared state of a database and of all objects that it has made.
#ifndef HONKER_SRC_CORE_HPP
#define HONKER_SRC_CORE_HPP

#include "connection.hpp"
#include "honker/stop.hpp"
#include "honker/transaction.hpp"
#include "signal.hpp"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace honker::detail {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

/// The longest wait between two looks, in case an event of the file system is lost or the clock is set.
inline constexpr Milliseconds fallback_poll{5000};

struct Updates;

/// Every non-waiting call runs on a connection of the pool; raw() belongs to the application.
class Core {
public:
    Core(const std::string& path, const std::string& ext_path, std::string backend, std::int64_t poll_interval_ms);
    ~Core();
    Core(const Core&) = delete;
    Core& operator=(const Core&) = delete;

    /// A call that writes. One at a time, so that threads of this process do not wait by pauses of SQLite.
    Value call(const std::string& sql, const Values& arguments = {});
    /// A call that only reads.
    Value ask(const std::string& sql, const Values& arguments = {});
    /// A call within a transaction of the application, or outside of one.
    Value call_in(const Transaction* tx, const std::string& sql, const Values& arguments);
    /// A call that writes, and that a request ends while it waits for the write lock; nullopt then.
    std::optional<Value> call_or_stop(const std::string& sql, const Values& arguments, const Stop& stop,
                                      const Stop& closed);
    /// Run statements on one connection that has begun a transaction; an exception rolls it back.
    template <class Function>
    void in_transaction(Function run) {
        const Entered entered(*this);
        const auto turn = take_turn(Milliseconds(busy_timeout_ms));
        const Leased leased(*this);
        leased->one("BEGIN IMMEDIATE", {});
        try {
            run(*leased.operator->());
            leased->one("COMMIT", {});
        } catch (...) {
            rollback(*leased.operator->());
            throw;
        }
    }

    /// Throws InvalidArgumentError if this thread has an open transaction: its wait would hold the write lock.
    void check_may_wait() const;
    void check_open() const;
    bool is_closed() const noexcept { return closing.is_raised(); }
    void close();

    sqlite3* raw() const;
    const std::string& path() const noexcept { return path_; }
    const std::string& file() const noexcept { return file_; }

    /// Subscribe to commits, and end that. The number and its descriptor.
    std::pair<std::int64_t, int> open_watcher();
    void close_watcher(std::int64_t id) noexcept;

    /// Raised by close().
    Signal closing;

    /// Counts a call or a wait, which close() lets end.
    class Entered {
    public:
        explicit Entered(Core& core);
        ~Entered();
        Entered(const Entered&) = delete;
        Entered& operator=(const Entered&) = delete;

    private:
        Core& core_;
    };

    std::shared_ptr<Updates> updates() const;
    void set_updates(std::shared_ptr<Updates> updates);

private:
    /// A connection that this thread has for now.
    class Leased {
    public:
        explicit Leased(Core& core);
        ~Leased();
        Leased(const Leased&) = delete;
        Leased& operator=(const Leased&) = delete;
        Connection* operator->() const { return connection_.get(); }

    private:
        Core& core_;
        std::unique_ptr<Connection> connection_;
    };

    std::unique_lock<std::timed_mutex> take_turn(Milliseconds timeout);
    /// A call that writes, with its longest wait for the lock.
    Value call_within(const std::string& sql, const Values& arguments, Milliseconds timeout);
    bool is_in_transaction() const;
    static void rollback(Connection& connection) noexcept;

    std::string path_, file_, ext_path_, backend_;
    std::int64_t poll_interval_ms_;
    std::unique_ptr<Connection> raw_;
    /// The connection of raw_, only compared once it is closed.
    sqlite3* const raw_pointer_;
    std::shared_ptr<Updates> updates_;
    std::timed_mutex turn_;
    mutable std::mutex mutex_;
    std::condition_variable left_;
    int inside_ = 0;
    std::vector<std::unique_ptr<Connection>> idle_;
    /// Open subscriptions. The first keeps the watcher of the file running, so that a wait begins at once.
    std::set<std::int64_t> watchers_;
    std::int64_t anchor_ = 0;
};

/// A subscription to the commits of a database. Subscribe first, then read, then wait: no commit is missed.
class News {
public:
    explicit News(std::shared_ptr<Core> core);
    ~News();
    News(const News&) = delete;
    News& operator=(const News&) = delete;

    /// Wait for a commit since the last wait, for the given span, or for a request. A span of 0 looks at the requests.
    /// Returns true after a commit. Throws ClosedError, also after a request of closed, and WatcherError.
    bool wait(Milliseconds longest, const Stop& stop, const Stop& closed);

private:
    bool take();
    [[noreturn]] void throw_death();

    std::shared_ptr<Core> core_;
    std::int64_t id_;
    int descriptor_;
};

/// The subscription of wait_update().
struct Updates {
    explicit Updates(std::shared_ptr<Core> core) : news(std::move(core)) {}
    News news;
    std::mutex mutex;
    /// Requested by mark_updated() and by stop_update_watcher(); each mark is a new one.
    Stop mark;
    std::atomic<bool> has_ended{false};
};

/// The end of a wait with an optional timeout.
Clock::time_point deadline_of(const std::optional<Milliseconds>& timeout);
/// The span to the deadline, at most the given one.
Milliseconds until(Clock::time_point deadline, Milliseconds longest);

/// The pause before try number tries of something that may pass: 10 ms, 20 ms ... 1 s.
Milliseconds backoff(int tries);

}  // namespace honker::detail

#endif
