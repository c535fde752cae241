/// @file
/// Streams and subscriptions to them.
#ifndef HONKER_STREAM_HPP
#define HONKER_STREAM_HPP

#include "payload.hpp"
#include "stop.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honker {
class Transaction;
namespace detail {
class Core;
class News;
}  // namespace detail

/// An event of a stream.
struct StreamEvent {
    /// The position, from 1. It grows over all topics, so those of a topic have gaps.
    std::int64_t offset = 0;
    std::string topic;
    std::optional<std::string> key = std::nullopt;
    Payload payload;
    /// Unix seconds.
    double created_at = 0;
};

class StreamSubscription;

/// An append-only log of events by topic. Each consumer has an offset in it. Copies are the same stream; any thread may
/// use it.
class Stream {
public:
    const std::string& topic() const noexcept { return topic_; }

    /// Append an event. Returns its offset. A text is JSON text.
    std::int64_t publish(const json& payload, const std::optional<std::string>& key = std::nullopt) const {
        return publish_text(nullptr, detail::encode(payload), key);
    }
    /// Append an event that exists if and only if the transaction commits.
    std::int64_t publish_tx(const Transaction& tx, const json& payload,
                            const std::optional<std::string>& key = std::nullopt) const {
        return publish_text(&tx, detail::encode(payload), key);
    }
    template <class Text, class = detail::IfText<Text>>
    std::int64_t publish(const Text& text, const std::optional<std::string>& key = std::nullopt) const {
        return publish_text(nullptr, detail::checked(text), key);
    }
    template <class Text, class = detail::IfText<Text>>
    std::int64_t publish_tx(const Transaction& tx, const Text& text,
                            const std::optional<std::string>& key = std::nullopt) const {
        return publish_text(&tx, detail::checked(text), key);
    }

    /// Return up to limit events after an offset, in order; 0 is the beginning. It stops after 16 MiB of payloads, so
    /// it may return fewer: read on after the last one until none is returned.
    std::vector<StreamEvent> read_since(std::int64_t offset, std::int64_t limit = 1000) const;
    /// Return up to limit events after the saved offset of a consumer.
    std::vector<StreamEvent> read_from_consumer(const std::string& consumer, std::int64_t limit = 1000) const;

    /// Save the offset of a consumer. Returns true if it rose. Save it after the event was processed, so that a crash
    /// repeats the event instead of losing it.
    bool save_offset(const std::string& consumer, std::int64_t offset) const;
    /// Save the offset if and only if the transaction commits.
    bool save_offset_tx(const Transaction& tx, const std::string& consumer, std::int64_t offset) const;
    /// Return the saved offset of a consumer; 0 if none was saved.
    std::int64_t get_offset(const std::string& consumer) const;

    /// Begin to read after the saved offset of a consumer.
    ///
    /// The offset is saved after save_every_n events, and when the subscription is closed; 0 means never. poll_interval
    /// is accepted for programs of other releases: commits end the wait.
    StreamSubscription subscribe(const std::string& consumer, std::int64_t save_every_n = 1000,
                                 std::chrono::milliseconds poll_interval = std::chrono::milliseconds(100)) const;

private:
    friend class Database;
    friend class StreamSubscription;
    Stream(std::shared_ptr<detail::Core> core, std::string topic);
    std::int64_t publish_text(const Transaction* tx, const std::string& text,
                              const std::optional<std::string>& key) const;
    /// Move offset behind the last row read: malformed rows are no events.
    std::vector<StreamEvent> read_and_move(std::int64_t& offset, std::int64_t limit) const;

    std::shared_ptr<detail::Core> core_;
    std::string topic_;
};

/// The progress of a consumer along a stream. Move-only. One thread reads; any thread may close.
class StreamSubscription {
public:
    /// Close it, and save the offset of the last event that the consumer is done with.
    ~StreamSubscription();
    StreamSubscription(StreamSubscription&&) noexcept;
    StreamSubscription& operator=(StreamSubscription&&) = delete;
    StreamSubscription(const StreamSubscription&) = delete;
    StreamSubscription& operator=(const StreamSubscription&) = delete;

    /// Return the next event. Wait for it without polling.
    ///
    /// The call means that the consumer is done with the event before, whose offset may be saved. Returns nullopt after
    /// a request of stop and after the timeout. Throws ClosedError if this object or the database is closed.
    std::optional<StreamEvent> next();
    std::optional<StreamEvent> next(const Stop& stop, std::optional<std::chrono::milliseconds> timeout = std::nullopt);

    /// Save the offset of the last event that next() has returned. Returns true if the saved offset rose.
    bool save_offset();
    /// The offset of the last event that next() has returned; at first the saved offset.
    std::int64_t offset() const noexcept { return offset_; }

    /// End the wait with ClosedError. Closing again does nothing. The destructor saves the offset.
    void close() const noexcept { closed_.request(); }

private:
    friend class Stream;
    StreamSubscription(Stream stream, std::string consumer, std::int64_t save_every_n);
    void save_done();

    Stream stream_;
    std::unique_ptr<detail::News> news_;
    std::string consumer_;
    std::int64_t save_every_n_;
    std::int64_t read_to_ = 0;
    std::int64_t offset_ = 0;
    /// The offset up to which the consumer is done, and the number of events since the last save.
    std::int64_t done_to_ = 0;
    std::int64_t unsaved_ = 0;
    bool has_handed_out_ = false;
    std::deque<StreamEvent> ahead_;
    Stop closed_;
};

}  // namespace honker

#endif
