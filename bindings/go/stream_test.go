package honker_test

import (
	"context"
	"testing"
	"time"

	honker "github.com/russellromney/honker-go"
)

func TestAStreamKeepsItsEventsAndAConsumerItsOffset(t *testing.T) {
	s := open(t).Stream("t")
	equal(t, must(s.Publish(map[string]int{"n": 1}))(t), 1)
	equal(t, must(s.PublishWithKey("k", 2))(t), 2)
	events := must(s.ReadSince(0, 10))(t)
	equal(t, len(events), 2)
	equal(t, events[0].Key, nil)
	equal(t, *events[1].Key, "k")
	equal(t, events[1].Topic, "t")
	var number int
	ok(t, events[1].UnmarshalPayload(&number))
	equal(t, number, 2)
	equal(t, must(s.SaveOffset("c", 1))(t), true)
	equal(t, must(s.SaveOffset("c", 1))(t), false)
	equal(t, must(s.ReadFromConsumer("c", 10))(t)[0].Offset, 2)
}

func TestSubscribeGivesOldEventsAndNewOnes(t *testing.T) {
	s := open(t).Stream("t")
	must(s.Publish(1))(t)
	ctx, cancel := context.WithCancel(context.Background())
	events := s.Subscribe(ctx, "c")
	equal(t, receive(t, events).Offset, 1)
	must(s.Publish(2))(t)
	equal(t, receive(t, events).Offset, 2)
	cancel()
	waitUntil(t, "the channel closes", func() bool {
		select {
		case _, isOpen := <-events:
			return !isOpen
		default:
			return false
		}
	})
	// The consumer has asked for no event after the second, so only the first is known to be done.
	waitUntil(t, "the offset is saved", func() bool { return must(s.GetOffset("c"))(t) == 1 })
}

func TestASubscriptionSavesWhatTheConsumerIsDoneWith(t *testing.T) {
	s := open(t).Stream("t")
	for n := range 5 {
		must(s.Publish(n))(t)
	}
	subscription := must(s.Subscription("c", honker.SubscribeOptions{SaveEveryN: 2, SaveEvery: -1}))(t)
	for range 4 {
		must(subscription.Next(within(t)))(t)
	}
	equal(t, must(s.GetOffset("c"))(t), 2)
	ok(t, subscription.Close())
	equal(t, must(s.GetOffset("c"))(t), 3)
	ok(t, subscription.Close())
	_, err := subscription.Next(within(t))
	fails(t, err, honker.ErrClosed)

	again := must(s.Subscription("c", honker.SubscribeOptions{SaveEveryN: -1, SaveEvery: -1}))(t)
	equal(t, must(again.Next(within(t)))(t).Offset, 4)
	must(again.Next(within(t)))(t)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	equal(t, must(again.Next(ended))(t), nil)
	ok(t, again.Close())
	equal(t, must(s.GetOffset("c"))(t), 3)
}

func TestAnIdleSubscriptionSavesInTime(t *testing.T) {
	s := open(t).Stream("t")
	must(s.Publish(1))(t)
	options := honker.SubscribeOptions{SaveEveryN: -1, SaveEvery: 50 * time.Millisecond}
	subscription := must(s.Subscription("c", options))(t)
	must(subscription.Next(within(t)))(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := inBackground(func() error { _, err := subscription.Next(ctx); return err })
	waitUntil(t, "the offset is saved", func() bool { return must(s.GetOffset("c"))(t) == 1 })
	cancel()
	ok(t, receive(t, done))
}

func TestAListenerGetsWhatIsSentAfterItBegan(t *testing.T) {
	db := open(t)
	must(db.Notify("c", "before"))(t)
	ctx, cancel := context.WithCancel(context.Background())
	channel := db.Listen(ctx, "c")
	listener := must(db.Listener("c"))(t)
	must(db.Notify("other", "elsewhere"))(t)
	id := must(db.Notify("c", []int{1}))(t)
	got := receive(t, channel)
	equal(t, got.ID, id)
	equal(t, got.Channel, "c")
	var numbers []int
	ok(t, got.UnmarshalPayload(&numbers))
	equal(t, numbers[0], 1)
	equal(t, must(listener.Next(within(t)))(t).ID, id)
	listener.Close()
	_, err := listener.Next(within(t))
	fails(t, err, honker.ErrClosed)
	cancel()
	for range channel {
		t.Fatal("another notification came")
	}
	equal(t, must(db.PruneNotifications(nil, honker.Seconds(0)))(t), 3)
}

func TestAChannelOfAClosedDatabaseIsClosed(t *testing.T) {
	db := open(t)
	events, sent := db.Stream("t").Subscribe(within(t), "c"), db.Listen(within(t), "c")
	ok(t, db.Close())
	for range events {
		t.Fatal("an event came")
	}
	for range sent {
		t.Fatal("a notification came")
	}
	for range db.Listen(within(t), "c") {
		t.Fatal("a notification came")
	}
}
