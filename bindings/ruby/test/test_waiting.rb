# frozen_string_literal: true

require_relative "test_helper"

class TestWaiting < DatabaseTest
  # As a gem that ends threads would.
  class Cancelled < Exception; end # rubocop:disable Lint/InheritException

  def setup
    super
    @queue = @db.queue("q")
  end

  def test_a_claim_gets_the_job_of_another_process
    thread = waiting { @queue.claim("w", idle_poll_s: nil).next }
    process("db.queue('q').enqueue({ from: 'child' })").close
    assert_equal "child", value_of(thread).payload[:from]
  end

  def test_next_returns_nil_after_its_timeout
    claims = @queue.claim("w")
    assert_nil claims.next(timeout: 0.02)
    assert_nil claims.next(timeout: 0)
    @queue.enqueue(1)
    assert_equal 1, claims.next(timeout: 0).payload
  end

  def test_closing_the_database_ends_every_wait
    waits = [
      -> { @queue.claim("w").next },
      -> { @queue.claim("w") { flunk } },
      -> { @db.listen("c").next },
      -> { @db.stream("s").subscribe("c").next },
      -> { @db.wait_result(1) },
      -> { @db.scheduler.run(owner: "a") },
      -> { @db.outbox("o", ->(_) {}).run_worker("w") }
    ]
    threads = waits.map { |call| waiting(&call) }
    @db.close
    threads.each { |thread| assert_equal "HONKER_CLOSED", assert_raises(Honker::ClosedError) { value_of(thread) }.code }
    @db.close
  end

  def test_closing_an_iterator_ends_its_wait
    iterators = [@queue.claim("w"), @db.listen("c"), @db.stream("s").subscribe("c")]
    iterators.each do |each|
      thread = waiting { each.next }
      each.close
      each.close
      assert_raises(Honker::ClosedError) { value_of(thread) }
      assert_raises(Honker::ClosedError) { each.next(timeout: 0) }
    end
  end

  def test_closing_waits_for_the_transaction_of_another_thread
    begun = Thread::Queue.new
    go_on = Thread::Queue.new
    thread = Thread.new do
      @db.transaction do |tx|
        tx.execute("CREATE TABLE t (n)")
        begun << true
        go_on.pop
        tx.execute("INSERT INTO t VALUES (1)")
        @queue.enqueue(1, tx: tx)
      end
    end
    begun.pop
    closing = waiting { @db.close }
    go_on << true
    value_of(thread)
    value_of(closing)
    Honker::Database.open(@path) do |db|
      assert_equal [1, 1], db.db.get_first_row("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM _honker_live)")
    end
  end

  def test_raise_kill_and_timeout_end_a_wait
    claims = @queue.claim("w")
    assert_raises(Timeout::Error) { Timeout.timeout(0.02) { claims.next } }
    thread = waiting { claims.next }
    thread.raise(Cancelled)
    assert_raises(Cancelled) { value_of(thread) }
    thread = waiting { claims.next }
    thread.kill
    assert_nil value_of(thread)
    @queue.enqueue(1)
    assert_equal 1, claims.next.attempts
  end

  def test_interrupts_at_any_moment_lose_no_job
    claims = @queue.claim("w")
    100.times do |number|
      id = @queue.enqueue(number)
      got = nil
      thread = Thread.new { claims.each { |job| Thread.handle_interrupt(Cancelled => :never) { got = job.ack } } }
      Thread.pass until rand < 0.1 || !thread.alive?
      thread.raise(Cancelled)
      assert_raises(Cancelled) { value_of(thread) }
      next if got

      job = claims.next(timeout: 5)
      assert_equal [id, 1], [job&.id, job&.attempts], "round #{number}"
      job.ack
    end
  end

  # A queue whose claims are interrupted right after they have got a job.
  module InterruptedClaims
    def lease(worker_id, n)
      super do |jobs|
        Thread.new(Thread.current) { |claimer| claimer.raise(Cancelled) }.join unless jobs.empty?
        yield jobs
      end
    end
  end

  def test_a_job_whose_claim_is_interrupted_is_given_back
    @queue.enqueue(1)
    interrupted = @db.queue("q").extend(InterruptedClaims)
    claims = interrupted.claim("w")
    [-> { claims.each { flunk } }, -> { claims.next }, -> { interrupted.claim_one("w") },
     -> { interrupted.work("w") { flunk } }].each do |call|
      assert_raises(Cancelled, &call)
      job = @queue.claim_one("other")
      assert_equal 1, job&.attempts
      job.release
    end
  end

  def test_stop_objects_end_loops
    stop = Honker::Stop.new
    loops = [
      waiting { @queue.claim("w", stop: stop) { flunk } },
      waiting { @queue.work("w", stop: stop) { flunk } },
      waiting { @db.listen("c", stop: stop) { flunk } },
      waiting { @db.stream("s").subscribe("c", stop: stop) { flunk } },
      waiting { @db.scheduler.run(owner: "a", stop: stop) },
      waiting { @db.outbox("o", ->(_) {}).run_worker("w", stop: stop) }
    ]
    stop.stop!
    loops.each { |thread| assert_nil value_of(thread) }
    assert_equal 0, count("_honker_locks")
  end

  def test_a_function_or_a_question_can_stop_a_loop
    is_over = false
    asked = Struct.new(:is_over) { alias_method :stop?, :is_over }.new(false)
    function = waiting { @queue.work("w", stop: -> { is_over }) { flunk } }
    question = waiting { @db.scheduler.run(owner: "a", stop: asked) }
    is_over = asked.is_over = true
    [function, question].each { |thread| value_of(thread) }
    assert_raises(Honker::InvalidArgumentError) { @queue.work("w", stop: 3) { flunk } }
  end

  def test_a_signal_handler_may_stop_a_loop
    child = process("stop = Honker::Stop.new; trap('TERM') { stop.stop! }; puts 'ready'; $stdout.flush;
                     db.queue('q').work('w', stop: stop) { |job| }; puts 'ended'")
    assert_equal "ready\n", child.gets
    Process.kill("TERM", child.pid)
    assert_equal "ended\n", Timeout.timeout(WAIT_S) { child.gets }
    child.close
    assert_predicate $?, :success? # rubocop:disable Style/SpecialGlobalVars
  end

  def test_wait_for_update_sees_commits_since_the_last_wait
    refute @db.wait_for_update(0.02)
    @queue.enqueue(1)
    assert @db.wait_for_update(5)
    refute @db.wait_for_update(0.02)
    thread = Thread.new { [@db.wait_for_update(5), @db.wait_for_update(0.02)] }
    assert_equal [true, false], value_of(thread)
  end

  def test_closing_the_database_ends_a_wait_for_an_update
    threads = [waiting { @db.wait_for_update }, waiting { @db.update_events.wait }]
    @db.close
    threads.each { |thread| assert_raises(Honker::ClosedError) { value_of(thread) } }
  end

  def test_a_delayed_job_wakes_the_claim
    @queue.enqueue(1, delay: 0.1)
    began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    assert_equal 1, @queue.claim("w").next.payload
    assert_operator Process.clock_gettime(Process::CLOCK_MONOTONIC) - began, :<, 4
  end

  def test_a_replaced_file_is_a_typed_error
    thread = waiting { @queue.claim("w").next }
    File.rename(@path, "#{@path}.old")
    SQLite3::Database.new(@path).tap { |other| other.execute("CREATE TABLE t (n)") }.close
    error = assert_raises(Honker::ReplacedError) { value_of(thread) }
    assert_match(/replaced/, error.message)
  end

  def test_subscriptions_that_are_forgotten_end
    20.times { @db.update_events }
    GC.start
    wait_until do
      GC.start
      events = @db.update_events
      stats_of(events)["subscribers"] < 15
    end
  end

  def test_the_watcher_of_the_first_wait_serves_the_next_until_the_database_is_closed
    first = @db.update_events
    @db.notify("c", "p")
    assert first.wait(10)
    first.close
    stats = stats_of(@db.update_events)
    assert_operator stats["wakes"], :>, 0, "another watcher was started"
    assert_equal 2, stats["subscribers"]
    kept = @db.instance_variable_get(:@kept)
    @db.close
    assert kept.closed?
  end

  def stats_of(events)
    JSON.parse(@db.one("SELECT honker_update_watcher_stats(?)", events.instance_variable_get(:@id)))
  end
end
