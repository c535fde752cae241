/// @file
/// Notifications and the wait for them.
#ifndef HONKER_NOTIFICATION_HPP
#define HONKER_NOTIFICATION_HPP

#include "payload.hpp"
#include "stop.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace honker {
namespace detail {
class Core;
class News;
}  // namespace detail

/// A message to the listeners of a channel.
struct Notification {
    /// Grows over all channels.
    std::int64_t id = 0;
    std::string channel;
    Payload payload;
};

/// Receives the notifications of a channel from its beginning on. Move-only. One thread receives; any thread may close.
class Subscription {
public:
    ~Subscription();
    Subscription(Subscription&&) noexcept;
    Subscription& operator=(Subscription&&) noexcept;
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

    /// Return the next notification. Wait for it without polling, at most for the timeout.
    ///
    /// Returns nullopt after the timeout. Throws ClosedError if this object or the database is closed.
    std::optional<Notification> recv(std::chrono::milliseconds timeout = std::chrono::milliseconds(5000));
    /// The same until a request of stop, after which it returns nullopt.
    std::optional<Notification> recv(const Stop& stop, std::optional<std::chrono::milliseconds> timeout = std::nullopt);

    /// End the wait with ClosedError. Closing again does nothing.
    void close() const noexcept { closed_.request(); }

private:
    friend class Database;
    Subscription(std::shared_ptr<detail::Core> core, std::string channel);
    void read();

    std::shared_ptr<detail::Core> core_;
    std::unique_ptr<detail::News> news_;
    std::string channel_;
    std::int64_t read_to_ = 0;
    std::deque<Notification> ahead_;
    Stop closed_;
};

}  // namespace honker

#endif
