// The agent of the conformance suite; conformance/README.md describes its protocol.
#include <honker.hpp>

#include <sqlite3.h>

#include <condition_variable>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

namespace {

using honker::json;

/// An outbox that keeps the payloads that it delivers.
struct KeepingOutbox {
    struct Delivered {
        std::mutex mutex;
        json payloads = json::array();
    };
    std::shared_ptr<Delivered> delivered = std::make_shared<Delivered>();
    std::optional<honker::Outbox> outbox;
};

/// A transaction, which cannot be moved.
using Tx = std::shared_ptr<honker::Transaction>;
using Object =
    std::variant<std::shared_ptr<honker::Database>, Tx, std::shared_ptr<honker::Queue>, std::shared_ptr<honker::Job>,
                 std::shared_ptr<honker::Lock>, std::shared_ptr<honker::Stream>, std::shared_ptr<honker::Subscription>,
                 std::shared_ptr<honker::StreamSubscription>, std::shared_ptr<honker::Scheduler>,
                 std::shared_ptr<KeepingOutbox>>;

/// The result of a call: a value to write, and an object to store.
struct Made {
    json value = nullptr;
    std::optional<Object> object = std::nullopt;
    std::vector<Object> elements = {};
    bool is_cancelled = false;
};

template <class T>
Object object_of(T value) {
    return std::make_shared<T>(std::move(value));
}

json plain(const honker::Job& job) {
    return {{"id", job.id()},
            {"queue", job.queue()},
            {"payload", job.payload()},
            {"worker_id", job.worker_id()},
            {"attempts", job.attempts()}};
}

json plain(const honker::StreamEvent& event) {
    return {{"offset", event.offset},
            {"topic", event.topic},
            {"key", event.key ? json(*event.key) : json(nullptr)},
            {"payload", event.payload},
            {"created_at", event.created_at}};
}

json plain(const honker::Notification& notification) {
    return {{"id", notification.id}, {"channel", notification.channel}, {"payload", notification.payload}};
}

json plain(const std::vector<honker::StreamEvent>& events) {
    json values = json::array();
    for (const auto& each : events) {
        values.push_back(plain(each));
    }
    return values;
}

/// A job, an event or a notification of a wait that may have been cancelled.
template <class T>
Made awaited(const std::optional<T>& found) {
    Made made;
    made.is_cancelled = !found.has_value();
    if (found) {
        made.value = plain(*found);
    }
    return made;
}

template <class T>
std::optional<T> optional_of(const json& arguments, const char* key) {
    const auto found = arguments.find(key);
    return found == arguments.end() || found->is_null() ? std::nullopt : std::optional(found->get<T>());
}

/// The first column of the first row, with its type.
json first_cell(sqlite3* db, const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
        throw std::runtime_error(sqlite3_errmsg(db));
    }
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> finalize(statement, sqlite3_finalize);
    json cell = nullptr;
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_blob(statement, 0));
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, 0));
        switch (sqlite3_column_type(statement, 0)) {
        case SQLITE_INTEGER: cell = {{"type", "integer"}, {"value", sqlite3_column_int64(statement, 0)}}; break;
        case SQLITE_FLOAT: cell = {{"type", "real"}, {"value", sqlite3_column_double(statement, 0)}}; break;
        case SQLITE_NULL: cell = {{"type", "null"}, {"value", nullptr}}; break;
        case SQLITE_TEXT: cell = {{"type", "text"}, {"value", text == nullptr ? "" : std::string(text, size)}}; break;
        default: {
            std::string digits;
            for (std::size_t index = 0; index < size; ++index) {
                constexpr const char* hex = "0123456789abcdef";
                const auto byte = static_cast<unsigned char>(text[index]);
                digits += {hex[byte >> 4], hex[byte & 15]};
            }
            cell = {{"type", "blob"}, {"value", digits}};
        }
        }
    }
    while (rc == SQLITE_ROW) {
        rc = sqlite3_step(statement);
    }
    if (rc != SQLITE_DONE) {
        throw std::runtime_error(sqlite3_errmsg(db));
    }
    return cell;
}

