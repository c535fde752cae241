/// @file
/// Queues and the wait for their jobs.
#ifndef HONKER_QUEUE_HPP
#define HONKER_QUEUE_HPP

#include "job.hpp"
#include "stop.hpp"

#include <chrono>
#include <optional>
#include <vector>

namespace honker {

/// Options of a job. Spans are seconds, instants Unix seconds; both are exact to the millisecond.
struct EnqueueOptions {
    /// The earliest claim, from now. It overrides run_at.
    std::optional<double> delay = std::nullopt;
    /// The earliest claim, as an instant, which may be past.
    std::optional<double> run_at = std::nullopt;
    /// A larger priority goes first. Within 2^53.
    std::int64_t priority = 0;
    /// The span from now after which the job is dead-lettered instead of claimed.
    std::optional<double> expires = std::nullopt;
    /// The key of the jobs that share the limits per key of the queue.
    std::optional<std::string> key = std::nullopt;
    /// Lets one job of this key exist in the queue. The id of the existing job is returned for another one.
    std::optional<std::string> unique_key = std::nullopt;
    /// "existing" (the default), "replace", "rerun", or "raise" for an Error with code HONKER_UNIQUE_KEY_TAKEN.
    std::optional<std::string> on_conflict = std::nullopt;
    /// The ids of jobs that must have ended before this job runs.
    std::vector<std::int64_t> after = {};
    /// The effect of a failed job of after: "cancel" (the default), "run" or "wait".
    std::optional<std::string> on_parent_failure = std::nullopt;
    /// When the unique key is free again: "finished" (the default) or "started".
    std::optional<std::string> unique_until = std::nullopt;
    /// The span for which the unique key stays taken after the job has succeeded.
    std::optional<double> unique_for_s = std::nullopt;
    /// The span from the last enqueue of the unique key to the start of the job. The latest payload wins.
    std::optional<double> debounce_s = std::nullopt;
    /// The longest span from the first enqueue to the start of a debounced job.
    std::optional<double> debounce_max_s = std::nullopt;
};

/// Counts of the jobs of a queue, all of one moment. Each stops at 10,000; see is_exact.
struct QueueStats {
    /// Jobs that are due.
    std::int64_t ready = 0;
    /// Jobs that are not due yet.
    std::int64_t delayed = 0;
    /// Jobs that are leased.
    std::int64_t processing = 0;
    /// Leased jobs whose lease has expired; the next claim takes them back.
    std::int64_t lapsed = 0;
    /// Jobs that wait for others of their key.
    std::int64_t blocked = 0;
    /// Jobs that wait for the jobs after which they run.
    std::int64_t waiting = 0;
    /// Dead letters.
    std::int64_t dead = 0;
    /// False if a count has stopped, and is a lower bound.
    bool is_exact = true;
    /// The age in seconds of the job that has been due for longest.
    std::optional<double> oldest_ready_age_s = std::nullopt;
    /// The instant at which the first delayed job becomes due, in Unix seconds.
    std::optional<double> next_due_at = std::nullopt;
    /// The instant of the pause, in Unix seconds; nullopt if the queue runs.
    std::optional<double> paused_at = std::nullopt;
};

class ClaimWaker;

/// A queue by name. The first job creates it. Copies are the same queue; any thread may use it.
class Queue {
public:
    const std::string& name() const noexcept { return name_; }

    /// Add a job, which is due delay_sec seconds from now. Returns its id.
    ///
    /// The payload is a json; a text is JSON text. Throws InvalidArgumentError for a text that is no JSON and for
    /// values outside their range: delay_sec up to 100 years, priority within 2^53.
    std::int64_t enqueue(const json& payload, double delay_sec = 0, std::int64_t priority = 0) const;
    /// Add a job with further options.
    std::int64_t enqueue(const json& payload, const EnqueueOptions& options) const;
    /// Add a job that exists if and only if the transaction commits.
    ///
    /// Throws InvalidArgumentError for a transaction on another file.
    std::int64_t enqueue_tx(const Transaction& tx, const json& payload, double delay_sec = 0,
                            std::int64_t priority = 0) const;
    std::int64_t enqueue_tx(const Transaction& tx, const json& payload, const EnqueueOptions& options) const;

    template <class Text, class = detail::IfText<Text>>
    std::int64_t enqueue(const Text& text, double delay_sec = 0, std::int64_t priority = 0) const {
        return enqueue_text(nullptr, detail::checked(text), simple(delay_sec, priority));
    }
    template <class Text, class = detail::IfText<Text>>
    std::int64_t enqueue(const Text& text, const EnqueueOptions& options) const {
        return enqueue_text(nullptr, detail::checked(text), options);
    }
    template <class Text, class = detail::IfText<Text>>
    std::int64_t enqueue_tx(const Transaction& tx, const Text& text, double delay_sec = 0,
                            std::int64_t priority = 0) const {
        return enqueue_text(&tx, detail::checked(text), simple(delay_sec, priority));
    }
    template <class Text, class = detail::IfText<Text>>
    std::int64_t enqueue_tx(const Transaction& tx, const Text& text, const EnqueueOptions& options) const {
        return enqueue_text(&tx, detail::checked(text), options);
    }

