# frozen_string_literal: true

require_relative "test_helper"

class TestLog < DatabaseTest
  def setup
    super
    @stream = @db.stream("orders")
  end

  def test_a_listener_gets_what_is_sent_after_it_began
    @db.notify("c", "before")
    listener = @db.listen("c")
    @db.transaction do |tx|
      @db.notify_tx(tx, "c", { n: 1 })
      tx.notify("c", 2)
      @db.notify("other", 3, tx: tx)
    end
    first, second = listener.first(2)
    assert_equal [1, "c"], [first.payload[:n], first.channel]
    assert_equal 2, second.payload
    assert_nil listener.next(timeout: 0)
  end

  def test_a_listener_with_a_block_is_closed
    thread = waiting { @db.listen("c") { |notification| break notification.payload } }
    wait_until { @db.notify("c", "hello") && !thread.alive? }
    assert_equal "hello", value_of(thread)
  end

  def test_an_event_counts_as_processed_when_the_next_is_asked_for
    3.times { |n| @stream.publish(n) }
    subscription = @stream.subscribe("c")
    assert_equal [0, 1], [subscription.next.payload, subscription.next.payload]
    subscription.close
    assert_equal 1, @stream.get_offset("c")
  end

  def test_an_event_whose_block_raises_comes_again
    3.times { |n| @stream.publish(n) }
    assert_raises(RuntimeError) { @stream.subscribe("c") { |event| raise "no" if event.payload == 1 } }
    assert_equal 1, @stream.get_offset("c")
    assert_equal 1, @stream.subscribe("c").next.payload
  end

  def test_an_offset_is_saved_with_the_effects_of_its_event
    2.times { |n| @stream.publish_with_key("k", n) }
    @db.db.execute("CREATE TABLE done (n)")
    subscription = @stream.subscribe("c", save_every_n: 0, save_every_s: 0)
    event = subscription.next
    @db.transaction do |tx|
      tx.execute("INSERT INTO done VALUES (?)", [event.payload])
      assert subscription.save_offset(tx: tx)
    end
    assert_equal [event.offset, "k"], [@stream.get_offset("c"), event.key]
    assert_equal 1, subscription.next.payload
  end

  def test_offsets_are_saved_every_so_many_events
    5.times { |n| @stream.publish(n) }
    subscription = @stream.subscribe("c", save_every_n: 2, save_every_s: 0)
    saved = 5.times.map { subscription.next && @stream.get_offset("c") }
    assert_equal [0, 0, 2, 2, 4], saved
  end

  def test_offsets_are_saved_after_a_while
    @stream.publish(1)
    waiting { @stream.subscribe("c", save_every_n: 0, save_every_s: 0.02) { nil } }
    wait_until { @stream.get_offset("c") == 1 }
  end

  def test_an_interrupted_wait_loses_no_event
    subscription = @stream.subscribe("c")
    assert_raises(Timeout::Error) { Timeout.timeout(0.02) { subscription.next } }
    2.times { |n| @stream.publish(n) }
    assert_equal [0, 1], subscription.first(2).map(&:payload)
  end

  def test_events_that_are_not_json_are_text
    @db.one("SELECT honker_stream_publish('orders', NULL, 'plain')")
    assert_equal "plain", @stream.read_since(0).first.payload
  end
end
