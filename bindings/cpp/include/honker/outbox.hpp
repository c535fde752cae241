/// @file
/// Outboxes.
#ifndef HONKER_OUTBOX_HPP
#define HONKER_OUTBOX_HPP

#include "queue.hpp"

#include <functional>

namespace honker {

/// Delivers payloads to other systems, each at least once.
///
/// A delivery that throws is retried after the base backoff, then after twice as long each time, up to an hour. After
/// the last attempt the payload is a dead letter of the queue "_outbox:NAME". A delivery must end within the lease.
class Outbox {
public:
    using Delivery = std::function<void(const json&)>;

    const std::string& name() const noexcept { return name_; }
    /// The queue that has the payloads as jobs.
    const Queue& queue() const noexcept { return queue_; }

    /// Record a payload to deliver; see Queue::enqueue.
    std::int64_t enqueue(const json& payload, double delay_sec = 0, std::int64_t priority = 0) const {
        return queue_.enqueue(payload, delay_sec, priority);
    }
    /// Record a payload that is delivered if and only if the transaction commits.
    std::int64_t enqueue_tx(const Transaction& tx, const json& payload, double delay_sec = 0,
                            std::int64_t priority = 0) const {
        return queue_.enqueue_tx(tx, payload, delay_sec, priority);
    }
    template <class Text, class = detail::IfText<Text>>
    std::int64_t enqueue(const Text& text, double delay_sec = 0, std::int64_t priority = 0) const {
        return queue_.enqueue(text, delay_sec, priority);
    }
    template <class Text, class = detail::IfText<Text>>
    std::int64_t enqueue_tx(const Transaction& tx, const Text& text, double delay_sec = 0,
                            std::int64_t priority = 0) const {
        return queue_.enqueue_tx(tx, text, delay_sec, priority);
    }

    /// Deliver one payload that is due. Returns true if there was one, delivered or not.
    bool run_once(const std::string& worker) const;
    /// Deliver payloads until a request of stop. Waits without polling. Throws ClosedError if the database is closed.
    void run(const std::string& worker, const Stop& stop) const;

private:
    friend class Database;
    Outbox(std::string name, Queue queue, Delivery deliver, std::int64_t base_backoff_s);
    void deliver(const Job& job) const;

    std::string name_;
    Queue queue_;
    Delivery deliver_;
    std::int64_t base_backoff_s_;
};

}  // namespace honker

#endif
