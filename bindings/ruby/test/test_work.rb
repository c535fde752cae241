# frozen_string_literal: true

require_relative "test_helper"

class TestWork < DatabaseTest
  def setup
    super
    @queue = @db.queue("q", max_attempts: 2)
    @stop = Honker::Stop.new
  end

  def test_work_acknowledges_and_retries
    @queue.enqueue("fine")
    @queue.enqueue("broken")
    seen = []
    thread = Thread.new do
      @queue.work("w", stop: @stop, retry_delay_s: 0) do |job|
        seen << job.payload
        raise NotImplementedError, "no" if job.payload == "broken"
      end
    end
    wait_until { count("_honker_dead") == 1 }
    @stop.stop!
    value_of(thread)
    assert_equal %w[fine broken broken], seen
    assert_equal "NotImplementedError: no", @db.db.get_first_value("SELECT last_error FROM _honker_dead")
    assert_equal 0, count("_honker_live")
  end

  def test_work_leaves_a_job_that_its_block_has_settled
    @queue.enqueue(1)
    @queue.work("w", stop: @stop) do |job|
      job.snooze(60)
      @stop.stop!
    end
    assert_equal 1, count("_honker_live")
    assert_empty @logged.string
  end

  def test_an_interrupted_block_gives_its_job_back
    @queue.enqueue(1)
    begun = Thread::Queue.new
    thread = Thread.new do
      @queue.work("w") do
        begun << true
        sleep
      end
    end
    begun.pop
    thread.kill
    value_of(thread)
    assert_equal 1, @queue.claim_one("other").attempts
  end

  def test_a_lost_lease_is_logged
    @queue.enqueue(1)
    @queue.work("w", stop: @stop) do |job|
      @queue.cancel(job.id)
      @stop.stop!
    end
    assert_match(/its lease was lost/, @logged.string)
  end

  def test_the_lease_is_renewed_while_the_block_runs
    queue = @db.queue("q", visibility_timeout_s: 0.4)
    queue.enqueue(1)
    ends = []
    queue.work("w", stop: @stop) do |job|
      wait_until { (ends |= [@queue.get_job(job.id)[:claim_expires_at]]).size == 5 }
      @stop.stop!
    end
    assert_equal ends.sort, ends
    assert_operator ends.last - ends.first, :>, 0.4
    assert_empty @logged.string
    assert_equal 0, count("_honker_live")
  end

  def test_an_outbox_delivers_with_one_or_two_arguments
    one = []
    @db.outbox("one", ->(payload) { one << payload }).tap { |outbox| outbox.enqueue({ n: 1 }) }.run_once("w")
    two = []
    outbox = @db.outbox("two") { |payload, job| two << [payload[:n], job.attempts] }
    @db.transaction { |tx| outbox.enqueue_tx(tx, { n: 2 }) }
    assert outbox.run_once("w")
    refute outbox.run_once("w")
    assert_equal [[{ "n" => 1 }], [[2, 1]]], [one, two]
    assert_raises(ArgumentError) { @db.outbox("none", nil) }
  end

  def test_a_failed_delivery_is_put_off_twice_as_long_each_time
    outbox = @db.outbox("o", ->(_) { raise "down" }, base_backoff_s: 100)
    id = outbox.enqueue(1)
    assert outbox.run_once("w")
    row = outbox.queue.get_job(id)
    assert_in_delta 105, row[:run_at] - Time.now.to_f, 7
    assert_equal 1, row[:attempts]
  end

  def test_a_payload_that_is_not_json_is_a_dead_letter
    @db.one("SELECT honker_enqueue('_outbox:o', 'no json', NULL, NULL, 0, 3, NULL)")
    assert @db.outbox("o", ->(_) { flunk }).run_once("w")
    assert_match(/not JSON/, @db.db.get_first_value("SELECT last_error FROM _honker_dead"))
  end

  def test_a_scheduler_is_configured
    scheduler = @db.scheduler
    scheduler.add(name: "nightly", queue: "q", cron: "0 3 * * *", payload: { a: 1 }, expires_s: 60)
    scheduler.add(name: "often", queue: "q", schedule: "@every 60s", time_zone: nil, misfire: "skip")
    assert scheduler.update("nightly", expires_s: nil, priority: 4)
    refute scheduler.update("nightly")
    row = scheduler.list.find { |each| each[:name] == "nightly" }
    assert_equal ["0 3 * * *", nil, 4, '{"a":1}'], row.values_at(:cron_expr, :expires_s, :priority, :payload)
    assert_operator scheduler.soonest, :>, Time.now.to_f
    assert_equal "often", scheduler.tick(Time.now + 61).first[:name]
    assert_raises(ArgumentError) { scheduler.add(name: "x", queue: "q") }
    assert scheduler.remove("nightly")
  end

  def test_a_standby_takes_over
    stops = Array.new(2) { Honker::Stop.new }
    @db.scheduler.add(name: "often", queue: "q", schedule: "@every 1s", payload: 1)
    first = waiting { @db.scheduler.run(owner: "a", stop: stops[0]) }
    wait_until { count("_honker_locks") == 1 }
    second = waiting { @db.scheduler.run(owner: "b", stop: stops[1]) }
    stops[0].stop!
    value_of(first)
    assert_equal 1, @queue.claim("w").next(timeout: 5).payload
    assert_equal "b", @db.db.get_first_value("SELECT owner FROM _honker_locks")
    stops[1].stop!
    value_of(second)
    assert_equal 0, count("_honker_locks")
  end

  def test_a_killed_scheduler_releases_its_lock
    thread = waiting { @db.scheduler.run(owner: "a") }
    wait_until { count("_honker_locks") == 1 }
    thread.kill
    value_of(thread)
    assert_equal 0, count("_honker_locks")
  end
end
