# frozen_string_literal: true

require_relative "test_helper"

class TestDatabase < DatabaseTest
  def test_the_pragmas_of_a_connection
    pragmas = %w[journal_mode synchronous busy_timeout foreign_keys cache_size temp_store wal_autocheckpoint mmap_size]
    values = pragmas.map { |name| @db.db.get_first_value("PRAGMA #{name}") }
    assert_equal ["wal", 1, 5000, 1, -32_000, 2, 10_000, 0], values
  end

  def test_options_of_the_watcher
    assert_raises(ArgumentError) { Honker::Database.new(@path, watcher_backend: "KERNEL") }
    [0, -1, 1.5, "1"].each do |interval|
      assert_raises(ArgumentError) { Honker::Database.new(@path, watcher_poll_interval_ms: interval) }
    end
    Honker::Database.open(@path, watcher_backend: "polling", watcher_poll_interval_ms: 2) do |db|
      thread = waiting { db.queue("q").claim("w", idle_poll_s: nil).next }
      @db.queue("q").enqueue(1)
      assert_equal 1, value_of(thread).payload
    end
  end

  def test_the_library_is_resolved
    assert_equal ENV.fetch("HONKER_EXTENSION_PATH"), Honker.extension_path if ENV["HONKER_EXTENSION_PATH"]
    assert_raises(Honker::ExtensionNotFoundError) { Honker.extension_path("/nowhere.so") }
    assert_raises(Honker::ExtensionNotFoundError) { Honker::Database.new(@path, extension_path: "/nowhere.so") }
    asked = []
    resolver = lambda do |path|
      asked << path
      Honker.extension_path
    end
    Honker::Database.open(@path, extension_path: "mine", extension_resolver: resolver) { |db| assert db.queue("q") }
    assert_equal ["mine"], asked
  end

  def test_a_second_library_is_refused
    copy = File.join(@folder, Honker::Extension::FILE)
    FileUtils.cp(Honker.extension_path, copy)
    assert_match(/has loaded/, assert_raises(Honker::InvalidArgumentError) do
      Honker::Database.new(@path, extension_path: copy)
    end.message)
  end

  def test_files_that_cannot_be_opened
    assert_raises(Honker::InvalidArgumentError) { Honker::Database.new(":memory:") }
    assert_raises(Honker::CannotOpenError) { Honker::Database.new(File.join(@folder, "missing", "app.db")) }
    text = File.join(@folder, "text.db")
    File.write(text, "no database " * 100)
    assert_equal "HONKER_CORRUPT", assert_raises(Honker::CorruptError) { Honker::Database.new(text) }.code
  end

  def test_a_closed_handle_says_so
    queue = @db.queue("q")
    job = queue.enqueue(1) && queue.claim_one("w")
    @db.close
    [-> { queue.enqueue(1) }, -> { job.ack }, -> { @db.transaction { flunk } }, -> { @db.listen("c") },
     -> { @db.get_result(1) }].each { |call| assert_raises(Honker::ClosedError, &call) }
    assert @db.closed?
  end

  def test_a_forked_child_cannot_use_the_handle
    reader, writer = IO.pipe
    child = fork do
      inherited = begin
        @db.queue("q").enqueue(1)
      rescue Honker::ForkError => e
        e.code
      end
      again = begin
        Honker::Database.new(@path)
      rescue Honker::ForkError => e
        e.message[/close it before the fork/]
      end
      writer.write([inherited, again].inspect)
      exit!(0)
    end
    writer.close
    assert_equal '["HONKER_FORKED", "close it before the fork"]', reader.read
    Process.wait(child)
    @db.queue("q").enqueue(2)
    assert_equal [2], @db.queue("q").claim_batch("w", 5).map(&:payload)
  end

  def test_a_file_that_was_closed_before_the_fork_opens_in_the_child
    @db.close
    child = fork do
      Honker::Database.open(@path) { |db| db.queue("q").claim("w") { |job| exit!(job.payload) } }
    end
    @db = Honker::Database.new(@path)
    @db.queue("q").enqueue(7)
    Process.wait(child)
    assert_equal 7, $?.exitstatus # rubocop:disable Style/SpecialGlobalVars
  end

  def test_locks
    lock = @db.try_lock("report", owner: "a", ttl_s: 60)
    assert_nil @db.try_lock("report", owner: "b", ttl_s: 60)
    assert lock.heartbeat(ttl_s: 30)
    assert_kind_of Integer, lock.token
    assert lock.release
    assert lock.released?
    refute lock.release
    assert_equal(5, @db.try_lock("report", owner: "b") { 5 })
    assert_raises(RuntimeError) { @db.try_lock("report", owner: "b") { raise "no" } }
    @db.try_lock("report", owner: "c") do
      assert_nil @db.try_lock("report", owner: "d") { flunk }
    end
    assert_nil lock.held_until
  end

  def test_rate_limits
    assert_equal [true, true, false], (3.times.map { @db.try_rate_limit("api", limit: 2, per: 3600) })
    assert_equal 0, @db.sweep_rate_limits(older_than_s: 7200)
    assert_raises(Honker::InvalidArgumentError) { @db.try_rate_limit("api", limit: 0, per: 1) }
  end

  def test_results
    assert_nil @db.get_result(1)
    @db.save_result(1, '{"a":1}', ttl_s: 60)
    assert_equal '{"a":1}', @db.wait_result(1, timeout_s: 0)
    assert_raises(Honker::InvalidArgumentError) { @db.save_result(1, { a: 1 }, ttl_s: 60) }
    error = assert_raises(Honker::TimeoutError) { @db.wait_result(9, timeout_s: 0.02) }
    assert_equal "TIMEOUT", error.code
    assert_equal 0, @db.sweep_results
  end

  def test_a_wait_for_a_result_ends_with_its_job
    queue = @db.queue("q")
    failed, cancelled, gone = queue.enqueue_many([1, 2, 3])
    jobs = queue.claim_batch("w", 3)
    threads = [failed, cancelled, gone].map { |id| waiting { @db.wait_result(id) } }
    jobs[0].fail(error: "broken")
    queue.cancel(cancelled)
    jobs[2].ack
    assert_match(/broken/, assert_raises(Honker::JobFailedError) { value_of(threads[0]) }.message)
    assert_raises(Honker::JobCancelledError) { value_of(threads[1]) }
    assert_raises(Honker::ResultGoneError) { value_of(threads[2]) }
  end

  def test_notifications_are_pruned
    3.times { |n| @db.notify("c", n) }
    assert_equal 0, @db.prune_notifications(older_than_s: 60)
    assert_equal 2, @db.prune_notifications(max_keep: 1)
  end
end
