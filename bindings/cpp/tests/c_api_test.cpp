#include "fixture.hpp"

#include <honker/honker_cpp.h>
#include <sqlite3.h>
#include <cstring>

using honker::json;

class CFunctions : public WithDatabase {
protected:
    CFunctions() { EXPECT_EQ(honker_cpp_open(path().c_str(), nullptr, &c), HONKER_CPP_OK) << honker_cpp_last_error(); }
    ~CFunctions() override { honker_cpp_close(c); }

    static json taken(char* text) {
        const json value = text == nullptr ? json(nullptr) : json::parse(text);
        honker_cpp_free(text);
        return value;
    }

    sqlite3* c = nullptr;
};

TEST_F(CFunctions, Jobs_are_enqueued_claimed_and_settled) {
    std::int64_t id = 0;
    ASSERT_EQ(honker_cpp_enqueue(c, "q", R"({"n":1})", 0, 0, 3, &id), HONKER_CPP_OK);
    char* job = nullptr;
    ASSERT_EQ(honker_cpp_claim_one(c, "q", "w", 300, &job), HONKER_CPP_OK);
    EXPECT_EQ(taken(job)["id"], id);
    ASSERT_EQ(honker_cpp_claim_one(c, "q", "w", 300, &job), HONKER_CPP_OK);
    EXPECT_EQ(job, nullptr);
    int held = 0;
    EXPECT_EQ(honker_cpp_heartbeat(c, id, "w", 60, &held), HONKER_CPP_OK);
    EXPECT_EQ(held, 1);
    EXPECT_EQ(honker_cpp_retry(c, id, "w", 0, "busy", &held), HONKER_CPP_OK);
    char* jobs = nullptr;
    EXPECT_EQ(honker_cpp_claim_batch(c, "q", "w", 5, 300, &jobs), HONKER_CPP_OK);
    EXPECT_EQ(taken(jobs).size(), 1U);
    EXPECT_EQ(honker_cpp_ack(c, id, "w", &held), HONKER_CPP_OK);
    EXPECT_EQ(held, 1);
    EXPECT_EQ(honker_cpp_get_job(c, id, &job), HONKER_CPP_OK);
    EXPECT_EQ(job, nullptr);
}

TEST_F(CFunctions, A_transaction_commits_or_rolls_back) {
    EXPECT_EQ(honker_cpp_begin_tx(c), HONKER_CPP_OK);
    EXPECT_EQ(honker_cpp_enqueue(c, "q", "1", 0, 0, 3, nullptr), HONKER_CPP_OK);
    EXPECT_EQ(honker_cpp_rollback_tx(c), HONKER_CPP_OK);
    EXPECT_EQ(honker_cpp_commit_tx(c), HONKER_CPP_ERROR_SQL);
    EXPECT_FALSE(db->queue("q").claim_one("w"));
}

