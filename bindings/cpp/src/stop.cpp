#include "honker/stop.hpp"

#include "honker/error.hpp"
#include "signal.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace honker {
namespace detail {

Signal::Signal() : ends_{-1, -1} {
    if (::pipe(ends_) != 0) {
        throw Error("HONKER_IO", std::string("cannot make a pipe: ") + std::strerror(errno));
    }
    for (int end : ends_) {
        ::fcntl(end, F_SETFD, FD_CLOEXEC);
        ::fcntl(end, F_SETFL, O_NONBLOCK);
    }
}

Signal::~Signal() {
    ::close(ends_[0]);
    ::close(ends_[1]);
}

void Signal::raise() noexcept {
    if (is_raised_.exchange(true)) {
        return;
    }
    const int seen = errno;
    // An empty pipe takes a byte; EINTR cannot happen without blocking.
    [[maybe_unused]] const auto written = ::write(ends_[1], "", 1);
    errno = seen;
}

}  // namespace detail

Stop::Stop() : signal_(std::make_shared<detail::Signal>()) {}

Stop Stop::when(const std::atomic<bool>& flag) {
    Stop made;
    made.flag_ = &flag;
    return made;
}

void Stop::request() const noexcept {
    signal_->raise();
}

bool Stop::requested() const noexcept {
    return signal_->is_raised() || (flag_ != nullptr && flag_->load());
}

int Stop::descriptor() const noexcept {
    return signal_->descriptor();
}

}  // namespace honker
