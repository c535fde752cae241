#include "honker/outbox.hpp"

#include "core.hpp"

#include <random>

namespace honker {
namespace {

/// The longest pause between two deliveries: an hour after the other system is back, all are under way.
constexpr std::int64_t longest_backoff_s = 3600;

/// The pause after an attempt. Up to a tenth is added, so that deliveries which failed together are spread.
double backoff_s(std::int64_t base_s, std::int64_t attempt) {
    const std::int64_t base = std::max<std::int64_t>(base_s, 0);
    const std::int64_t longest = std::max(longest_backoff_s, base);
    std::int64_t pause = base;
    for (std::int64_t doubled = 1; doubled < attempt && pause < longest; ++doubled) {
        pause = std::min(pause * 2, longest);
    }
    thread_local std::minstd_rand random{std::random_device{}()};
    return static_cast<double>(pause) * std::uniform_real_distribution<double>(1.0, 1.1)(random);
}

}  // namespace

Outbox::Outbox(std::string name, Queue queue, Delivery deliver, std::int64_t base_backoff_s)
    : name_(std::move(name)), queue_(std::move(queue)), deliver_(std::move(deliver)), base_backoff_s_(base_backoff_s) {}

bool Outbox::run_once(const std::string& worker) const {
    const auto job = queue_.claim_one(worker);
    if (job) {
        deliver(*job);
    }
    return job.has_value();
}

void Outbox::run(const std::string& worker, const Stop& stop) const {
    const ClaimWaker waker = queue_.claim_waker();
    for (int failures = 0;;) {
        try {
            const auto job = waker.next(worker, stop);
            if (!job) {
                return;
            }
            deliver(*job);
            failures = 0;
        } catch (const Error& error) {
            if (!error.is_retryable()) {
                throw;
            }
            // A busy or full database passes; the job comes again when its lease expires.
            static const Stop never;
            detail::News(queue_.core_).wait(detail::backoff(failures++), stop, never);
        }
    }
}

void Outbox::deliver(const Job& job) const {
    if (job.payload().is_discarded()) {
        job.fail("the payload is no JSON");
        return;
    }
    std::string problem;
    try {
        deliver_(job.payload());
        job.ack();
        return;
    } catch (const Error& error) {
        if (error.is_retryable()) {
            throw;
        }
        problem = error.what();
    } catch (const std::exception& error) {
        problem = error.what();
    } catch (...) {
        problem = "an exception that is no std::exception";
    }
    job.retry(backoff_s(base_backoff_s_, job.attempts()), problem);
}

}  // namespace honker
