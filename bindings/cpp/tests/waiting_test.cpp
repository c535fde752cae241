#include "fixture.hpp"

#include <sqlite3.h>

using honker::Stop;
using Waits = WithDatabase;

TEST_F(Waits, A_waiting_claim_gets_the_job_of_another_handle) {
    const auto waker = db->queue("q").claim_waker();
    std::optional<honker::Job> job;
    Waiting waiting{[&] { job = waker.next("w"); }};
    const honker::Database other{path()};
    other.queue("q").enqueue(1);
    EXPECT_LT(waiting.join(), 2s);
    EXPECT_EQ(job->payload(), 1);
}

TEST_F(Waits, A_waiting_claim_gets_a_delayed_job_when_it_is_due) {
    const auto queue = db->queue("q");
    queue.enqueue(1, 0.3);
    EXPECT_TRUE(queue.claim_waker().next("w", Stop(), 4s));
}

TEST_F(Waits, A_timeout_ends_a_wait) {
    const auto began = std::chrono::steady_clock::now();
    EXPECT_FALSE(db->queue("q").claim_waker().next("w", Stop(), 100ms));
    EXPECT_GE(std::chrono::steady_clock::now() - began, 100ms);
}

TEST_F(Waits, A_request_ends_a_wait_and_takes_no_job) {
    const auto queue = db->queue("q");
    const Stop stop;
    std::optional<honker::Job> job;
    Waiting waiting{[&] { job = queue.claim_waker().next("w", stop); }};
    stop.request();
    EXPECT_LT(waiting.join(), 1s);
    EXPECT_FALSE(job);
    queue.enqueue(1);
    EXPECT_FALSE(queue.claim_waker().next("w", stop));
    EXPECT_EQ(queue.claim_one("w")->attempts(), 1);
}

TEST_F(Waits, A_request_ends_a_claim_that_waits_for_the_write_lock) {
    const auto queue = db->queue("q");
    queue.enqueue(1);
    const honker::Database other{path()};
    const honker::Transaction tx{other.raw()};
    const Stop stop;
    Waiting waiting{[&] { EXPECT_FALSE(queue.claim_waker().next("w", stop)); }};
    stop.request();
    EXPECT_LT(waiting.join(), 1s);
}

TEST_F(Waits, A_flag_ends_a_wait) {
    std::atomic<bool> flag{false};
    Waiting waiting{[&] { db->queue("q").claim_waker().next("w", Stop::when(flag)); }};
    flag = true;
    EXPECT_LT(waiting.join(), 1s);
}

TEST_F(Waits, Closing_the_database_ends_every_wait) {
    auto subscription = db->listen("c");
    std::string claim, notification, result;
    {
        Waiting first{[&] { claim = code_of([&] { db->queue("q").claim_waker().next("w"); }); }};
        Waiting second{[&] { notification = code_of([&] { subscription.recv(60s); }); }};
        Waiting third{[&] { result = code_of([&] { db->wait_result(7); }); }};
        db->close();
        db->close();
    }
    EXPECT_EQ(claim, "HONKER_CLOSED");
    EXPECT_EQ(notification, "HONKER_CLOSED");
    EXPECT_EQ(result, "HONKER_CLOSED");
    EXPECT_EQ(code_of([&] { db->queue("q").enqueue(1); }), "HONKER_CLOSED");
    EXPECT_EQ(code_of([&] { db->raw(); }), "HONKER_CLOSED");
}

TEST_F(Waits, Closing_a_waker_ends_its_wait) {
    const auto waker = db->queue("q").claim_waker();
    std::string code;
    Waiting waiting{[&] { code = code_of([&] { waker.next("w"); }); }};
    waker.close();
    EXPECT_LT(waiting.join(), 1s);
    EXPECT_EQ(code, "HONKER_CLOSED");
}

TEST_F(Waits, A_result_wakes_the_thread_that_waits_for_it) {
    const auto queue = db->queue("q");
    const auto id = queue.enqueue(1);
    std::optional<std::string> result;
    Waiting waiting{[&] { result = db->wait_result(id); }};
    db->save_result(id, R"({"sum": 3})");
    EXPECT_LT(waiting.join(), 2s);
    EXPECT_EQ(result, R"({"sum": 3})");
    EXPECT_EQ(code_of([&] { db->wait_result(99, 50ms); }), "TIMEOUT");
}

TEST_F(Waits, A_dead_job_has_no_result) {
    const auto queue = db->queue("q");
    const auto id = queue.enqueue(1);
    queue.claim_one("w")->fail("broken");
    EXPECT_THROW(db->wait_result(id), honker::JobFailedError);
    const auto gone = queue.enqueue(2);
    queue.claim_one("w")->ack();
    EXPECT_THROW(db->wait_result(gone), honker::ResultGoneError);
}

TEST_F(Waits, A_scheduler_fires_and_releases_its_lock) {
    const auto scheduler = db->scheduler();
    scheduler.add("often", "q", "@every 1s", {{"n", 1}});
    std::atomic<bool> stop{false};
    std::thread running{[&] { scheduler.run(stop, "a"); }};
    const auto job = db->queue("q").claim_waker().next("w", Stop(), 10s);
    stop = true;
    running.join();
    ASSERT_TRUE(job);
    EXPECT_EQ(job->payload()["n"], 1);
    EXPECT_TRUE(db->try_lock("honker-scheduler", "b"));
}

TEST_F(Waits, Updates_are_waited_for_and_marked) {
    db->start_update_watcher();
    while (db->wait_update(50)) {
    }
    EXPECT_FALSE(db->wait_update(0));
    Waiting waiting{[&] { EXPECT_TRUE(db->wait_update(5000)); }};
    db->queue("q").enqueue(1);
    waiting.join();
    db->mark_updated();
    EXPECT_TRUE(db->wait_update(0));
    db->stop_update_watcher();
}

TEST_F(Waits, A_replaced_file_is_a_typed_error) {
    std::string code;
    Waiting waiting{[&] { code = code_of([&] { db->queue("q").claim_waker().next("w"); }); }};
    std::filesystem::rename(path(), path("old.db"));
    std::filesystem::copy_file(path("old.db"), path());
    waiting.join();
    EXPECT_EQ(code, "HONKER_WATCHER");
}
