#include "connection.hpp"
#include "honker/database.hpp"
#include "honker/honker_cpp.h"

#include <sqlite3.h>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

using honker::detail::Value;
using honker::detail::Values;

thread_local std::string last_error;

/// Run a function and return its code; an exception is HONKER_CPP_ERROR_SQL, or the given code.
template <class Function>
int guarded(Function run, int code = HONKER_CPP_ERROR_SQL) noexcept {
    try {
        last_error.clear();
        run();
        return HONKER_CPP_OK;
    } catch (const std::exception& error) {
        try {
            last_error = error.what();
        } catch (const std::bad_alloc&) {
            last_error.clear();
        }
    } catch (...) {
        last_error = "HONKER_INTERNAL: an unknown exception";
    }
    return code;
}

Value text(const char* from) {
    return from == nullptr ? Value(nullptr) : Value(std::string(from));
}

Value number(const std::int64_t* from) {
    return from == nullptr ? Value(nullptr) : Value(*from);
}

Value unless_zero(std::int64_t from) {
    Value made(nullptr);
    if (from != 0) {
        made = from;
    }
    return made;
}

char* copied(const std::string& from) {
    auto* to = static_cast<char*>(std::malloc(from.size() + 1));
    if (to == nullptr) {
        throw std::bad_alloc();
    }
    std::memcpy(to, from.c_str(), from.size() + 1);
    return to;
}

void store(const Value& value, int* to) {
    *to = value.truth() ? 1 : 0;
}
void store(const Value& value, std::int64_t* to) {
    *to = value.integer();
}
void store(const Value& value, char** to) {
    *to = value.is_null() || value.text().empty() ? nullptr : copied(value.text());
}

template <class Result>
int call(sqlite3* db, const char* sql, const Values& arguments, Result* result) noexcept {
    return guarded([&] {
        const Value value = honker::detail::one(db, sql, arguments);
        if (result != nullptr) {
            store(value, result);
        }
    });
}

int run(sqlite3* db, const char* sql) noexcept {
    return guarded([&] { honker::detail::execute(db, sql); });
}

/// The first element of a JSON array as text, or null.
Value first(const Value& array) {
    const auto rows = honker::json::parse(array.text());
    return rows.empty() ? Value(nullptr) : Value(rows.front().dump());
}

}  // namespace