TEST_F(CFunctions, Everything_else_answers) {
    std::int64_t number = 0;
    int flag = 0;
    char* text = nullptr;
    EXPECT_EQ(honker_cpp_stream_publish(c, "t", nullptr, "1", &number), 0);
    EXPECT_EQ(honker_cpp_stream_read_since(c, "t", 0, 10, &text), 0);
    EXPECT_EQ(taken(text).at(0)["offset"], number);
    EXPECT_EQ(honker_cpp_stream_save_offset(c, "c", "t", number, &flag), 0);
    EXPECT_EQ(flag, 1);
    EXPECT_EQ(honker_cpp_stream_get_offset(c, "c", "t", &number), 0);
    EXPECT_EQ(number, 1);
    EXPECT_EQ(honker_cpp_scheduler_register(c, "s", "q", "@every 60s", "1", 0, 0, 3), 0);
    EXPECT_EQ(honker_cpp_scheduler_soonest(c, &number), 0);
    EXPECT_GT(number, 0);
    EXPECT_EQ(honker_cpp_scheduler_tick(c, number, &text), 0);
    EXPECT_EQ(taken(text).size(), 1U);
    const std::int64_t priority = 4;
    EXPECT_EQ(honker_cpp_scheduler_update(c, "s", nullptr, nullptr, &priority, nullptr, 0, nullptr, &flag), 0);
    EXPECT_EQ(honker_cpp_scheduler_pause(c, "s", &flag), 0);
    EXPECT_EQ(honker_cpp_scheduler_resume(c, "s", &flag), 0);
    EXPECT_EQ(honker_cpp_scheduler_list(c, &text), 0);
    EXPECT_EQ(taken(text).at(0)["priority"], 4);
    EXPECT_EQ(honker_cpp_scheduler_unregister(c, "s", &flag), 0);
    EXPECT_EQ(honker_cpp_lock_acquire(c, "l", "a", 60, &flag), 0);
    EXPECT_EQ(honker_cpp_lock_heartbeat(c, "l", "a", 60, &flag), 0);
    EXPECT_EQ(honker_cpp_lock_release(c, "l", "a", &flag), 0);
    EXPECT_EQ(flag, 1);
    EXPECT_EQ(honker_cpp_rate_limit_try(c, "r", 1, 60, &flag), 0);
    EXPECT_EQ(honker_cpp_result_save(c, 7, "", 0), 0);
    EXPECT_EQ(honker_cpp_result_get(c, 7, &text), 0);
    EXPECT_STREQ(text, "");
    honker_cpp_free(text);
    EXPECT_EQ(honker_cpp_result_sweep(c, &number), 0);
    EXPECT_EQ(honker_cpp_notify(c, "c", "1", &number), 0);
    EXPECT_EQ(number, 1);
    EXPECT_EQ(honker_cpp_cancel(c, 1, &flag), 0);
    EXPECT_EQ(flag, 1);
    EXPECT_EQ(honker_cpp_sweep_expired(c, "q", &number), 0);
    EXPECT_EQ(honker_cpp_ack_batch(c, "[1]", "w", &number), 0);
    EXPECT_EQ(honker_cpp_fail(c, 1, "w", "x", &flag), 0);
    EXPECT_EQ(flag, 0);
}

TEST_F(CFunctions, Failures_have_codes_and_a_message) {
    sqlite3* none = nullptr;
    EXPECT_EQ(honker_cpp_open(path("none/app.db").c_str(), nullptr, &none), HONKER_CPP_ERROR_OPEN);
    EXPECT_EQ(none, nullptr);
    EXPECT_EQ(honker_cpp_open(path().c_str(), "/none.so", &none), HONKER_CPP_ERROR_LOAD_EXT);
    EXPECT_EQ(honker_cpp_enqueue(c, "", "1", 0, 0, 3, nullptr), HONKER_CPP_ERROR_SQL);
    EXPECT_EQ(std::strncmp(honker_cpp_last_error(), "HONKER_INVALID_ARGUMENT: ", 25), 0) << honker_cpp_last_error();
    EXPECT_EQ(honker_cpp_enqueue(c, nullptr, "1", 0, 0, 3, nullptr), HONKER_CPP_ERROR_SQL);
    EXPECT_EQ(honker_cpp_enqueue(c, "q", "1", 0, 0, 3, nullptr), HONKER_CPP_OK);
    EXPECT_STREQ(honker_cpp_last_error(), "");
}

TEST_F(CFunctions, A_file_of_a_newer_honker_cannot_be_bootstrapped) {
    const std::string other = path("newer.db");
    { const honker::Database made{other}; }
    sqlite3* plain = nullptr;
    sqlite3_open(other.c_str(), &plain);
    sqlite3_exec(plain, "UPDATE _honker_meta SET value = 1000 WHERE key = 'schema_version'", nullptr, nullptr, nullptr);
    sqlite3_close(plain);
    sqlite3* none = nullptr;
    EXPECT_EQ(honker_cpp_open(other.c_str(), nullptr, &none), HONKER_CPP_ERROR_BOOTSTRAP);
}
