/// @file
/// Claimed jobs.
#ifndef HONKER_JOB_HPP
#define HONKER_JOB_HPP

#include "payload.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace honker {
class Transaction;
namespace detail {
class Core;
}

/// A claimed job. Settle it by one of ack, retry, fail, release and snooze.
///
/// Settling returns true if the claim was held. With false nothing happened: the lease has expired, or the job was
/// cancelled, and another worker may have it. Every call names the attempt, so a stale job never ends a later claim.
class Job {
public:
    std::int64_t id() const noexcept { return id_; }
    const std::string& queue() const noexcept { return queue_; }
    const Payload& payload() const noexcept { return payload_; }
    const std::string& worker_id() const noexcept { return worker_id_; }
    /// The number of this attempt, from 1.
    std::int64_t attempts() const noexcept { return attempts_; }
    std::int64_t max_attempts() const noexcept { return max_attempts_; }

    /// Acknowledge the job as done, and delete it.
    bool ack() const;
    /// Acknowledge the job if and only if the transaction commits.
    bool ack_tx(const Transaction& tx) const;
    /// Make the job wait again for at least delay_s seconds. After the last attempt it is dead-lettered instead.
    bool retry(double delay_s, const std::string& error) const;
    /// Dead-letter the job, even if it has attempts left.
    bool fail(const std::string& error) const;
    /// Set the end of the lease to extend_s seconds from now; more than 0, at most a year.
    bool heartbeat(double extend_s) const;
    /// Give the job back, without a charge for the attempt.
    bool release() const;
    /// Put the job off for at least delay_s seconds, without a charge for the attempt.
    ///
    /// The next claim has the same attempt number, so do not settle the job afterwards.
    bool snooze(double delay_s) const;

private:
    friend class Queue;
    Job(std::shared_ptr<detail::Core> core, const json& row);

    std::shared_ptr<detail::Core> core_;
    std::int64_t id_;
    std::string queue_;
    Payload payload_;
    std::string worker_id_;
    std::int64_t attempts_;
    std::int64_t max_attempts_;
};

}  // namespace honker

#endif
