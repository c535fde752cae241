// Waiting: by poll on the descriptor of a subscription.
#include "core.hpp"
#include "honker/payload.hpp"

#include <poll.h>
#include <array>
#include <cerrno>
#include <cstring>

namespace honker::detail {
namespace {

/// The time between two looks at a flag, which cannot end a poll.
constexpr Milliseconds flag_interval{50};

}  // namespace

News::News(std::shared_ptr<Core> core) : core_(std::move(core)) {
    std::tie(id_, descriptor_) = core_->open_watcher();
}

News::~News() {
    core_->close_watcher(id_);
}

bool News::wait(Milliseconds longest, const Stop& stop, const Stop& closed) {
    // The descriptor belongs to the subscription, which close() ends: no poll is left by then.
    const Core::Entered entered(*core_);
    const auto deadline = Clock::now() + std::min(longest, fallback_poll);
    for (;;) {
        std::array<pollfd, 4> events{{{descriptor_, POLLIN, 0},
                                      {core_->closing.descriptor(), POLLIN, 0},
                                      {closed.descriptor(), POLLIN, 0},
                                      {stop.descriptor(), POLLIN, 0}}};
        const Milliseconds left = until(deadline, stop.follows_flag() ? flag_interval : fallback_poll);
        if (::poll(events.data(), events.size(), static_cast<int>(left.count())) < 0 && errno != EINTR) {
            throw WatcherError(std::string("cannot poll: ") + std::strerror(errno));
        }
        core_->check_open();
        if (closed.requested()) {
            throw ClosedError("the wait was closed");
        }
        if (stop.requested()) {
            return false;
        }
        if (events[0].revents != 0 && take()) {
            return true;
        }
        if (Clock::now() >= deadline) {
            return false;
        }
    }
}

bool News::take() {
    const std::int64_t outcome = core_->ask("SELECT honker_update_watcher_wait(?, 0)", {id_}).integer();
    if (outcome < 0) {
        throw WatcherError("the file was replaced, or its watcher has died; open the database again");
    }
    return outcome == 1;
}

}  // namespace honker::detail
