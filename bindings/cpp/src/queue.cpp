#include "honker/queue.hpp"

#include "core.hpp"
#include "rows.hpp"

namespace honker {
namespace {

using detail::Milliseconds;

/// Pauses between fruitless claims although a job is due: it may have gone to another worker, or wait for a limit.
constexpr Milliseconds longest_pause{500};

Milliseconds pause_after(int fruitless) {
    return std::min(Milliseconds(1 << std::min(fruitless, 9)), longest_pause);
}

template <class Value>
void put(json& object, const char* key, const std::optional<Value>& value) {
    if (value) {
        object[key] = *value;
    }
}

/// The options that relate a job to others, as the SQL functions take them.
json flow_of(const EnqueueOptions& options) {
    json flow = json::object();
    put(flow, "key", options.key);
    put(flow, "unique_key", options.unique_key);
    put(flow, "on_conflict", options.on_conflict);
    put(flow, "unique_until", options.unique_until);
    put(flow, "unique_for_s", options.unique_for_s);
    put(flow, "debounce_s", options.debounce_s);
    put(flow, "debounce_max_s", options.debounce_max_s);
    put(flow, "on_parent_failure", options.on_parent_failure);
    if (!options.after.empty()) {
        flow["after"] = options.after;
    }
    return flow;
}

}  // namespace

Job::Job(std::shared_ptr<detail::Core> core, const json& row)
    : core_(std::move(core)),
      id_(detail::integer(row, "id")),
      queue_(row.at("queue")),
      payload_(row.at("payload").get<std::string>()),
      worker_id_(row.at("worker_id")),
      attempts_(detail::integer(row, "attempts")),
      max_attempts_(detail::integer(row, "max_attempts")) {}

bool Job::ack() const {
    return core_->call("SELECT honker_ack(?, ?, ?)", {id_, worker_id_, attempts_}).truth();
}

bool Job::ack_tx(const Transaction& tx) const {
    return core_->call_in(&tx, "SELECT honker_ack(?, ?, ?)", {id_, worker_id_, attempts_}).truth();
}

bool Job::retry(double delay_s, const std::string& error) const {
    return core_->call("SELECT honker_retry(?, ?, ?, ?, ?)", {id_, worker_id_, delay_s, error, attempts_}).truth();
}

bool Job::fail(const std::string& error) const {
    return core_->call("SELECT honker_fail(?, ?, ?, ?)", {id_, worker_id_, error, attempts_}).truth();
}

bool Job::heartbeat(double extend_s) const {
    return core_->call("SELECT honker_heartbeat(?, ?, ?, ?)", {id_, worker_id_, extend_s, attempts_}).truth();
}

bool Job::release() const {
    return core_->call("SELECT honker_release(?, ?, ?)", {id_, worker_id_, attempts_}).truth();
}

bool Job::snooze(double delay_s) const {
    return core_->call("SELECT honker_snooze(?, ?, ?, ?)", {id_, worker_id_, delay_s, attempts_}).truth();
}

Queue::Queue(std::shared_ptr<detail::Core> core, std::string name, double visibility_timeout_s,
             std::int64_t max_attempts)
    : core_(std::move(core)),
      name_(std::move(name)),
      visibility_timeout_s_(visibility_timeout_s),
      max_attempts_(max_attempts) {}

EnqueueOptions Queue::simple(double delay_sec, std::int64_t priority) {
    EnqueueOptions options;
    // 0 means no delay. A delay of 0 would be one, too, up to the moment of the commit.
    if (delay_sec != 0) {
        options.delay = delay_sec;
    }
    options.priority = priority;
    return options;
}

std::int64_t Queue::enqueue(const json& payload, double delay_sec, std::int64_t priority) const {
    return enqueue_text(nullptr, detail::encode(payload), simple(delay_sec, priority));
}

std::int64_t Queue::enqueue(const json& payload, const EnqueueOptions& options) const {
    return enqueue_text(nullptr, detail::encode(payload), options);
}

std::int64_t Queue::enqueue_tx(const Transaction& tx, const json& payload, double delay_sec,
                               std::int64_t priority) const {
    return enqueue_text(&tx, detail::encode(payload), simple(delay_sec, priority));
}

std::int64_t Queue::enqueue_tx(const Transaction& tx, const json& payload, const EnqueueOptions& options) const {
    return enqueue_text(&tx, detail::encode(payload), options);
}

std::int64_t Queue::enqueue_text(const Transaction* tx, const std::string& text, const EnqueueOptions& options) const {
    json object = flow_of(options);
    if (object.empty()) {
        const detail::Values arguments{name_,         text,           options.run_at, options.delay, options.priority,
                                       max_attempts_, options.expires};
        return core_->call_in(tx, "SELECT honker_enqueue(?, ?, ?, ?, ?, ?, ?)", arguments).integer();
    }
    object["priority"] = options.priority;
    object["max_attempts"] = max_attempts_;
    put(object, "run_at", options.run_at);
    put(object, "delay", options.delay);
    put(object, "expires", options.expires);
    return core_->call_in(tx, "SELECT honker_enqueue(?, ?, ?)", {name_, text, detail::encode(object)}).integer();
}

std::vector<std::int64_t> Queue::enqueue_many(const std::vector<json>& payloads, const EnqueueOptions& options) const {
    return insert_many(nullptr, payloads, options);
}

std::vector<std::int64_t> Queue::enqueue_many_tx(const Transaction& tx, const std::vector<json>& payloads,
                                                 const EnqueueOptions& options) const {
    return insert_many(&tx, payloads, options);
}

std::vector<std::int64_t> Queue::insert_many(const Transaction* tx, const std::vector<json>& payloads,
                                             const EnqueueOptions& options) const {
    std::string texts;
    for (const json& payload : payloads) {
        texts += (texts.empty() ? "[" : ",") + detail::encode(payload);
    }
    texts += texts.empty() ? "[]" : "]";
    const json flow = flow_of(options);
    const detail::Value relations = flow.empty() ? detail::Value(nullptr) : detail::Value(detail::encode(flow));
    const detail::Values arguments{name_,         texts,           options.run_at, options.delay, options.priority,
                                   max_attempts_, options.expires, relations};
    return json::parse(core_->call_in(tx, "SELECT honker_enqueue_many(?, ?, ?, ?, ?, ?, ?, ?)", arguments).text());
}

std::vector<Job> Queue::jobs(const std::string& rows) const {
    std::vector<Job> jobs;
    for (const json& row : json::parse(rows)) {
        jobs.push_back(Job(core_, row));
    }
    return jobs;
}

std::optional<Job> Queue::claim_one(const std::string& worker) const {
    std::vector<Job> claimed = claim_batch(worker, 1);
    return claimed.empty() ? std::nullopt : std::optional<Job>(std::move(claimed.front()));
}

std::vector<Job> Queue::claim_batch(const std::string& worker, std::int64_t n) const {
    const detail::Values arguments{name_, worker, n, visibility_timeout_s_};
    return jobs(core_->call("SELECT honker_claim_batch(?, ?, ?, ?)", arguments).text());
}

std::int64_t Queue::ack_batch(const std::vector<std::int64_t>& ids, const std::string& worker) const {
    return core_->call("SELECT honker_ack_batch(?, ?)", {json(ids).dump(), worker}).integer();
}

bool Queue::cancel(std::int64_t id) const {
    return core_->call("SELECT honker_cancel(?, ?)", {id, name_}).truth();
}

bool Queue::requeue(std::int64_t id) const {
    return core_->call("SELECT honker_requeue(?, ?)", {id, name_}).truth();
}

std::string Queue::get_job_json(std::int64_t id) const {
    return core_->ask("SELECT honker_get_job(?, ?)", {id, name_}).text();
}

std::int64_t Queue::sweep_expired() const {
    return core_->call("SELECT honker_sweep_expired(?)", {name_}).integer();
}

void Queue::save_result(std::int64_t id, const json& value, double ttl_s) const {
    save_result_text(id, detail::encode(value), ttl_s);
}

void Queue::save_result_text(std::int64_t id, const std::string& value, double ttl_s) const {
    core_->call("SELECT honker_result_save(?, ?, ?)", {id, value, ttl_s});
}

ClaimWaker Queue::claim_waker() const {
    return ClaimWaker(*this);
}

std::optional<Job> Queue::claim_or_stop(const std::string& worker, const Stop& stop) const {
    static const Stop never;
    const detail::Values arguments{name_, worker, std::int64_t{1}, visibility_timeout_s_};
    const auto rows = core_->call_or_stop("SELECT honker_claim_batch(?, ?, ?, ?)", arguments, stop, never);
    if (!rows) {
        return std::nullopt;
    }
    std::vector<Job> claimed = jobs(rows->text());
    return claimed.empty() ? std::nullopt : std::optional<Job>(std::move(claimed.front()));
}

Milliseconds Queue::until_claim() const {
    const detail::Value left = core_->ask("SELECT nullif(honker_queue_next_claim_at(?), 0) - honker_clock()", {name_});
    if (left.is_null()) {
        return detail::fallback_poll;
    }
    const double seconds = std::clamp(left.real(), 0.0, 5.0);
    return std::chrono::ceil<Milliseconds>(std::chrono::duration<double>(seconds));
}

const Stop& ClaimWaker::never() {
    static const Stop instance;
    return instance;
}

std::optional<Job> ClaimWaker::next(const std::string& worker, const Stop& stop,
                                    std::optional<Milliseconds> timeout) const {
    queue_.core_->check_may_wait();
    const auto deadline = detail::deadline_of(timeout);
    std::unique_ptr<detail::News> news;
    for (int fruitless = 0; !stop.requested();) {
        if (closed_.requested()) {
            throw ClosedError("the waker is closed");
        }
        Milliseconds pause = queue_.until_claim();
        if (pause.count() == 0) {
            if (auto job = queue_.claim_or_stop(worker, stop)) {
                return job;
            }
            pause = pause_after(fruitless++);
        }
        if (news == nullptr) {
            news = std::make_unique<detail::News>(queue_.core_);  // and look again: a commit may have come before it
            continue;
        }
        const Milliseconds left = detail::until(deadline, pause);
        if (news->wait(left, stop, closed_)) {
            fruitless = 0;
        } else if (detail::Clock::now() >= deadline) {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

}  // namespace honker
