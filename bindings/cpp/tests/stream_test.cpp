#include "fixture.hpp"

using Streams = WithDatabase;

TEST_F(Streams, A_stream_keeps_its_events_and_a_consumer_its_offset) {
    const auto stream = db->stream("orders");
    EXPECT_EQ(stream.publish({{"n", 1}}), 1);
    EXPECT_EQ(stream.publish(R"({"n":2})", "ann"), 2);
    const auto events = stream.read_since(0);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].key, std::nullopt);
    EXPECT_EQ(events[1].key, "ann");
    EXPECT_EQ(events[1].payload["n"], 2);
    EXPECT_TRUE(stream.save_offset("c", 1));
    EXPECT_FALSE(stream.save_offset("c", 0));
    EXPECT_EQ(stream.get_offset("c"), 1);
    EXPECT_EQ(stream.read_from_consumer("c").at(0).offset, 2);
}

TEST_F(Streams, A_subscription_saves_the_event_before_the_last_one) {
    const auto stream = db->stream("t");
    for (int number = 1; number <= 3; ++number) {
        stream.publish(number);
    }
    {
        auto subscription = stream.subscribe("c");
        EXPECT_EQ(subscription.next()->payload, 1);
        EXPECT_EQ(subscription.next()->payload, 2);
        EXPECT_EQ(subscription.offset(), 2);
        EXPECT_EQ(stream.get_offset("c"), 0);
    }
    // The consumer may have ended in the middle of the second event, so only the first one counts.
    EXPECT_EQ(stream.get_offset("c"), 1);
    auto again = stream.subscribe("c");
    EXPECT_EQ(again.next()->payload, 2);
    EXPECT_TRUE(again.save_offset());
    EXPECT_EQ(stream.get_offset("c"), 2);
}

TEST_F(Streams, A_subscription_saves_after_every_n_events) {
    const auto stream = db->stream("t");
    stream.publish(1);
    stream.publish(2);
    auto subscription = stream.subscribe("c", 1);
    subscription.next();
    subscription.next();
    EXPECT_EQ(stream.get_offset("c"), 1);
}

TEST_F(Streams, A_listener_gets_what_is_sent_after_it_began) {
    db->notify("c", 1);
    auto subscription = db->listen("c");
    EXPECT_FALSE(subscription.recv(0ms));
    db->notify("other", 2);
    db->notify("c", {{"n", 3}});
    const auto got = subscription.recv();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->channel, "c");
    EXPECT_EQ(got->payload["n"], 3);
}

TEST_F(Streams, A_subscription_waits_for_an_event) {
    const auto stream = db->stream("t");
    auto subscription = stream.subscribe("c");
    std::optional<honker::StreamEvent> got;
    Waiting waiting{[&] { got = subscription.next(); }};
    stream.publish(7);
    EXPECT_LT(waiting.join(), 2s);
    EXPECT_EQ(got->payload, 7);
}

TEST_F(Streams, Closing_a_subscription_ends_its_wait) {
    auto subscription = db->stream("t").subscribe("c");
    std::string code;
    Waiting waiting{[&] { code = code_of([&] { subscription.next(); }); }};
    subscription.close();
    EXPECT_LT(waiting.join(), 2s);
    EXPECT_EQ(code, "HONKER_CLOSED");
}
