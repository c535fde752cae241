#include "fixture.hpp"

#include <sqlite3.h>
#include <type_traits>

using honker::json;
using Databases = WithDatabase;

static_assert(!std::is_copy_constructible_v<honker::Database> &&
              std::is_nothrow_move_constructible_v<honker::Database>);
static_assert(!std::is_copy_constructible_v<honker::Lock> && std::is_nothrow_move_constructible_v<honker::Lock>);
static_assert(!std::is_move_constructible_v<honker::Transaction>);

TEST_F(Databases, A_moved_database_is_the_same) {
    honker::Database moved = std::move(*db);
    EXPECT_EQ(moved.queue("q").enqueue(1), 1);
    *db = std::move(moved);
    EXPECT_TRUE(db->queue("q").claim_one("w"));
}

TEST_F(Databases, A_queue_that_outlives_its_database_is_closed) {
    const auto queue = db->queue("q");
    db.reset();
    EXPECT_THROW(queue.enqueue(1), honker::ClosedError);
}

TEST_F(Databases, The_connection_of_the_application_has_the_pragmas) {
    const auto number = [this](const char* sql) {
        sqlite3_stmt* statement = nullptr;
        sqlite3_prepare_v2(db->raw(), sql, -1, &statement, nullptr);
        sqlite3_step(statement);
        const int value = sqlite3_column_int(statement, 0);
        sqlite3_finalize(statement);
        return value;
    };
    EXPECT_EQ(number("PRAGMA busy_timeout"), 5000);
    EXPECT_EQ(number("PRAGMA synchronous"), 1);
    EXPECT_EQ(number("PRAGMA foreign_keys"), 1);
    EXPECT_EQ(number("PRAGMA cache_size"), -32000);
    EXPECT_EQ(number("PRAGMA wal_autocheckpoint"), 10000);
    EXPECT_EQ(number("SELECT honker_clock() > 0"), 1);
}

TEST_F(Databases, Refused_arguments_are_typed_errors) {
    EXPECT_THROW(honker::Database(":memory:"), honker::InvalidArgumentError);
    EXPECT_THROW(honker::Database(""), honker::InvalidArgumentError);
    EXPECT_EQ(code_of([this] { honker::Database(path("none/app.db")); }), "HONKER_CANTOPEN");
    EXPECT_EQ(code_of([this] { honker::Database(path("b.db"), "/none/libhonker_ext.so"); }),
              "HONKER_EXTENSION_NOT_FOUND");
    EXPECT_NE(code_of([this] { honker::Database(path("c.db"), "", "no such backend"); }), "");
    EXPECT_NE(code_of([this] { honker::Database(path("d.db"), "", "", 0); }), "");
}

TEST_F(Databases, A_file_that_is_no_database_is_a_typed_error) {
    std::FILE* file = std::fopen(path("text.db").c_str(), "w");
    std::fputs(std::string(4096, 'x').c_str(), file);
    std::fclose(file);
    EXPECT_EQ(code_of([this] { honker::Database(path("text.db")); }), "HONKER_CORRUPT");
}

TEST_F(Databases, A_lock_has_one_owner_and_ends_with_its_object) {
    {
        auto lock = db->try_lock("l", "a");
        ASSERT_TRUE(lock);
        EXPECT_EQ(lock->name(), "l");
        EXPECT_EQ(lock->owner(), "a");
        EXPECT_TRUE(lock->heartbeat(120));
        EXPECT_FALSE(db->try_lock("l", "b"));
        const honker::Lock moved = std::move(*lock);
        EXPECT_FALSE(lock->release());
        EXPECT_FALSE(db->try_lock("l", "b"));
    }
    auto next = db->try_lock("l", "b");
    ASSERT_TRUE(next);
    EXPECT_TRUE(next->release());
    EXPECT_FALSE(next->release());
}

TEST_F(Databases, A_rate_limit_lets_so_many_pass) {
    EXPECT_TRUE(db->try_rate_limit("r", 1, 3600));
    EXPECT_FALSE(db->try_rate_limit("r", 1, 3600));
    EXPECT_THROW(db->try_rate_limit("r", 0, 60), honker::InvalidArgumentError);
}

TEST_F(Databases, Results_are_saved_as_they_are) {
    EXPECT_FALSE(db->get_result(1));
    db->save_result(1, {{"n", 1}});
    EXPECT_EQ(db->get_result(1), R"({"n":1})");
    db->queue("q").save_result(1, "done", 60);
    EXPECT_EQ(db->get_result(1), "done");
    EXPECT_EQ(db->sweep_results(), 0);
}

TEST_F(Databases, Schedules_are_listed_changed_and_fired) {
    const auto scheduler = db->scheduler();
    EXPECT_EQ(scheduler.soonest(), 0);
    scheduler.add("nightly", "q", "0 3 * * *", R"({"job":"clean"})", 2, 60, 5);
    const auto first = json::parse(scheduler.list_json()).at(0);
    EXPECT_EQ(first["expires_s"], 60);
    EXPECT_EQ(first["max_attempts"], 5);
    const auto fires = scheduler.tick(static_cast<double>(scheduler.soonest()));
    ASSERT_EQ(fires.size(), 1U);
    EXPECT_EQ(fires[0].name, "nightly");
    honker::ScheduleUpdate changes;
    changes.expires_s = std::optional<std::int64_t>();
    changes.payload = json("other");
    EXPECT_TRUE(scheduler.update("nightly", changes));
    EXPECT_TRUE(json::parse(scheduler.list_json()).at(0)["expires_s"].is_null());
    EXPECT_TRUE(scheduler.update("nightly", "@every 60s"));
    EXPECT_FALSE(scheduler.update("nightly", honker::ScheduleUpdate{}));
    EXPECT_TRUE(scheduler.pause("nightly"));
    EXPECT_TRUE(scheduler.resume("nightly"));
    EXPECT_TRUE(scheduler.remove("nightly"));
    EXPECT_THROW(scheduler.add("bad", "q", "61 * * * *", nullptr), honker::InvalidArgumentError);
}

TEST_F(Databases, An_interrupted_statement_is_a_typed_error) {
    sqlite3_progress_handler(
        db->raw(), 1, [](void*) { return 1; }, nullptr);
    EXPECT_EQ(code_of([this] { honker::Transaction{db->raw()}; }), "HONKER_INTERRUPTED");
    sqlite3_progress_handler(db->raw(), 0, nullptr, nullptr);
}
