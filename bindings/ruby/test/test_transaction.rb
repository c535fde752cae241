# frozen_string_literal: true

require_relative "test_helper"

class TestTransaction < DatabaseTest
  def setup
    super
    @queue = @db.queue("q")
    @db.db.execute("CREATE TABLE orders (n INTEGER UNIQUE)")
  end

  def test_a_row_and_a_job_commit_together
    value = @db.transaction do |tx|
      tx.execute("INSERT INTO orders VALUES (?)", [1])
      assert_equal [1], tx.query_row("SELECT n FROM orders WHERE n = ?", [1])
      @queue.enqueue({ order: 1 }, tx: tx)
      @queue.enqueue_tx(tx, { order: 1 }, priority: 3)
      :done
    end
    assert_equal :done, value
    assert_equal [1, 2], [count("orders"), count("_honker_live")]
  end

  def test_an_error_rolls_back_and_is_raised
    transaction = nil
    error = assert_raises(RuntimeError) do
      @db.transaction do |tx|
        transaction = tx
        tx.execute("INSERT INTO orders VALUES (1)")
        @queue.enqueue(1, tx: tx)
        raise "no"
      end
    end
    assert_equal "no", error.message
    assert transaction.rolled_back?
    assert_equal [0, 0], [count("orders"), count("_honker_live")]
    @queue.enqueue(2)
    assert_equal 2, @queue.claim_one("w").payload
  end

  def test_rollback_leaves_the_block_silently
    transaction = nil
    value = @db.transaction do |tx|
      transaction = tx
      @queue.enqueue(1, tx: tx)
      tx.rollback!
      flunk("the block went on")
    end
    assert_nil value
    assert transaction.rolled_back?
    assert_equal 0, count("_honker_live")
    assert_empty @logged.string
  end

  def test_break_rolls_back_and_is_logged
    @db.transaction do |tx|
      @queue.enqueue(1, tx: tx)
      break
    end
    assert_equal 0, count("_honker_live")
    assert_match(/rolled back, because break, return or throw/, @logged.string)
  end

  def test_a_timeout_rolls_back
    assert_raises(Timeout::Error) do
      Timeout.timeout(0.05) do
        @db.transaction do |tx|
          @queue.enqueue(1, tx: tx)
          sleep
        end
      end
    end
    assert_equal 0, count("_honker_live")
    refute @db.db.transaction_active?
  end

  def test_a_killed_thread_rolls_back_and_frees_the_handle
    begun = Thread::Queue.new
    thread = Thread.new do
      @db.transaction do |tx|
        @queue.enqueue(1, tx: tx)
        begun << true
        sleep
      end
    end
    begun.pop
    thread.kill
    value_of(thread)
    @queue.enqueue(2)
    assert_equal [2], @queue.claim_batch("w", 5).map(&:payload)
  end

  def test_an_ended_transaction_is_refused
    ended = @db.transaction { |tx| tx }
    [-> { ended.execute("SELECT 1") }, -> { @queue.enqueue(1, tx: ended) }, -> { ended.rollback! }].each do |call|
      assert_match(/has ended/, assert_raises(Honker::InvalidArgumentError, &call).message)
    end
  end

  def test_a_nested_transaction_is_an_error_at_once
    @db.transaction do
      error = assert_raises(Honker::NestedTransactionError) { @db.transaction { flunk } }
      assert_equal "HONKER_NESTED_TRANSACTION", error.code
      assert_raises(Honker::NestedTransactionError) { @queue.claim("w").next }
      assert_raises(Honker::NestedTransactionError) { @db.wait_result(1) }
      assert_raises(Honker::NestedTransactionError) { @db.close }
    end
    refute @db.closed?
  end

  def test_a_call_without_tx_joins_the_transaction_of_its_thread
    @db.transaction do |tx|
      @queue.enqueue(1)
      tx.rollback!
    end
    assert_equal 0, count("_honker_live")
  end

  def test_a_transaction_of_another_thread_is_refused
    @db.transaction do |tx|
      error = assert_raises(Honker::InvalidArgumentError) { Thread.new { tx.execute("SELECT 1") }.value }
      assert_match(/another thread/, error.message)
    end
  end

  def test_a_fiber_does_not_wait_for_its_own_thread
    jobs = @queue.claim("w").each
    @queue.enqueue(1)
    assert_equal 1, jobs.next.payload
    @db.transaction { assert_raises(Honker::NestedTransactionError) { jobs.next } }
  end

  def test_a_transaction_of_another_file_is_refused
    Honker::Database.open(File.join(@folder, "other.db")) do |other|
      other.transaction do |tx|
        assert_raises(Honker::InvalidArgumentError) { @queue.enqueue(1, tx: tx) }
      end
      raw = other.db
      raw.transaction do
        error = assert_raises(Honker::InvalidArgumentError) { @queue.enqueue(1, tx: raw) }
        assert_match(/is one of .*other\.db/, error.message)
      end
    end
  end

  def test_a_connection_of_the_application_carries_a_job
    raw = SQLite3::Database.new(@path)
    assert_raises(Honker::InvalidArgumentError) { @queue.enqueue(1, tx: raw) }
    raw.transaction { assert_raises(Honker::ExtensionNotFoundError) { @queue.enqueue(1, tx: raw) } }
    Honker.setup(raw)
    raw.transaction do
      raw.execute("INSERT INTO orders VALUES (1)")
      @queue.enqueue({ order: 1 }, tx: raw)
      assert_equal 0, count("_honker_live")
    end
    assert_equal 1, @queue.claim_one("w").payload[:order]
  ensure
    raw.close
  end

  def test_errors_of_the_application_keep_their_class
    @db.transaction do |tx|
      tx.execute("INSERT INTO orders VALUES (1)")
      assert_raises(SQLite3::ConstraintException) { tx.execute("INSERT INTO orders VALUES (1)") }
      assert_raises(Honker::InvalidArgumentError) { tx.execute("SELECT honker_ack('x', 'w')") }
    end
    assert_equal 1, count("orders")
  end

  def test_a_commit_inside_the_block_is_an_error
    error = assert_raises(Honker::Error) { @db.transaction { |tx| tx.execute("COMMIT") } }
    assert_match(/a statement ended it/, error.message)
  end

  def test_a_failing_commit_is_raised_and_rolls_back
    @db.db.execute_batch("CREATE TABLE a (id INTEGER PRIMARY KEY);
                          CREATE TABLE b (a INTEGER REFERENCES a DEFERRABLE INITIALLY DEFERRED);")
    error = assert_raises(Honker::ConstraintError) do
      @db.transaction { |tx| tx.execute("INSERT INTO b VALUES (1)") }
    end
    assert_equal "HONKER_CONSTRAINT", error.code
    assert_equal 0, count("b")
    refute @db.db.transaction_active?
  end

  def test_other_threads_run_while_a_call_waits_for_the_write_lock
    other = SQLite3::Database.new(@path)
    other.execute("BEGIN IMMEDIATE")
    thread = waiting { @queue.enqueue(1) }
    wait_until { thread.status == "sleep" }
    other.execute("COMMIT")
    value_of(thread)
    assert_equal 1, count("_honker_live")
  ensure
    other.close
  end

  def test_a_lock_that_is_held_for_too_long_is_a_busy_error
    other = SQLite3::Database.new(@path)
    other.execute("BEGIN IMMEDIATE")
    with_busy_timeout(50) do
      [-> { @queue.enqueue(1) }, -> { @db.transaction { flunk } }].each do |call|
        error = assert_raises(Honker::BusyError, &call)
        assert_equal ["HONKER_BUSY", true], [error.code, error.retryable?]
      end
    end
    assert_equal 5000, @db.db.get_first_value("PRAGMA busy_timeout")
  ensure
    other.close
  end

  private

  def with_busy_timeout(milliseconds)
    longest = Honker::Connection::BUSY_TIMEOUT_MS
    Honker::Connection.send(:remove_const, :BUSY_TIMEOUT_MS)
    Honker::Connection.const_set(:BUSY_TIMEOUT_MS, milliseconds)
    yield
  ensure
    Honker::Connection.send(:remove_const, :BUSY_TIMEOUT_MS)
    Honker::Connection.const_set(:BUSY_TIMEOUT_MS, longest)
    @db.db.busy_timeout = longest
  end
end
