#include "honker/stream.hpp"

#include "core.hpp"
#include "rows.hpp"

namespace honker {
namespace {

constexpr std::int64_t read_batch = 1000;
constexpr const char* save = "SELECT honker_stream_save_offset(?, ?, ?)";

StreamEvent event_of(const json& row) {
    StreamEvent event;
    event.offset = detail::integer(row, "offset");
    event.topic = row.at("topic");
    if (!row.at("key").is_null()) {
        event.key = row.at("key").get<std::string>();
    }
    event.payload = Payload(row.at("payload").get<std::string>());
    event.created_at = row.at("created_at");
    return event;
}

}  // namespace

Stream::Stream(std::shared_ptr<detail::Core> core, std::string topic)
    : core_(std::move(core)), topic_(std::move(topic)) {}

std::int64_t Stream::publish_text(const Transaction* tx, const std::string& text,
                                  const std::optional<std::string>& key) const {
    return core_->call_in(tx, "SELECT honker_stream_publish(?, ?, ?)", {topic_, key, text}).integer();
}

std::vector<StreamEvent> Stream::read_since(std::int64_t offset, std::int64_t limit) const {
    return read_and_move(offset, limit);
}

std::vector<StreamEvent> Stream::read_and_move(std::int64_t& offset, std::int64_t limit) const {
    const auto rows = core_->ask("SELECT honker_stream_read_since(?, ?, ?)", {topic_, offset, limit});
    std::vector<StreamEvent> events;
    for (const json& row : json::parse(rows.text())) {
        offset = detail::integer(row, "offset");
        if (!detail::is_malformed(row, "offset")) {
            events.push_back(event_of(row));
        }
    }
    return events;
}

std::vector<StreamEvent> Stream::read_from_consumer(const std::string& consumer, std::int64_t limit) const {
    return read_since(get_offset(consumer), limit);
}

bool Stream::save_offset(const std::string& consumer, std::int64_t offset) const {
    return core_->call(save, {consumer, topic_, offset}).truth();
}

bool Stream::save_offset_tx(const Transaction& tx, const std::string& consumer, std::int64_t offset) const {
    return core_->call_in(&tx, save, {consumer, topic_, offset}).truth();
}

std::int64_t Stream::get_offset(const std::string& consumer) const {
    return core_->ask("SELECT honker_stream_get_offset(?, ?)", {consumer, topic_}).integer();
}

StreamSubscription Stream::subscribe(const std::string& consumer, std::int64_t save_every_n,
                                     std::chrono::milliseconds) const {
    return StreamSubscription(*this, consumer, save_every_n);
}

StreamSubscription::StreamSubscription(Stream stream, std::string consumer, std::int64_t save_every_n)
    : stream_(std::move(stream)),
      news_(std::make_unique<detail::News>(stream_.core_)),
      consumer_(std::move(consumer)),
      save_every_n_(save_every_n) {
    read_to_ = offset_ = done_to_ = stream_.get_offset(consumer_);
}

StreamSubscription::StreamSubscription(StreamSubscription&&) noexcept = default;

StreamSubscription::~StreamSubscription() {
    if (news_ == nullptr || save_every_n_ <= 0 || unsaved_ == 0) {
        return;  // moved, or nothing to save
    }
    try {
        save_done();
    } catch (const std::exception&) {
        // The events come again.
    }
}

void StreamSubscription::save_done() {
    stream_.save_offset(consumer_, done_to_);
    unsaved_ = 0;
}

std::optional<StreamEvent> StreamSubscription::next() {
    static const Stop never;
    return next(never);
}

std::optional<StreamEvent> StreamSubscription::next(const Stop& stop,
                                                    std::optional<std::chrono::milliseconds> timeout) {
    const auto deadline = detail::deadline_of(timeout);
    stream_.core_->check_may_wait();
    if (has_handed_out_) {
        has_handed_out_ = false;
        done_to_ = offset_;
        ++unsaved_;
    }
    for (;;) {
        if (closed_.requested()) {
            throw ClosedError("the subscription is closed");
        }
        if (save_every_n_ > 0 && unsaved_ >= save_every_n_) {
            save_done();
        }
        if (stop.requested()) {
            return std::nullopt;
        }
        if (ahead_.empty()) {
            for (StreamEvent& each : stream_.read_and_move(read_to_, read_batch)) {
                ahead_.push_back(std::move(each));
            }
        }
        if (!ahead_.empty()) {
            StreamEvent first = std::move(ahead_.front());
            ahead_.pop_front();
            offset_ = first.offset;
            has_handed_out_ = true;
            return first;
        }
        const auto left = detail::until(deadline, detail::fallback_poll);
        if (!news_->wait(left, stop, closed_) && detail::Clock::now() >= deadline) {
            return std::nullopt;
        }
    }
}

bool StreamSubscription::save_offset() {
    const bool rose = stream_.save_offset(consumer_, offset_);
    done_to_ = offset_;
    has_handed_out_ = false;
    unsaved_ = 0;
    return rose;
}

}  // namespace honker
