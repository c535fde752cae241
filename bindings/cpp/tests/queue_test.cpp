#include "fixture.hpp"

using honker::json;
using Queues = WithDatabase;

TEST_F(Queues, A_job_is_claimed_once_and_acknowledged) {
    const auto queue = db->queue("emails");
    const auto id = queue.enqueue({{"to", "ann"}});
    const auto job = queue.claim_one("w");
    ASSERT_TRUE(job);
    EXPECT_EQ(job->id(), id);
    EXPECT_EQ(job->queue(), "emails");
    EXPECT_EQ(job->worker_id(), "w");
    EXPECT_EQ(job->attempts(), 1);
    EXPECT_FALSE(queue.claim_one("other"));
    EXPECT_TRUE(job->ack());
    EXPECT_FALSE(job->ack());
}

TEST_F(Queues, A_stale_job_does_not_end_a_later_claim_of_its_worker) {
    const auto queue = db->queue("q");
    queue.enqueue(1);
    const auto first = queue.claim_one("w");
    EXPECT_TRUE(first->release());
    const auto second = queue.claim_one("w");
    EXPECT_TRUE(second->retry(0, "busy"));
    const auto third = queue.claim_one("w");
    EXPECT_FALSE(second->ack());
    EXPECT_EQ(third->attempts(), 2);
    EXPECT_TRUE(third->heartbeat(10));
    EXPECT_TRUE(third->fail("broken"));
}

TEST_F(Queues, Options_delay_and_order_jobs) {
    const auto queue = db->queue("q");
    queue.enqueue(1, 3600);
    queue.enqueue(2, 0, 1);
    queue.enqueue(3, 0, 2);
    honker::EnqueueOptions past;
    past.run_at = 1000;
    past.expires = 60;
    queue.enqueue(4, past);
    std::vector<int> order;
    for (const auto& job : queue.claim_batch("w", 10)) {
        order.push_back(job.payload());
    }
    EXPECT_EQ(order, (std::vector<int>{3, 2, 4}));
}

TEST_F(Queues, A_unique_key_lets_one_job_exist) {
    const auto queue = db->queue("q");
    honker::EnqueueOptions options;
    options.unique_key = "daily";
    const auto first = queue.enqueue(1, options);
    EXPECT_EQ(queue.enqueue(2, options), first);
    options.on_conflict = "raise";
    EXPECT_EQ(code_of([&] { queue.enqueue(3, options); }), "HONKER_UNIQUE_KEY_TAKEN");
}

TEST_F(Queues, Jobs_are_counted_by_ack_batch_cancel_and_get_job_json) {
    const auto queue = db->queue("q");
    const auto first = queue.enqueue(1);
    const auto second = queue.enqueue(2);
    EXPECT_EQ(json::parse(queue.get_job_json(first))["state"], "pending");
    EXPECT_TRUE(queue.cancel(first));
    EXPECT_FALSE(queue.cancel(first));
    EXPECT_EQ(queue.get_job_json(first), "");
    queue.claim_one("w");
    EXPECT_EQ(queue.ack_batch({first, second}, "w"), 1);
    EXPECT_EQ(queue.sweep_expired(), 0);
}

TEST_F(Queues, Arguments_out_of_range_are_typed_errors) {
    EXPECT_THROW(db->queue("").enqueue(1), honker::InvalidArgumentError);
    EXPECT_THROW(db->queue("q").enqueue(1, 0, std::int64_t{1} << 60), honker::InvalidArgumentError);
    EXPECT_THROW(db->queue("q").claim_batch("w", -1), honker::InvalidArgumentError);
    EXPECT_THROW(db->queue("q").claim_one(""), honker::InvalidArgumentError);
    EXPECT_THROW(db->queue("q", 0).claim_one("w"), honker::InvalidArgumentError);
}

TEST_F(Queues, Two_threads_share_a_handle) {
    const auto queue = db->queue("q");
    std::atomic<int> done{0};
    const auto work = [&] {
        for (int number = 0; number < 50; ++number) {
            queue.enqueue(number);
            if (const auto job = queue.claim_one("w")) {
                done += job->ack() ? 1 : 0;
            }
        }
    };
    std::thread one{work};
    std::thread other{work};
    one.join();
    other.join();
    while (const auto job = queue.claim_one("w")) {
        done += job->ack() ? 1 : 0;
    }
    EXPECT_EQ(done, 100);
}

TEST_F(Queues, An_outbox_delivers_retries_and_gives_up) {
    std::vector<json> delivered;
    const auto deliver = [&](const json& payload) {
        if (payload == "refuse") {
            throw std::runtime_error("refused");
        }
        delivered.push_back(payload);
    };
    const auto outbox = db->outbox("mail", deliver, 60, 2, 0);
    outbox.enqueue(json("refuse"));
    outbox.enqueue(R"({"n":1})");
    int runs = 0;
    while (outbox.run_once("w")) {
        ++runs;
    }
    EXPECT_EQ(runs, 3);
    ASSERT_EQ(delivered.size(), 1U);
    EXPECT_EQ(delivered[0]["n"], 1);
    EXPECT_THROW(db->outbox("none", nullptr), honker::InvalidArgumentError);
}

TEST_F(Queues, An_outbox_dead_letters_whatever_a_delivery_throws) {
    const auto outbox = db->outbox(
        "mail", [](const json&) { throw 42; }, 60, 1, 0);
    const auto id = outbox.enqueue(1);
    EXPECT_TRUE(outbox.run_once("w"));
    EXPECT_EQ(outbox.queue().get_job_json(id), "");
}