    /// Add a job for each payload, all or none. The options apply to all. Returns their ids, in order.
    ///
    /// Up to 100,000 payloads. Each one is a json, so a string is a JSON string here. Throws InvalidArgumentError as
    /// enqueue does.
    std::vector<std::int64_t> enqueue_many(const std::vector<json>& payloads, const EnqueueOptions& options = {}) const;
    /// Add jobs that exist if and only if the transaction commits.
    std::vector<std::int64_t> enqueue_many_tx(const Transaction& tx, const std::vector<json>& payloads,
                                              const EnqueueOptions& options = {}) const;

    /// Lease the first due job to a worker, or return nullopt if no job is due. It does not wait; see claim_waker().
    ///
    /// A job whose lease expires before it is settled runs again, so handlers must tolerate repeats.
    std::optional<Job> claim_one(const std::string& worker) const;
    /// Lease up to n due jobs, 0 to 10,000: highest priority first, then the earliest start, then the lowest id.
    std::vector<Job> claim_batch(const std::string& worker, std::int64_t n) const;
    /// Return an object that waits for jobs. It costs nothing until it waits.
    ClaimWaker claim_waker() const;

    /// Acknowledge jobs of a worker. Returns the number of those whose claims were held.
    std::int64_t ack_batch(const std::vector<std::int64_t>& ids, const std::string& worker) const;
    /// Remove a job of this queue that waits or is leased. Returns true if there was one.
    bool cancel(std::int64_t id) const;
    /// Put a dead letter back among the waiting jobs, due at once, with all its attempts. Returns true if there was
    /// one.
    ///
    /// Throws an Error with code HONKER_UNIQUE_KEY_TAKEN if another job has its unique key.
    bool requeue(std::int64_t id) const;
    /// Return a job of this queue that waits or is leased as a JSON object; "" if there is none.
    std::string get_job_json(std::int64_t id) const;
    /// Dead-letter every expired job. Returns their number. Claims do the same for jobs that they meet.
    std::int64_t sweep_expired() const;

    /// Change the settings that the object names, and return all. Every process and language obeys them.
    ///
    /// The settings are concurrency, concurrency_per_key, ordered, on_dead ("block", "continue"), rate and rate_per_key
    /// (a number of starts and seconds), burst and keep_finished_s; null removes one. A lower limit stops nothing that
    /// runs. Throws InvalidArgumentError for an unknown setting and for a value outside its range.
    ///
    /// @code
    /// queue.configure({{"concurrency", 3}, {"rate", {100, 60}}});
    /// @endcode
    json configure(const json& changes) const;
    /// Return the settings as an object. null means no limit.
    json settings() const;
    /// Stop claims in every process until resume(). Returns true if the queue was running.
    bool pause() const;
    /// Allow claims again. Returns true if the queue was paused.
    bool resume() const;
    /// Count the jobs by state.
    QueueStats stats() const;

    /// Save the result of a job; see Database::save_result.
    void save_result(std::int64_t id, const json& value, double ttl_s = 0) const;
    template <class Text, class = detail::IfText<Text>>
    void save_result(std::int64_t id, const Text& value, double ttl_s = 0) const {
        save_result_text(id, std::string(std::string_view(value)), ttl_s);
    }

private:
    friend class Database;
    friend class Outbox;
    friend class ClaimWaker;
    Queue(std::shared_ptr<detail::Core> core, std::string name, double visibility_timeout_s, std::int64_t max_attempts);

    static EnqueueOptions simple(double delay_sec, std::int64_t priority);
    std::int64_t enqueue_text(const Transaction* tx, const std::string& text, const EnqueueOptions& options) const;
    std::vector<std::int64_t> insert_many(const Transaction* tx, const std::vector<json>& payloads,
                                          const EnqueueOptions& options) const;
    void save_result_text(std::int64_t id, const std::string& value, double ttl_s) const;
    std::optional<Job> claim_or_stop(const std::string& worker, const Stop& stop) const;
    std::chrono::milliseconds until_claim() const;
    std::vector<Job> jobs(const std::string& rows) const;

    std::shared_ptr<detail::Core> core_;
    std::string name_;
    double visibility_timeout_s_;
    std::int64_t max_attempts_;
};

/// Waits for jobs of a queue. Several threads may wait on one.
class ClaimWaker {
public:
    /// Claim the next job. While no job is due, wait without polling for a commit of any process, for the time at which
    /// a delayed job becomes due, or for the end of a lease; 5 s at most between two looks.
    ///
    /// Returns nullopt after a request of stop, and after the timeout. No job is lost then. Throws ClosedError if the
    /// waker or the database is closed, and WatcherError if the file was replaced. Do not call it on a thread that has
    /// an open Transaction of this database: that is an InvalidArgumentError.
    std::optional<Job> next(const std::string& worker, const Stop& stop = never(),
                            std::optional<std::chrono::milliseconds> timeout = std::nullopt) const;

    /// End the waits with ClosedError. Closing again does nothing.
    void close() const noexcept { closed_.request(); }

private:
    friend class Queue;
    explicit ClaimWaker(Queue queue) : queue_(std::move(queue)) {}
    static const Stop& never();

    Queue queue_;
    Stop closed_;
};

}  // namespace honker

#endif
