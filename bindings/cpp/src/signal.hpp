// A pipe that becomes readable once, and stays readable: a poll of any number of threads ends.
#ifndef HONKER_SRC_SIGNAL_HPP
#define HONKER_SRC_SIGNAL_HPP

#include <atomic>

namespace honker::detail {

class Signal {
public:
    Signal();
    ~Signal();
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

    /// Safe in a signal handler.
    void raise() noexcept;
    bool is_raised() const noexcept { return is_raised_.load(); }
    int descriptor() const noexcept { return ends_[0]; }

private:
    int ends_[2];
    std::atomic<bool> is_raised_{false};
};

}  // namespace honker::detail

#endif
