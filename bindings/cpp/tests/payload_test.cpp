#include "fixture.hpp"

using honker::json;
using Payloads = WithDatabase;

TEST_F(Payloads, A_payload_is_a_json_and_a_text) {
    const auto queue = db->queue("q");
    queue.enqueue({{"to", "ann"}, {"n", 1}});
    const auto job = queue.claim_one("w");
    ASSERT_TRUE(job);
    EXPECT_EQ(job->payload()["to"], "ann");
    EXPECT_EQ(job->payload().at("n").get<int>(), 1);
    EXPECT_EQ(json::parse(job->payload()), job->payload());
    EXPECT_EQ(std::string(job->payload()), R"({"n":1,"to":"ann"})");
    const json copy = job->payload();
    EXPECT_TRUE(copy.is_object());
    const json nested{{"payload", job->payload()}};
    EXPECT_EQ(nested["payload"]["to"], "ann");
    std::size_t elements = 0;
    for (const auto& element : job->payload()) {
        EXPECT_FALSE(element.is_null());
        ++elements;
    }
    EXPECT_EQ(elements, 2U);
}

TEST_F(Payloads, Every_json_type_comes_back) {
    const auto queue = db->queue("q");
    const std::vector<json> payloads = {nullptr,
                                        true,
                                        -9007199254740991,
                                        0.25,
                                        "ä€😀\"\\ \n",
                                        json::array(),
                                        {{"", {1, nullptr}}},
                                        std::string("nul\0inside", 10),
                                        std::string(1 << 20, 'x')};
    for (const json& each : payloads) {
        queue.enqueue(each);
    }
    const auto jobs = queue.claim_batch("w", 100);
    ASSERT_EQ(jobs.size(), payloads.size());
    for (std::size_t index = 0; index < payloads.size(); ++index) {
        EXPECT_EQ(static_cast<const json&>(jobs[index].payload()), payloads[index]);
    }
}

TEST_F(Payloads, A_text_is_json_text) {
    const auto queue = db->queue("q");
    const std::string text = R"({"to": "ann"})";
    queue.enqueue(text);
    queue.enqueue(R"([1,2])", 0, 5);
    queue.enqueue(std::string_view("3"));
    EXPECT_EQ(queue.claim_one("w")->payload()[1], 2);
    EXPECT_EQ(queue.claim_one("w")->payload().text(), text);
    EXPECT_EQ(queue.claim_one("w")->payload(), 3);
}

TEST_F(Payloads, A_text_that_is_no_json_is_refused) {
    EXPECT_THROW(db->queue("q").enqueue("hello"), honker::InvalidArgumentError);
    EXPECT_THROW(db->notify("c", "{"), honker::InvalidArgumentError);
    EXPECT_THROW(db->stream("t").publish(""), honker::InvalidArgumentError);
    EXPECT_GT(db->queue("q").enqueue(json("hello")), 0);
}

TEST_F(Payloads, A_string_that_is_not_utf8_is_refused) {
    EXPECT_THROW(db->queue("q").enqueue(json("\xff")), honker::InvalidArgumentError);
}

TEST_F(Payloads, A_text_of_another_program_that_is_no_json_is_kept) {
    EXPECT_EQ(honker::Payload("not json").text(), "not json");
    EXPECT_TRUE(honker::Payload("not json").is_discarded());
}