/// A request of the suite, with the objects that it names.
struct Request {
    json args;
    std::optional<Object> target;
    Tx tx;
    honker::Stop stop;

    template <class T>
    T get(const char* key) const {
        return args.at(key).get<T>();
    }
    std::string text(const char* key) const { return get<std::string>(key); }
    template <class T>
    T& on() const {
        return *std::get<std::shared_ptr<T>>(target.value());
    }
    honker::Database& db() const { return on<honker::Database>(); }
};

using Call = std::function<Made(const Request&)>;
using Calls = std::map<std::string, Call>;

Made open(const Request& request) {
    auto db = std::make_shared<honker::Database>(request.text("path"));
    return {true, Object(db)};
}

Made listen(const Request& request) {
    return {true, object_of(request.db().listen(request.text("channel")))};
}

Made make_queue(const Request& request) {
    return {true, object_of(request.db().queue(request.text("name"), request.args.value("visibility_timeout_s", 300.0),
                                               request.args.value("max_attempts", std::int64_t{3})))};
}

Made make_outbox(const Request& request) {
    auto made = std::make_shared<KeepingOutbox>();
    const auto deliver = [delivered = made->delivered](const json& payload) {
        if (payload.is_object() && payload.value("refuse", false)) {
            throw std::runtime_error("refused");
        }
        const std::lock_guard<std::mutex> guard(delivered->mutex);
        delivered->payloads.push_back(payload);
    };
    made->outbox =
        request.db().outbox(request.text("name"), deliver, 60, request.args.value("max_attempts", std::int64_t{5}),
                            request.args.value("base_backoff_s", std::int64_t{5}));
    return {true, Object(made)};
}

Made try_lock(const Request& request) {
    auto lock = request.db().try_lock(request.text("name"), request.text("owner"), request.get<double>("ttl_s"));
    return lock ? Made{true, object_of(std::move(*lock))} : Made{false};
}

Made wait_result(const Request& request) {
    std::optional<std::chrono::milliseconds> timeout;
    if (const auto seconds = optional_of<double>(request.args, "timeout_s")) {
        timeout = std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
    }
    const auto found = request.db().wait_result(request.get<std::int64_t>("job_id"), timeout, request.stop);
    Made made;
    made.is_cancelled = !found;
    if (found) {
        made.value = *found;
    }
    return made;
}

Made notify(const Request& request) {
    const json& payload = request.args.at("payload");
    return {request.tx ? request.db().notify_tx(*request.tx, request.text("channel"), payload)
                       : request.db().notify(request.text("channel"), payload)};
}

Made get_result(const Request& request) {
    const auto found = request.db().get_result(request.get<std::int64_t>("job_id"));
    return {found ? json(*found) : json(nullptr)};
}

const Calls database_calls = {
    {"close", [](const Request& r) { return r.db().close(), Made{}; }},
    {"sql", [](const Request& r) { return Made{first_cell(r.tx ? r.tx->raw() : r.db().raw(), r.text("sql"))}; }},
    {"begin",
     [](const Request& r) {
         return Made{true, Object(std::make_shared<honker::Transaction>(r.db().raw()))};
     }},
    {"queue", make_queue},
    {"stream",
     [](const Request& r) {
         return Made{true, object_of(r.db().stream(r.text("name")))};
     }},
    {"scheduler",
     [](const Request& r) {
         return Made{true, object_of(r.db().scheduler())};
     }},
    {"outbox", make_outbox},
    {"notify", notify},
    {"listen", listen},
    {"try_lock", try_lock},
    {"try_rate_limit",
     [](const Request& r) {
         return Made{r.db().try_rate_limit(r.text("name"), r.get<std::int64_t>("limit"), r.get<double>("per_s"))};
     }},
    {"save_result",
     [](const Request& r) {
         r.db().save_result(r.get<std::int64_t>("job_id"), r.text("value"), r.args.value("ttl_s", 0.0));
         return Made{};
     }},
    {"get_result", get_result},
    {"wait_result", wait_result},
};

