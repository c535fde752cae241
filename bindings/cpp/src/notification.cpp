#include "honker/notification.hpp"

#include "core.hpp"
#include "rows.hpp"

namespace honker {

Subscription::Subscription(std::shared_ptr<detail::Core> core, std::string channel)
    : core_(std::move(core)), news_(std::make_unique<detail::News>(core_)), channel_(std::move(channel)) {
    read_to_ = core_->ask("SELECT honker_notification_last_id(?)", {channel_}).integer();
}

Subscription::~Subscription() = default;
Subscription::Subscription(Subscription&&) noexcept = default;
Subscription& Subscription::operator=(Subscription&&) noexcept = default;

std::optional<Notification> Subscription::recv(std::chrono::milliseconds timeout) {
    static const Stop never;
    return recv(never, timeout);
}

std::optional<Notification> Subscription::recv(const Stop& stop, std::optional<std::chrono::milliseconds> timeout) {
    const auto deadline = detail::deadline_of(timeout);
    core_->check_may_wait();
    for (;;) {
        if (closed_.requested()) {
            throw ClosedError("the subscription is closed");
        }
        if (stop.requested()) {
            return std::nullopt;
        }
        if (ahead_.empty()) {
            read();
        }
        if (!ahead_.empty()) {
            Notification first = std::move(ahead_.front());
            ahead_.pop_front();
            return first;
        }
        const auto left = detail::until(deadline, detail::fallback_poll);
        if (!news_->wait(left, stop, closed_) && detail::Clock::now() >= deadline) {
            return std::nullopt;
        }
    }
}

void Subscription::read() {
    const auto rows = core_->ask("SELECT honker_notification_read_since(?, ?, 1000)", {channel_, read_to_});
    for (const json& row : json::parse(rows.text())) {
        read_to_ = detail::integer(row, "id");
        if (!detail::is_malformed(row, "id")) {
            ahead_.push_back({read_to_, row.at("channel"), Payload(row.at("payload").get<std::string>())});
        }
    }
}

}  // namespace honker
