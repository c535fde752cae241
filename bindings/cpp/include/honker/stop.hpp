/// @file
/// Cancellation of waits.
#ifndef HONKER_STOP_HPP
#define HONKER_STOP_HPP

#include <atomic>
#include <memory>

#if __has_include(<stop_token>)
#include <stop_token>
#endif

namespace honker {
namespace detail {
class Signal;
}

/// A request to end waits. Copies share the request; any thread may make it.
///
/// @code
/// honker::Stop stop;
/// std::thread worker{[&] { while (auto job = waker.next("w", stop)) work(*job); }};
/// stop.request();  // next() returns nullopt at once
/// @endcode
class Stop {
public:
    /// Make a request that is not made yet. Throws Error with code HONKER_IO without a free descriptor.
    Stop();

    /// Follow a flag, which must live longer than this object. A flag cannot wake a thread, so waits look at it every
    /// 50 ms, without touching the database.
    static Stop when(const std::atomic<bool>& flag);

    /// End the waits, now and later. Further calls do nothing. May be called by a signal handler.
    void request() const noexcept;

    /// True if the request was made.
    bool requested() const noexcept;

    /// A descriptor that is readable once the request was made.
    int descriptor() const noexcept;

    /// True for a flag that has to be looked at.
    bool follows_flag() const noexcept { return flag_ != nullptr; }

private:
    std::shared_ptr<detail::Signal> signal_;
    const std::atomic<bool>* flag_ = nullptr;
};

#ifdef __cpp_lib_jthread
/// Makes the request of a Stop when a std::stop_token is stopped, as long as this object lives.
class StopOnToken {
public:
    explicit StopOnToken(const std::stop_token& token) : callback_(token, Request{stop}) {}

    /// The request to pass to waits.
    Stop stop;

private:
    struct Request {
        Stop stop;
        void operator()() const noexcept { stop.request(); }
    };
    std::stop_callback<Request> callback_;
};
#endif

}  // namespace honker

#endif
