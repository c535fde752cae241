#include "honker/database.hpp"

#include "core.hpp"

namespace honker {

Database::Database(const std::string& path, const std::string& ext_path, const std::string& watcher_backend,
                   std::int64_t watcher_poll_interval_ms)
    : core_(std::make_shared<detail::Core>(path, ext_path, watcher_backend, watcher_poll_interval_ms)) {}

Database::~Database() {
    if (core_ != nullptr) {
        close();
    }
}

Database::Database(Database&&) noexcept = default;

Database& Database::operator=(Database&& other) noexcept {
    if (this != &other) {
        if (core_ != nullptr) {
            close();
        }
        core_ = std::move(other.core_);
    }
    return *this;
}

void Database::close() {
    core_->close();
    core_->set_updates(nullptr);
}

Queue Database::queue(const std::string& name, double visibility_timeout_s, std::int64_t max_attempts) const {
    return Queue(core_, name, visibility_timeout_s, max_attempts);
}

Outbox Database::outbox(const std::string& name, Outbox::Delivery deliver, double visibility_timeout_s,
                        std::int64_t max_attempts, std::int64_t base_backoff_s) const {
    if (deliver == nullptr) {
        throw InvalidArgumentError("deliver is empty; the outbox " + name + " needs a function");
    }
    return Outbox(name, queue("_outbox:" + name, visibility_timeout_s, max_attempts), std::move(deliver),
                  base_backoff_s);
}

Stream Database::stream(const std::string& topic) const {
    return Stream(core_, topic);
}

Scheduler Database::scheduler() const {
    return Scheduler(core_);
}

Transaction Database::begin() const {
    return Transaction(raw());
}

std::optional<Lock> Database::try_lock(const std::string& name, const std::string& owner, double ttl_s) const {
    if (!core_->call("SELECT honker_lock_acquire(?, ?, ?)", {name, owner, ttl_s}).truth()) {
        return std::nullopt;
    }
    return Lock(core_, name, owner);
}

bool Database::try_rate_limit(const std::string& name, std::int64_t limit, double per_s) const {
    return core_->call("SELECT honker_rate_limit_try(?, ?, ?)", {name, limit, per_s}).truth();
}

void Database::save_result_text(std::int64_t id, const std::string& value, double ttl_s) const {
    core_->call("SELECT honker_result_save(?, ?, ?)", {id, value, ttl_s});
}

std::optional<std::string> Database::get_result(std::int64_t id) const {
    const detail::Value value = core_->ask("SELECT honker_result_get(?)", {id});
    return value.is_null() ? std::nullopt : std::optional(value.text());
}

std::optional<std::string> Database::wait_result(std::int64_t id, std::optional<std::chrono::milliseconds> timeout,
                                                 const std::optional<Stop>& stop) const {
    static const Stop never;
    const Stop& request = stop ? *stop : never;
    const auto deadline = detail::deadline_of(timeout);
    core_->check_may_wait();
    detail::News news(core_);
    while (!request.requested()) {
        // The outcome is read first: a result that is saved before the job ends is then seen.
        const json outcome = json::parse(core_->ask("SELECT honker_job_outcome(?)", {id}).text());
        if (auto result = get_result(id)) {
            return result;
        }
        const std::string state = outcome.value("state", "");
        const std::string number = std::to_string(id);
        if (state == "dead") {
            const json error = outcome.value("error", json(nullptr));
            throw JobFailedError("job " + number + " is dead: " + (error.is_string() ? error.get<std::string>() : ""));
        }
        if (state == "gone" || state == "cancelled") {
            throw ResultGoneError("job " + number + " is " + state + " and left no result");
        }
        if (!news.wait(detail::until(deadline, detail::fallback_poll), request, never) &&
            detail::Clock::now() >= deadline) {
            throw TimeoutError("there is no result of job " + number + " in time");
        }
    }
    return std::nullopt;
}

std::int64_t Database::sweep_results() const {
    return core_->call("SELECT honker_result_sweep()").integer();
}

std::int64_t Database::notify_text(const Transaction* tx, const std::string& channel, const std::string& text) const {
    return core_->call_in(tx, "SELECT notify(?, ?)", {channel, text}).integer();
}

Subscription Database::listen(const std::string& channel) const {
    return Subscription(core_, channel);
}

sqlite3* Database::raw() const {
    return core_->raw();
}

const std::string& Database::path() const noexcept {
    return core_->file();
}

void Database::start_update_watcher() const {
    if (core_->updates() == nullptr) {
        core_->set_updates(std::make_shared<detail::Updates>(core_));
    }
}

void Database::stop_update_watcher() const {
    if (const auto updates = core_->updates()) {
        core_->set_updates(nullptr);
        const std::lock_guard<std::mutex> guard(updates->mutex);
        updates->has_ended = true;
        updates->mark.request();
    }
}

bool Database::wait_update(std::int64_t timeout_ms) const {
    static const Stop never;
    start_update_watcher();
    const auto updates = core_->updates();
    const auto deadline = detail::deadline_of(std::chrono::milliseconds(std::max<std::int64_t>(timeout_ms, 0)));
    while (updates != nullptr) {
        Stop mark = [&updates] {
            const std::lock_guard<std::mutex> guard(updates->mutex);
            return updates->mark;
        }();
        const bool woke = updates->news.wait(detail::until(deadline, detail::fallback_poll), mark, never);
        if (updates->has_ended) {
            return false;
        }
        if (mark.requested()) {
            const std::lock_guard<std::mutex> guard(updates->mutex);
            updates->mark = Stop();
            return true;
        }
        if (woke || detail::Clock::now() >= deadline) {
            return woke;
        }
    }
    return false;
}

void Database::mark_updated() const {
    start_update_watcher();
    if (const auto updates = core_->updates()) {
        const std::lock_guard<std::mutex> guard(updates->mutex);
        updates->mark.request();
    }
}

}  // namespace honker
