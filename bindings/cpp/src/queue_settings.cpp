#include "core.hpp"
#include "honker/queue.hpp"
#include "rows.hpp"

namespace honker {
namespace {

std::optional<double> real(const json& row, const char* key) {
    const json& value = row.at(key);
    return value.is_null() ? std::nullopt : std::optional<double>(value.get<double>());
}

}  // namespace

json Queue::configure(const json& changes) const {
    const detail::Values arguments{name_, detail::encode(changes)};
    return json::parse(core_->call("SELECT honker_queue_configure(?, ?)", arguments).text());
}

json Queue::settings() const {
    return json::parse(core_->ask("SELECT honker_queue_settings(?)", {name_}).text());
}

bool Queue::pause() const {
    return core_->call("SELECT honker_queue_pause(?)", {name_}).truth();
}

bool Queue::resume() const {
    return core_->call("SELECT honker_queue_resume(?)", {name_}).truth();
}

QueueStats Queue::stats() const {
    const json row = json::parse(core_->ask("SELECT honker_queue_stats(?)", {name_}).text());
    QueueStats stats;
    const auto count = [&](const char* state) {
        stats.is_exact = stats.is_exact && row.at(std::string(state) + "_is_exact").get<bool>();
        return detail::integer(row, state);
    };
    stats.ready = count("ready");
    stats.delayed = count("delayed");
    stats.processing = count("processing");
    stats.lapsed = count("lapsed");
    stats.blocked = count("blocked");
    stats.waiting = count("waiting");
    stats.dead = count("dead");
    stats.oldest_ready_age_s = real(row, "oldest_ready_age_s");
    stats.next_due_at = real(row, "next_due_at");
    stats.paused_at = real(row, "paused_at");
    return stats;
}

}  // namespace honker
