#include "fixture.hpp"

using honker::json;
using Flow = WithDatabase;

TEST_F(Flow, Many_jobs_are_added_all_or_none) {
    const auto queue = db->queue("q", 300, 7);
    honker::EnqueueOptions options;
    options.priority = 5;
    options.key = "k";
    const auto ids = queue.enqueue_many({1, "text", {{"n", 1}}}, options);
    ASSERT_EQ(ids.size(), 3U);
    const auto row = json::parse(queue.get_job_json(ids[2]));
    EXPECT_EQ(row["payload"], R"({"n":1})");
    EXPECT_EQ(row["priority"], 5);
    EXPECT_EQ(row["max_attempts"], 7);
    EXPECT_EQ(json::parse(queue.get_job_json(ids[1]))["payload"], R"("text")");
    EXPECT_THROW(queue.enqueue_many({2, json("\xff")}), honker::InvalidArgumentError);
    EXPECT_TRUE(queue.enqueue_many({}).empty());
    EXPECT_EQ(queue.stats().ready, 3);
}

TEST_F(Flow, Many_jobs_exist_if_their_transaction_commits) {
    const auto queue = db->queue("q");
    {
        honker::Transaction tx{db->raw()};
        queue.enqueue_many_tx(tx, {1, 2});
    }
    EXPECT_EQ(queue.stats().ready, 0);
    honker::Transaction tx{db->raw()};
    queue.enqueue_many_tx(tx, {1, 2});
    tx.commit();
    EXPECT_EQ(queue.stats().ready, 2);
}

TEST_F(Flow, A_debounced_job_waits_and_has_the_latest_payload) {
    const auto queue = db->queue("q");
    honker::EnqueueOptions options;
    options.unique_key = "index";
    options.debounce_s = 3600;
    options.debounce_max_s = 7200;
    const auto id = queue.enqueue(1, options);
    EXPECT_EQ(queue.enqueue(2, options), id);
    EXPECT_EQ(json::parse(queue.get_job_json(id))["payload"], "2");
    EXPECT_FALSE(queue.claim_one("w"));
    options.unique_key.reset();
    EXPECT_THROW(queue.enqueue(3, options), honker::InvalidArgumentError);
}

TEST_F(Flow, A_unique_key_is_free_when_its_options_say_so) {
    const auto queue = db->queue("q");
    honker::EnqueueOptions started;
    started.unique_key = "a";
    started.unique_until = "started";
    const auto first = queue.enqueue(1, started);
    ASSERT_TRUE(queue.claim_one("w"));
    EXPECT_GT(queue.enqueue(2, started), first);

    const auto other = db->queue("other");
    honker::EnqueueOptions for_an_hour;
    for_an_hour.unique_key = "a";
    for_an_hour.unique_for_s = 3600;
    const auto kept = other.enqueue(1, for_an_hour);
    EXPECT_TRUE(other.claim_one("w")->ack());
    EXPECT_EQ(other.enqueue(2, for_an_hour), kept);
}

TEST_F(Flow, The_failure_of_a_parent_has_the_chosen_effect) {
    const auto queue = db->queue("q");
    honker::EnqueueOptions options;
    options.after = {queue.enqueue(1)};
    const auto cancelled = queue.enqueue(2, options);
    options.on_parent_failure = "run";
    const auto run = queue.enqueue(3, options);
    EXPECT_EQ(queue.stats().waiting, 2);
    EXPECT_TRUE(queue.claim_one("w")->fail("no"));
    EXPECT_EQ(queue.get_job_json(cancelled), "");
    EXPECT_EQ(queue.claim_one("w")->id(), run);
}

TEST_F(Flow, A_snooze_charges_nothing) {
    const auto queue = db->queue("q");
    queue.enqueue(1);
    const auto job = queue.claim_one("w");
    EXPECT_TRUE(job->snooze(0));
    EXPECT_FALSE(job->snooze(0));
    const auto again = queue.claim_one("w");
    ASSERT_TRUE(again);
    EXPECT_EQ(again->attempts(), 1);
    EXPECT_THROW(again->snooze(-1), honker::InvalidArgumentError);
    EXPECT_TRUE(again->snooze(3600));
    EXPECT_FALSE(queue.claim_one("w"));
}

TEST_F(Flow, Every_handle_obeys_a_setting_until_it_is_removed) {
    const auto queue = db->queue("q");
    EXPECT_TRUE(queue.settings()["concurrency"].is_null());
    const json settings = queue.configure({{"concurrency", 1}, {"rate", {100, 0.5}}, {"burst", 10}});
    EXPECT_EQ(settings["rate"], json({100, 0.5}));
    honker::Database other{path()};
    EXPECT_EQ(other.queue("q").settings(), settings);
    queue.enqueue_many({1, 2});
    EXPECT_EQ(other.queue("q").claim_batch("w", 2).size(), 1U);
    EXPECT_EQ(queue.configure({{"concurrency", nullptr}})["burst"], 10);
    EXPECT_EQ(other.queue("q").claim_batch("w", 2).size(), 1U);
    EXPECT_THROW(queue.configure({{"concurrency", 0}}), honker::InvalidArgumentError);
    EXPECT_THROW(queue.configure({{"colour", 1}}), honker::InvalidArgumentError);
    EXPECT_THROW(queue.configure("concurrency"), honker::InvalidArgumentError);
}

TEST_F(Flow, An_ordered_queue_runs_one_job_of_a_key) {
    const auto queue = db->queue("q");
    queue.configure({{"ordered", true}, {"on_dead", "continue"}});
    honker::EnqueueOptions options;
    options.key = "ann";
    const auto ids = queue.enqueue_many({1, 2}, options);
    const auto jobs = queue.claim_batch("w", 2);
    ASSERT_EQ(jobs.size(), 1U);
    EXPECT_EQ(queue.stats().blocked, 1);
    EXPECT_TRUE(jobs[0].fail("no"));
    EXPECT_EQ(queue.claim_one("w")->id(), ids[1]);
}

TEST_F(Flow, A_paused_queue_hands_out_nothing) {
    const auto queue = db->queue("q");
    queue.enqueue(1);
    EXPECT_TRUE(queue.pause());
    EXPECT_FALSE(queue.pause());
    EXPECT_TRUE(queue.stats().paused_at);
    EXPECT_FALSE(queue.claim_one("w"));
    EXPECT_TRUE(queue.resume());
    EXPECT_FALSE(queue.resume());
    EXPECT_TRUE(queue.claim_one("w"));
}

TEST_F(Flow, A_requeued_dead_letter_has_all_its_attempts) {
    const auto queue = db->queue("q");
    const auto id = queue.enqueue(1);
    EXPECT_FALSE(queue.requeue(id));
    EXPECT_TRUE(queue.claim_one("w")->fail("no"));
    EXPECT_EQ(queue.stats().dead, 1);
    EXPECT_FALSE(db->queue("other").requeue(id));
    EXPECT_TRUE(queue.requeue(id));
    EXPECT_EQ(queue.claim_one("w")->attempts(), 1);
}

TEST_F(Flow, A_count_that_stops_is_a_lower_bound) {
    const auto queue = db->queue("q");
    queue.enqueue(0, 3600);
    EXPECT_TRUE(queue.stats().is_exact);
    EXPECT_TRUE(queue.stats().next_due_at);
    EXPECT_FALSE(queue.stats().oldest_ready_age_s);
    queue.enqueue_many(std::vector<json>(10001, json(0)));
    EXPECT_EQ(queue.stats().ready, 10000);
    EXPECT_FALSE(queue.stats().is_exact);
    EXPECT_TRUE(queue.stats().oldest_ready_age_s);
}