extern "C" {

int honker_cpp_open(const char* path, const char* ext_path, sqlite3** db) {
    *db = nullptr;
    std::string library;
    int code = guarded([&] { library = honker::extension_path(ext_path == nullptr ? "" : ext_path); },
                       HONKER_CPP_ERROR_LOAD_EXT);
    if (code != HONKER_CPP_OK) {
        return code;
    }
    sqlite3* opened = nullptr;
    bool is_unloadable = false;
    code = guarded(
        [&] {
            try {
                opened = honker::detail::Connection(path, library, false).detach();
            } catch (const honker::ExtensionError&) {
                is_unloadable = true;
                throw;
            }
        },
        HONKER_CPP_ERROR_OPEN);
    if (code != HONKER_CPP_OK) {
        return is_unloadable ? HONKER_CPP_ERROR_LOAD_EXT : code;
    }
    code = guarded([&] { honker::bootstrap(opened); }, HONKER_CPP_ERROR_BOOTSTRAP);
    if (code != HONKER_CPP_OK) {
        sqlite3_close_v2(opened);
        return code;
    }
    *db = opened;
    return HONKER_CPP_OK;
}

void honker_cpp_close(sqlite3* db) {
    sqlite3_close_v2(db);
}

const char* honker_cpp_last_error(void) {
    return last_error.c_str();
}

void honker_cpp_free(char* text) {
    std::free(text);
}

int honker_cpp_begin_tx(sqlite3* db) {
    return run(db, "BEGIN IMMEDIATE");
}

int honker_cpp_commit_tx(sqlite3* db) {
    return run(db, "COMMIT");
}

int honker_cpp_rollback_tx(sqlite3* db) {
    return run(db, "ROLLBACK");
}

int honker_cpp_enqueue(sqlite3* db, const char* queue, const char* payload, int64_t delay_s, int64_t priority,
                       int64_t max_attempts, int64_t* id) {
    const Value delay = unless_zero(delay_s);
    return call(db, "SELECT honker_enqueue(?, ?, NULL, ?, ?, ?, NULL)",
                {text(queue), text(payload), delay, std::int64_t{priority}, std::int64_t{max_attempts}}, id);
}

int honker_cpp_claim_one(sqlite3* db, const char* queue, const char* worker, int64_t timeout_s, char** job) {
    return guarded([&] {
        const Value row = first(honker::detail::one(db, "SELECT honker_claim_batch(?, ?, 1, ?)",
                                                    {text(queue), text(worker), std::int64_t{timeout_s}}));
        if (job != nullptr) {
            store(row, job);
        }
    });
}

int honker_cpp_claim_batch(sqlite3* db, const char* queue, const char* worker, int64_t n, int64_t timeout_s,
                           char** jobs) {
    return call(db, "SELECT honker_claim_batch(?, ?, ?, ?)",
                {text(queue), text(worker), std::int64_t{n}, std::int64_t{timeout_s}}, jobs);
}

int honker_cpp_ack(sqlite3* db, int64_t id, const char* worker, int* was_held) {
    return call(db, "SELECT honker_ack(?, ?)", {std::int64_t{id}, text(worker)}, was_held);
}

int honker_cpp_ack_batch(sqlite3* db, const char* ids, const char* worker, int64_t* count) {
    return call(db, "SELECT honker_ack_batch(?, ?)", {text(ids), text(worker)}, count);
}

int honker_cpp_retry(sqlite3* db, int64_t id, const char* worker, int64_t delay_s, const char* error, int* was_held) {
    return call(db, "SELECT honker_retry(?, ?, ?, ?)",
                {std::int64_t{id}, text(worker), std::int64_t{delay_s}, text(error)}, was_held);
}

int honker_cpp_fail(sqlite3* db, int64_t id, const char* worker, const char* error, int* was_held) {
    return call(db, "SELECT honker_fail(?, ?, ?)", {std::int64_t{id}, text(worker), text(error)}, was_held);
}

int honker_cpp_heartbeat(sqlite3* db, int64_t id, const char* worker, int64_t extend_s, int* was_held) {
    return call(db, "SELECT honker_heartbeat(?, ?, ?)", {std::int64_t{id}, text(worker), std::int64_t{extend_s}},
                was_held);
}

int honker_cpp_cancel(sqlite3* db, int64_t id, int* was_removed) {
    return call(db, "SELECT honker_cancel(?)", {std::int64_t{id}}, was_removed);
}

int honker_cpp_get_job(sqlite3* db, int64_t id, char** job) {
    return call(db, "SELECT honker_get_job(?)", {std::int64_t{id}}, job);
}

int honker_cpp_sweep_expired(sqlite3* db, const char* queue, int64_t* count) {
    return call(db, "SELECT honker_sweep_expired(?)", {text(queue)}, count);
}

int honker_cpp_stream_publish(sqlite3* db, const char* topic, const char* key, const char* payload, int64_t* offset) {
    return call(db, "SELECT honker_stream_publish(?, ?, ?)", {text(topic), text(key), text(payload)}, offset);
}

int honker_cpp_stream_read_since(sqlite3* db, const char* topic, int64_t offset, int64_t limit, char** events) {
    return call(db, "SELECT honker_stream_read_since(?, ?, ?)",
                {text(topic), std::int64_t{offset}, std::int64_t{limit}}, events);
}

int honker_cpp_stream_save_offset(sqlite3* db, const char* consumer, const char* topic, int64_t offset, int* rose) {
    return call(db, "SELECT honker_stream_save_offset(?, ?, ?)", {text(consumer), text(topic), std::int64_t{offset}},
                rose);
}

int honker_cpp_stream_get_offset(sqlite3* db, const char* consumer, const char* topic, int64_t* offset) {
    return call(db, "SELECT honker_stream_get_offset(?, ?)", {text(consumer), text(topic)}, offset);
}

int honker_cpp_scheduler_register(sqlite3* db, const char* name, const char* queue, const char* expr,
                                  const char* payload, int64_t priority, int64_t expires_s, int64_t max_attempts) {
    const Value expires = unless_zero(expires_s);
    return call<int>(db, "SELECT honker_scheduler_register(?, ?, ?, ?, ?, ?, ?)",
                     {text(name), text(queue), text(expr), text(payload), std::int64_t{priority}, expires,
                      std::int64_t{max_attempts}},
                     nullptr);
}

int honker_cpp_scheduler_unregister(sqlite3* db, const char* name, int* existed) {
    return call(db, "SELECT honker_scheduler_unregister(?)", {text(name)}, existed);
}

int honker_cpp_scheduler_tick(sqlite3* db, int64_t now, char** fires) {
    return call(db, "SELECT honker_scheduler_tick(?)", {std::int64_t{now}}, fires);
}

int honker_cpp_scheduler_soonest(sqlite3* db, int64_t* at) {
    return call(db, "SELECT honker_scheduler_soonest()", {}, at);
}

int honker_cpp_scheduler_pause(sqlite3* db, const char* name, int* was_active) {
    return call(db, "SELECT honker_scheduler_pause(?)", {text(name)}, was_active);
}

int honker_cpp_scheduler_resume(sqlite3* db, const char* name, int* was_paused) {
    return call(db, "SELECT honker_scheduler_resume(?)", {text(name)}, was_paused);
}

int honker_cpp_scheduler_list(sqlite3* db, char** schedules) {
    return call(db, "SELECT honker_scheduler_list()", {}, schedules);
}

int honker_cpp_scheduler_update(sqlite3* db, const char* name, const char* expr, const char* payload,
                                const int64_t* priority, const int64_t* expires_s, int touch_expires,
                                const int64_t* max_attempts, int* was_changed) {
    const std::int64_t touch_attempts = max_attempts == nullptr ? 0 : 1;
    return call(db, "SELECT honker_scheduler_update(?, ?, ?, ?, ?, ?, ?, ?)",
                {text(name), text(expr), text(payload), number(priority), number(expires_s),
                 std::int64_t{touch_expires}, number(max_attempts), touch_attempts},
                was_changed);
}

int honker_cpp_lock_acquire(sqlite3* db, const char* name, const char* owner, int64_t ttl_s, int* is_held) {
    return call(db, "SELECT honker_lock_acquire(?, ?, ?)", {text(name), text(owner), std::int64_t{ttl_s}}, is_held);
}

int honker_cpp_lock_release(sqlite3* db, const char* name, const char* owner, int* was_held) {
    return call(db, "SELECT honker_lock_release(?, ?)", {text(name), text(owner)}, was_held);
}

int honker_cpp_lock_heartbeat(sqlite3* db, const char* name, const char* owner, int64_t ttl_s, int* is_held) {
    return call(db, "SELECT honker_lock_renew(?, ?, ?)", {text(name), text(owner), std::int64_t{ttl_s}}, is_held);
}

int honker_cpp_rate_limit_try(sqlite3* db, const char* name, int64_t limit, int64_t per_s, int* passes) {
    return call(db, "SELECT honker_rate_limit_try(?, ?, ?)", {text(name), std::int64_t{limit}, std::int64_t{per_s}},
                passes);
}

int honker_cpp_result_save(sqlite3* db, int64_t id, const char* value, int64_t ttl_s) {
    return call<int>(db, "SELECT honker_result_save(?, ?, ?)", {std::int64_t{id}, text(value), std::int64_t{ttl_s}},
                     nullptr);
}

int honker_cpp_result_get(sqlite3* db, int64_t id, char** value) {
    return guarded([&] {
        const Value found = honker::detail::one(db, "SELECT honker_result_get(?)", {std::int64_t{id}});
        if (value != nullptr) {
            *value = found.is_null() ? nullptr : copied(found.text());  // "" is a result
        }
    });
}

int honker_cpp_result_sweep(sqlite3* db, int64_t* count) {
    return call(db, "SELECT honker_result_sweep()", {}, count);
}

int honker_cpp_notify(sqlite3* db, const char* channel, const char* payload, int64_t* id) {
    return call(db, "SELECT notify(?, ?)", {text(channel), text(payload)}, id);
}

}  // extern "C"