const Calls transaction_calls = {
    {"execute", [](const Request& r) { return r.on<honker::Transaction>().execute(r.text("sql")), Made{}; }},
    {"commit", [](const Request& r) { return r.on<honker::Transaction>().commit(), Made{}; }},
    {"rollback", [](const Request& r) { return r.on<honker::Transaction>().rollback(), Made{}; }},
};

Made enqueue(const Request& request) {
    honker::EnqueueOptions options;
    options.delay = optional_of<double>(request.args, "delay");
    options.run_at = optional_of<double>(request.args, "run_at");
    options.priority = request.args.value("priority", std::int64_t{0});
    options.expires = optional_of<double>(request.args, "expires");
    const auto& queue = request.on<honker::Queue>();
    const json& payload = request.args.at("payload");
    return {request.tx ? queue.enqueue_tx(*request.tx, payload, options) : queue.enqueue(payload, options)};
}

Made claimed(std::optional<honker::Job> job) {
    if (!job) {
        return {};
    }
    json value = plain(*job);
    return {std::move(value), object_of(std::move(*job))};
}

Made claim_batch(const Request& request) {
    Made made{json::array()};
    for (auto& job : request.on<honker::Queue>().claim_batch(request.text("worker"), request.get<std::int64_t>("n"))) {
        made.value.push_back(plain(job));
        made.elements.push_back(object_of(std::move(job)));
    }
    return made;
}

Made next_job(const Request& request) {
    Made made = claimed(request.on<honker::Queue>().claim_waker().next(request.text("worker"), request.stop));
    made.is_cancelled = !made.object;
    return made;
}

Made work(const Request& request) {
    const auto waker = request.on<honker::Queue>().claim_waker();
    json done = json::array();
    while (const auto job = waker.next(request.text("worker"), request.stop)) {
        if (job->ack()) {
            done.push_back(job->id());
        }
    }
    Made made{done};
    made.is_cancelled = true;
    return made;
}

Made get_job(const Request& request) {
    const std::string text = request.on<honker::Queue>().get_job_json(request.get<std::int64_t>("id"));
    return {text.empty() ? json(nullptr) : json::parse(text)};
}

const Calls queue_calls = {
    {"enqueue", enqueue},
    {"claim_one", [](const Request& r) { return claimed(r.on<honker::Queue>().claim_one(r.text("worker"))); }},
    {"claim_batch", claim_batch},
    {"next_job", next_job},
    {"ack_batch",
     [](const Request& r) {
         return Made{r.on<honker::Queue>().ack_batch(r.get<std::vector<std::int64_t>>("ids"), r.text("worker"))};
     }},
    {"cancel_job", [](const Request& r) { return Made{r.on<honker::Queue>().cancel(r.get<std::int64_t>("id"))}; }},
    {"get_job", get_job},
    {"sweep_expired", [](const Request& r) { return Made{r.on<honker::Queue>().sweep_expired()}; }},
    {"work", work},
};

const Calls job_calls = {
    {"ack", [](const Request& r) { return Made{r.on<honker::Job>().ack()}; }},
    {"retry",
     [](const Request& r) { return Made{r.on<honker::Job>().retry(r.get<double>("delay_s"), r.text("error"))}; }},
    {"fail", [](const Request& r) { return Made{r.on<honker::Job>().fail(r.text("error"))}; }},
    {"heartbeat", [](const Request& r) { return Made{r.on<honker::Job>().heartbeat(r.get<double>("extend_s"))}; }},
};

const Calls lock_calls = {
    {"release", [](const Request& r) { return Made{r.on<honker::Lock>().release()}; }},
    {"heartbeat", [](const Request& r) { return Made{r.on<honker::Lock>().heartbeat(r.get<double>("ttl_s"))}; }},
};

Made publish(const Request& request) {
    const auto& stream = request.on<honker::Stream>();
    const auto key = optional_of<std::string>(request.args, "key");
    const json& payload = request.args.at("payload");
    return {request.tx ? stream.publish_tx(*request.tx, payload, key) : stream.publish(payload, key)};
}

