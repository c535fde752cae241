#include "honker/scheduler.hpp"

#include "core.hpp"
#include "rows.hpp"

#include <iostream>

namespace honker {
namespace {

using detail::Clock;
using detail::Milliseconds;

constexpr const char* leader_lock = "honker-scheduler";
constexpr double leader_ttl_s = 60;
constexpr std::chrono::seconds renewal_interval{30};

std::vector<ScheduledFire> fires_of(const std::string& rows) {
    std::vector<ScheduledFire> fires;
    for (const json& row : json::parse(rows)) {
        fires.push_back({row.at("name"), row.at("queue"), row.at("fire_at"), detail::integer(row, "job_id")});
    }
    return fires;
}

/// A span in seconds as one to wait: 0 if it is over.
Milliseconds pause_of(const detail::Value& seconds) {
    if (seconds.is_null()) {
        return detail::fallback_poll;
    }
    const double bounded = std::clamp(seconds.real(), 0.0, 5.0);
    return std::chrono::ceil<Milliseconds>(std::chrono::duration<double>(bounded));
}

/// A scheduler that runs.
class Leader {
public:
    Leader(std::shared_ptr<detail::Core> core, const std::string& owner)
        : core_(std::move(core)), owner_(owner), news_(core_) {}
    ~Leader() { resign(); }
    Leader(const Leader&) = delete;
    Leader& operator=(const Leader&) = delete;

    /// Do one thing: take over, renew, fire, or wait.
    void step(const Stop& stop);
    /// Wait before the next try.
    void wait(Milliseconds pause, const Stop& stop) {
        static const Stop never;
        news_.wait(pause, stop, never);
    }

private:
    Milliseconds stand_by();
    void renew();
    void fire();
    void resign() noexcept;

    std::shared_ptr<detail::Core> core_;
    std::string owner_;
    detail::News news_;
    bool is_leading_ = false;
    Clock::time_point renew_at_;
};

void Leader::step(const Stop& stop) {
    if (!is_leading_) {
        const Milliseconds pause = stand_by();
        if (!is_leading_) {
            wait(pause, stop);
        }
        return;
    }
    if (Clock::now() >= renew_at_) {
        renew();
        return;
    }
    const Milliseconds pause = pause_of(core_->ask("SELECT nullif(honker_scheduler_soonest(), 0) - honker_clock()"));
    if (pause.count() == 0) {
        fire();
    } else {
        wait(detail::until(renew_at_, pause), stop);
    }
}

/// Take the lock over, or return the span to its end. It reads first: a try at each commit would take the write lock
/// from processes that need it.
Milliseconds Leader::stand_by() {
    const detail::Value left = core_->ask("SELECT honker_lock_expires_at(?) - honker_clock()", {leader_lock});
    // An end beyond the length of the lock was stored before the clock was set back; a try measures it again.
    if (!left.is_null() && left.real() > 0 && left.real() <= leader_ttl_s + 1) {
        return pause_of(left);
    }
    is_leading_ = core_->call("SELECT honker_lock_acquire(?, ?, ?)", {leader_lock, owner_, leader_ttl_s}).truth();
    renew_at_ = Clock::now() + renewal_interval;
    return detail::fallback_poll;
}

void Leader::renew() {
    is_leading_ = core_->call("SELECT honker_lock_renew(?, ?, ?)", {leader_lock, owner_, leader_ttl_s}).truth();
    renew_at_ = Clock::now() + renewal_interval;
}

/// Tick if this scheduler still leads. Both are under the write lock, so a leader that does not know of its loss fires
/// nothing.
void Leader::fire() {
    core_->in_transaction([this](detail::Connection& connection) {
        is_leading_ = !connection.one("SELECT honker_lock_token(?, ?)", {leader_lock, owner_}).is_null();
        if (is_leading_) {
            connection.one("SELECT honker_scheduler_tick(honker_clock())", {});
        }
    });
}

/// A lost lock belongs to another owner, whom this does not affect.
void Leader::resign() noexcept {
    if (!is_leading_) {
        return;
    }
    try {
        core_->call("SELECT honker_lock_release(?, ?)", {leader_lock, owner_});
    } catch (const std::exception&) {
        // The lock ends with its time.
    }
}

}  // namespace

Scheduler::Scheduler(std::shared_ptr<detail::Core> core) : core_(std::move(core)) {}

void Scheduler::add_text(const std::string& name, const std::string& queue, const std::string& expr,
                         const std::string& text, std::int64_t priority, std::optional<std::int64_t> expires_s,
                         std::int64_t max_attempts) const {
    core_->call("SELECT honker_scheduler_register(?, ?, ?, ?, ?, ?, ?)",
                {name, queue, expr, text, priority, expires_s, max_attempts});
}

bool Scheduler::remove(const std::string& name) const {
    return core_->call("SELECT honker_scheduler_unregister(?)", {name}).truth();
}

std::vector<ScheduledFire> Scheduler::tick() const {
    return fires_of(core_->call("SELECT honker_scheduler_tick(honker_clock())").text());
}

std::vector<ScheduledFire> Scheduler::tick(double now) const {
    return fires_of(core_->call("SELECT honker_scheduler_tick(?)", {now}).text());
}

std::int64_t Scheduler::soonest() const {
    return core_->ask("SELECT honker_scheduler_soonest()").integer();
}

bool Scheduler::pause(const std::string& name) const {
    return core_->call("SELECT honker_scheduler_pause(?)", {name}).truth();
}

bool Scheduler::resume(const std::string& name) const {
    return core_->call("SELECT honker_scheduler_resume(?)", {name}).truth();
}

std::string Scheduler::list_json() const {
    return core_->ask("SELECT honker_scheduler_list()").text();
}

bool Scheduler::update(const std::string& name, const ScheduleUpdate& changes) const {
    const auto payload = changes.payload ? std::optional(detail::encode(*changes.payload)) : std::nullopt;
    const std::int64_t touches_expires = changes.expires_s.has_value() ? 1 : 0;
    const std::int64_t touches_attempts = changes.max_attempts.has_value() ? 1 : 0;
    const detail::Values arguments{name,
                                   changes.cron_expr,
                                   payload,
                                   changes.priority,
                                   changes.expires_s.value_or(std::nullopt),
                                   touches_expires,
                                   changes.max_attempts,
                                   touches_attempts};
    return core_->call("SELECT honker_scheduler_update(?, ?, ?, ?, ?, ?, ?, ?)", arguments).truth();
}

void Scheduler::run(const Stop& stop, const std::string& owner) const {
    core_->check_may_wait();
    Leader leader(core_, owner);
    for (int failures = 0; !stop.requested();) {
        try {
            leader.step(stop);
            failures = 0;
        } catch (const Error& error) {
            if (!error.is_retryable()) {
                throw;
            }
            std::cerr << "honker: scheduler " << owner << " tries again: " << error.what() << '\n';
            leader.wait(detail::backoff(failures++), stop);
        }
    }
}

}  // namespace honker
