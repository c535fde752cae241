/// @file
/// Schedules.
#ifndef HONKER_SCHEDULER_HPP
#define HONKER_SCHEDULER_HPP

#include "payload.hpp"
#include "stop.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honker {
namespace detail {
class Core;
}

/// A job that a tick has enqueued.
struct ScheduledFire {
    std::string name;
    std::string queue;
    /// The boundary, in Unix seconds.
    double fire_at = 0;
    std::int64_t job_id = 0;
};

/// Changes of a schedule. Without a value, a property stays.
struct ScheduleUpdate {
    std::optional<std::string> cron_expr = std::nullopt;
    std::optional<json> payload = std::nullopt;
    std::optional<std::int64_t> priority = std::nullopt;
    /// An inner nullopt removes the expiry.
    std::optional<std::optional<std::int64_t>> expires_s = std::nullopt;
    std::optional<std::int64_t> max_attempts = std::nullopt;
};

/// The schedules of a database. Any thread may use it.
class Scheduler {
public:
    /// Store a schedule, or replace the one of this name. The expression is cron with 5 or 6 fields, or "@every 30s".
    ///
    /// Register at each start: the next boundary moves only if the expression changes.
    void add(const std::string& name, const std::string& queue, const std::string& expr, const json& payload,
             std::int64_t priority = 0, std::optional<std::int64_t> expires_s = std::nullopt,
             std::int64_t max_attempts = 3) const {
        add_text(name, queue, expr, detail::encode(payload), priority, expires_s, max_attempts);
    }
    template <class Text, class = detail::IfText<Text>>
    void add(const std::string& name, const std::string& queue, const std::string& expr, const Text& text,
             std::int64_t priority = 0, std::optional<std::int64_t> expires_s = std::nullopt,
             std::int64_t max_attempts = 3) const {
        add_text(name, queue, expr, detail::checked(text), priority, expires_s, max_attempts);
    }

    /// Remove a schedule. Returns true if it existed.
    bool remove(const std::string& name) const;
    /// Enqueue a job for each boundary up to now. Returns the jobs.
    std::vector<ScheduledFire> tick() const;
    /// The same up to an instant, in Unix seconds.
    std::vector<ScheduledFire> tick(double now) const;
    /// Return the next boundary in Unix seconds; 0 if there is none.
    std::int64_t soonest() const;
    /// Stop a schedule from firing. Returns true if it was active.
    bool pause(const std::string& name) const;
    /// Let a paused schedule fire again. Returns true if it was paused.
    bool resume(const std::string& name) const;
    /// Return the schedules by name as a JSON array.
    std::string list_json() const;
    /// Change a schedule. Returns true if it exists and a property was given.
    bool update(const std::string& name, const ScheduleUpdate& changes) const;
    bool update(const std::string& name, const std::optional<std::string>& expr,
                const std::optional<json>& payload = std::nullopt,
                const std::optional<std::int64_t>& priority = std::nullopt,
                const std::optional<std::optional<std::int64_t>>& expires_s = std::nullopt,
                const std::optional<std::int64_t>& max_attempts = std::nullopt) const {
        return update(name, ScheduleUpdate{expr, payload, priority, expires_s, max_attempts});
    }

    /// Fire the schedules until a request of stop. It sleeps until the soonest boundary or a change.
    ///
    /// Of all schedulers on the file, in any language, one leads, by the lock "honker-scheduler"; the others stand by,
    /// and take over when it ends. A leader that has died is replaced after a minute. owner names this scheduler: give
    /// each a different one. Throws ClosedError if the database is closed. Errors that may pass are tried again.
    void run(const Stop& stop, const std::string& owner) const;
    /// The same with a flag, which is looked at every 50 ms.
    void run(std::atomic<bool>& stop, const std::string& owner) const { run(Stop::when(stop), owner); }

private:
    friend class Database;
    explicit Scheduler(std::shared_ptr<detail::Core> core);
    void add_text(const std::string& name, const std::string& queue, const std::string& expr, const std::string& text,
                  std::int64_t priority, std::optional<std::int64_t> expires_s, std::int64_t max_attempts) const;

    std::shared_ptr<detail::Core> core_;
};

}  // namespace honker

#endif