Made save_offset(const Request& request) {
    const auto& stream = request.on<honker::Stream>();
    const auto offset = request.get<std::int64_t>("offset");
    return {request.tx ? stream.save_offset_tx(*request.tx, request.text("consumer"), offset)
                       : stream.save_offset(request.text("consumer"), offset)};
}

Made subscribe(const Request& request) {
    return {true, object_of(request.on<honker::Stream>().subscribe(
                      request.text("consumer"), request.args.value("save_every_n", std::int64_t{1000})))};
}

const Calls stream_calls = {
    {"publish", publish},
    {"read_since",
     [](const Request& r) {
         return Made{
             plain(r.on<honker::Stream>().read_since(r.get<std::int64_t>("offset"), r.get<std::int64_t>("limit")))};
     }},
    {"read_from_consumer",
     [](const Request& r) {
         return Made{
             plain(r.on<honker::Stream>().read_from_consumer(r.text("consumer"), r.get<std::int64_t>("limit")))};
     }},
    {"save_offset", save_offset},
    {"get_offset", [](const Request& r) { return Made{r.on<honker::Stream>().get_offset(r.text("consumer"))}; }},
    {"subscribe", subscribe},
};

const Calls listener_calls = {
    {"next", [](const Request& r) { return awaited(r.on<honker::Subscription>().recv(r.stop)); }},
    {"close", [](const Request& r) { return r.on<honker::Subscription>().close(), Made{}; }},
};

const Calls subscription_calls = {
    {"next", [](const Request& r) { return awaited(r.on<honker::StreamSubscription>().next(r.stop)); }},
    {"close", [](const Request& r) { return r.on<honker::StreamSubscription>().close(), Made{}; }},
};

Made add(const Request& request) {
    request.on<honker::Scheduler>().add(request.text("name"), request.text("queue"), request.text("schedule"),
                                        request.args.at("payload"), request.args.value("priority", std::int64_t{0}),
                                        optional_of<std::int64_t>(request.args, "expires_s"),
                                        request.args.value("max_attempts", std::int64_t{3}));
    return {};
}

Made update(const Request& request) {
    honker::ScheduleUpdate changes;
    changes.cron_expr = optional_of<std::string>(request.args, "schedule");
    changes.payload = optional_of<json>(request.args, "payload");
    changes.priority = optional_of<std::int64_t>(request.args, "priority");
    if (request.args.contains("expires_s")) {
        changes.expires_s = optional_of<std::int64_t>(request.args, "expires_s");
    }
    changes.max_attempts = optional_of<std::int64_t>(request.args, "max_attempts");
    return {request.on<honker::Scheduler>().update(request.text("name"), changes)};
}

/// A wait that its cancellation ends.
Made cancelled() {
    Made made;
    made.is_cancelled = true;
    return made;
}

const Calls scheduler_calls = {
    {"add", add},
    {"remove", [](const Request& r) { return Made{r.on<honker::Scheduler>().remove(r.text("name"))}; }},
    {"pause", [](const Request& r) { return Made{r.on<honker::Scheduler>().pause(r.text("name"))}; }},
    {"resume", [](const Request& r) { return Made{r.on<honker::Scheduler>().resume(r.text("name"))}; }},
    {"update", update},
    {"list", [](const Request& r) { return Made{json::parse(r.on<honker::Scheduler>().list_json())}; }},
    {"tick", [](const Request& r) { return Made{r.on<honker::Scheduler>().tick().size()}; }},
    {"soonest", [](const Request& r) { return Made{r.on<honker::Scheduler>().soonest()}; }},
    {"run", [](const Request& r) { return r.on<honker::Scheduler>().run(r.stop, r.text("owner")), cancelled(); }},
};

Made outbox_enqueue(const Request& request) {
    const auto& outbox = *request.on<KeepingOutbox>().outbox;
    const json& payload = request.args.at("payload");
    return {request.tx ? outbox.enqueue_tx(*request.tx, payload) : outbox.enqueue(payload)};
}

