/// @file
/// The handle of a file.
#ifndef HONKER_DATABASE_HPP
#define HONKER_DATABASE_HPP

#include "lock.hpp"
#include "notification.hpp"
#include "outbox.hpp"
#include "queue.hpp"
#include "scheduler.hpp"
#include "stream.hpp"
#include "transaction.hpp"

namespace honker {

/// The version of this binding.
inline constexpr const char* version = "0.1.0";

/// Return the absolute path of the library that connections load: the given path, else that of the environment variable
/// HONKER_EXTENSION_PATH, else the one installed with this binding, else target/release of a checkout above the working
/// directory. A process uses one library: another path after the first is an InvalidArgumentError.
std::string extension_path(const std::string& explicit_path = "");

/// Load the functions of honker into a connection of the application. Throws ExtensionError.
void load(sqlite3* connection, const std::string& ext_path = "");

/// Create the tables of honker in the file of a connection, or upgrade those of an older honker. A file that is up to
/// date is only read.
void bootstrap(sqlite3* connection);

/// A handle of a file. Move-only. Open one per process and file; any thread may use it, and the objects it makes.
class Database {
public:
    /// Open a file, creating it if it does not exist.
    ///
    /// @param path The file, or a file: URI. A database in memory is an InvalidArgumentError.
    /// @param ext_path The library of honker; "" finds it, see extension_path().
    /// @param watcher_backend "" for the events of the file system; "polling", "kernel" or "shm" fails here if it
    /// cannot work.
    /// @param watcher_poll_interval_ms The interval between two checks while polling, in milliseconds, from 1.
    explicit Database(const std::string& path, const std::string& ext_path = "",
                      const std::string& watcher_backend = "", std::int64_t watcher_poll_interval_ms = 1);
    /// Close it.
    ~Database();
    Database(Database&&) noexcept;
    Database& operator=(Database&&) noexcept;
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    /// End all waits with ClosedError, roll back open transactions of raw(), and close the connections. Calls that run
    /// end first. Closing again does nothing.
    void close();

    /// Return a queue. Runs no SQL. The lease is more than 0 and at most a year; max_attempts is 1 to 1,000,000.
    Queue queue(const std::string& name, double visibility_timeout_s = 300, std::int64_t max_attempts = 3) const;
    /// Return an outbox. Runs no SQL.
    Outbox outbox(const std::string& name, Outbox::Delivery deliver, double visibility_timeout_s = 60,
                  std::int64_t max_attempts = 5, std::int64_t base_backoff_s = 5) const;
    /// Return a stream. Runs no SQL.
    Stream stream(const std::string& topic) const;
    /// Return the schedules.
    Scheduler scheduler() const;
    /// Begin a transaction on raw().
    Transaction begin() const;

    /// Take a lock for ttl seconds, or return nullopt if another owner has it.
    std::optional<Lock> try_lock(const std::string& name, const std::string& owner, double ttl_s = 60) const;
    /// Count a use, at most limit times in each window of per seconds. Returns false if the window is full.
    bool try_rate_limit(const std::string& name, std::int64_t limit, double per_s) const;

    /// Save the result of a job, replacing an earlier one. It is kept for ttl seconds; 0 means that it stays. A text is
    /// saved as it is.
    void save_result(std::int64_t id, const json& value, double ttl_s = 0) const {
        save_result_text(id, detail::encode(value), ttl_s);
    }
    template <class Text, class = detail::IfText<Text>>
    void save_result(std::int64_t id, const Text& value, double ttl_s = 0) const {
        save_result_text(id, std::string(std::string_view(value)), ttl_s);
    }
    /// Return the result of a job as it was saved, or nullopt if there is none or it has expired.
    std::optional<std::string> get_result(std::int64_t id) const;
    /// Wait for the result of a job, without polling.
    ///
    /// Returns nullopt after a request of stop. Throws TimeoutError, JobFailedError if the job is a dead letter,
    /// ResultGoneError if it has ended without a result, and ClosedError.
    std::optional<std::string> wait_result(std::int64_t id,
                                           std::optional<std::chrono::milliseconds> timeout = std::nullopt,
                                           const std::optional<Stop>& stop = std::nullopt) const;
    /// Delete every expired result. Returns their number.
    std::int64_t sweep_results() const;

    /// Send a notification to the listeners of a channel, in any process. Returns its id. A text is JSON text.
    std::int64_t notify(const std::string& channel, const json& payload) const {
        return notify_text(nullptr, channel, detail::encode(payload));
    }
    /// Send a notification if and only if the transaction commits.
    std::int64_t notify_tx(const Transaction& tx, const std::string& channel, const json& payload) const {
        return notify_text(&tx, channel, detail::encode(payload));
    }
    template <class Text, class = detail::IfText<Text>>
    std::int64_t notify(const std::string& channel, const Text& text) const {
        return notify_text(nullptr, channel, detail::checked(text));
    }
    template <class Text, class = detail::IfText<Text>>
    std::int64_t notify_tx(const Transaction& tx, const std::string& channel, const Text& text) const {
        return notify_text(&tx, channel, detail::checked(text));
    }
    /// Begin to listen to a channel.
    Subscription listen(const std::string& channel) const;

    /// The connection of the application, with the functions of honker. Throws ClosedError. It belongs to this object.
    sqlite3* raw() const;
    /// The path as SQLite calls it.
    const std::string& path() const noexcept;

    /// Begin to watch commits for wait_update(). Further calls do nothing.
    void start_update_watcher() const;
    /// End the wait of wait_update(), and the subscription.
    void stop_update_watcher() const;
    /// Wait for a commit since the last call, of any process. Returns false after the timeout. One thread waits.
    bool wait_update(std::int64_t timeout_ms) const;
    /// Make the next wait_update() return true at once.
    void mark_updated() const;

private:
    void save_result_text(std::int64_t id, const std::string& value, double ttl_s) const;
    std::int64_t notify_text(const Transaction* tx, const std::string& channel, const std::string& text) const;
    std::shared_ptr<detail::Core> core_;
};

}  // namespace honker

#endif