Made delivered(const Request& request) {
    const auto& kept = request.on<KeepingOutbox>().delivered;
    const std::lock_guard<std::mutex> guard(kept->mutex);
    return {kept->payloads};
}

const Calls outbox_calls = {
    {"enqueue", outbox_enqueue},
    {"run", [](const Request& r) { return r.on<KeepingOutbox>().outbox->run(r.text("worker"), r.stop), cancelled(); }},
    {"delivered", delivered},
};

/// By the index of the object's kind.
const std::vector<const Calls*> calls_by_kind = {
    &database_calls, &transaction_calls, &queue_calls,        &job_calls,       &lock_calls,
    &stream_calls,   &listener_calls,    &subscription_calls, &scheduler_calls, &outbox_calls};

json described(const std::exception& error) {
    const auto* known = dynamic_cast<const honker::Error*>(&error);
    const std::string code = known == nullptr ? "std::exception" : known->code();
    return {{"error", {{"code", code}, {"message", error.what()}}}};
}

class Agent {
public:
    ~Agent() {
        for (auto& each : threads_) {
            each.join();
        }
    }

    void handle(const json& line) {
        const auto number = line.at("id").get<std::int64_t>();
        Request request{line.at("args"), std::nullopt, nullptr, {}};
        try {
            const Call call = find(line, request);
            if (!line.value("background", false)) {
                write(number, made(line, call, request));
                return;
            }
            const std::lock_guard<std::mutex> guard(mutex_);
            stops_[number] = request.stop;
            threads_.emplace_back([this, line, call, request, number] {
                write(number, made(line, call, request));
                const std::lock_guard<std::mutex> ended(mutex_);
                stops_.erase(number);
            });
        } catch (const std::exception& error) {
            write(number, described(error));
        }
    }

private:
    Call find(const json& line, Request& request) {
        const std::lock_guard<std::mutex> guard(mutex_);
        const auto name = line.at("call").get<std::string>();
        if (name == "open") {
            return open;
        }
        if (name == "cancel") {
            return [this](const Request& cancel) { return request_stop(cancel.args.at("call")), Made{}; };
        }
        request.target = objects_.at(line.at("on").get<std::string>());
        if (request.args.contains("tx")) {
            request.tx = std::get<Tx>(objects_.at(request.text("tx")));
        }
        return calls_by_kind.at(request.target->index())->at(name);
    }

    /// A call that has ended has no request any more.
    void request_stop(std::int64_t number) {
        const std::lock_guard<std::mutex> guard(mutex_);
        if (const auto found = stops_.find(number); found != stops_.end()) {
            found->second.request();
        }
    }

    json made(const json& line, const Call& call, const Request& request) {
        try {
            const Made result = call(request);
            if (line.contains("as")) {
                store(line.at("as").get<std::string>(), result);
            }
            json answer{{"value", result.value}};
            if (result.is_cancelled) {
                answer["cancelled"] = true;
            }
            return answer;
        } catch (const std::exception& error) {
            return described(error);
        }
    }

    void store(const std::string& name, const Made& result) {
        const std::lock_guard<std::mutex> guard(mutex_);
        if (result.object) {
            objects_.insert_or_assign(name, *result.object);
        }
        for (std::size_t index = 0; index < result.elements.size(); ++index) {
            objects_.insert_or_assign(name + "." + std::to_string(index), result.elements[index]);
        }
    }

    void write(std::int64_t number, json answer) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        answer["id"] = number;
        answer["at"] = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
        const std::lock_guard<std::mutex> guard(output_);
        std::cout << answer.dump() << std::endl;
    }

    std::mutex mutex_, output_;
    std::map<std::string, Object> objects_;
    std::map<std::int64_t, honker::Stop> stops_;
    std::vector<std::thread> threads_;
};

}  // namespace

int main() {
    Agent agent;
    for (std::string line; std::getline(std::cin, line);) {
        agent.handle(json::parse(line));
    }
}
