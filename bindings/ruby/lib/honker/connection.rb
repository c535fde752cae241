# frozen_string_literal: true

require "monitor"
require "sqlite3"

module Honker
  # The connection of a {Database}, shared by its threads.
  #
  # The sqlite3 gem holds Ruby's global lock while SQLite waits for another connection, which would stop all threads. So
  # each call is tried without a wait in SQLite, and pauses are in Ruby. Statements of the application wait in SQLite.
  #
  # @private
  class Connection
    # The longest wait for the write lock.
    BUSY_TIMEOUT_MS = 5000
    # Seconds between two attempts, from the first to the longest. The real pauses are random, up to this.
    PAUSE_S = [0.0005, 0.01].freeze
    private_constant :PAUSE_S

    PRAGMAS = {
      journal_mode: "WAL", synchronous: "NORMAL", foreign_keys: "ON", cache_size: -32_000, temp_store: "MEMORY",
      wal_autocheckpoint: 10_000, mmap_size: 0
    }.freeze
    private_constant :PRAGMAS

    # @return [SQLite3::Database] the connection of the sqlite3 gem
    attr_reader :raw

    def initialize(path, library)
      @monitor = Monitor.new
      @statements = {}
      @pid = Process.pid
      @is_closed = false
      @raw = SQLite3::Database.new(path)
      prepare(library)
      @version = version
    rescue SQLite3::Exception => e
      @raw&.close
      raise Errors.from_sqlite(e)
    rescue Error
      @raw&.close
      raise
    end

    # Call a function of the engine: the first column of the first row.
    #
    # @yield [value] while interrupts are held back, so that a value which must not get lost can be stored
    # @raise [Error] the function failed
    def one(sql, *args)
      args.map! { |each| Serialization.bind(each) }
      exclusively do
        patiently do
          Interrupts.hold do
            value = step(sql, args)
            yield value if block_given?
            value
          end
        end
      end
    end

    # Run the block while no other thread uses the connection. A transaction that is open at {#begin_close} goes on.
    def exclusively
      return yield if @pid == Process.pid && held_by_caller?

      check_usable
      check_fiber
      @monitor.synchronize do
        check_usable
        outer = @thread
        @thread = Thread.current
        yield
      ensure
        @thread = outer
      end
    end

    # Begin a transaction that holds the write lock.
    #
    # @yield while interrupts are held back, after the transaction has begun
    def begin_immediate
      patiently do
        Interrupts.hold do
          step("BEGIN IMMEDIATE", [])
          yield
        end
      end
    end

    # End a transaction. Interrupts must be held back.
    def finish(sql)
      step(sql, [])
    end

    # @return [Boolean] true if the connection is in a transaction, of any thread
    def in_transaction?
      @raw.transaction_active?
    end

    # @return [Boolean] true if the calling thread is in a transaction on this connection
    def held_by_caller?
      @monitor.mon_owned? && in_transaction?
    end

    # @return [Boolean] false if no connection has written since this one was opened
    def changed_since_open?
      exclusively { version != @version }
    end

    # @return [Boolean] true if the calling thread has the connection
    def owned?
      @monitor.mon_owned?
    end

    # @return [Boolean]
    def closed?
      @is_closed
    end

    # Refuse all further calls. A call that waits for a lock ends with a {ClosedError}.
    def begin_close
      @is_closed = true
    end

    # Close the connection when no thread uses it.
    def close
      begin_close
      return if @pid != Process.pid

      @monitor.synchronize do
        @statements.each_value(&:close)
        @statements.clear
        @raw.close unless @raw.closed?
      end
    rescue SQLite3::Exception => e
      raise Errors.from_sqlite(e)
    end

    # @raise [ClosedError, ForkError] the connection cannot be used
    def check_usable
      if @pid != Process.pid
        raise ForkError, "this database was opened by process #{@pid}; open it again in its child #{Process.pid}"
      end
      raise ClosedError, "the database is closed" if @is_closed
    end

    private

    # A fiber that waits for another one of its thread waits for ever, unless a scheduler resumes the other.
    def check_fiber
      return if !@thread.equal?(Thread.current) || @monitor.mon_owned?
      return if Fiber.respond_to?(:current_scheduler) && Fiber.current_scheduler

      raise NestedTransactionError, "another fiber of this thread is in a transaction, such as the caller of an " \
                                    "Enumerator's next"
    end

    def prepare(library)
      @raw.busy_timeout = BUSY_TIMEOUT_MS
      PRAGMAS.each { |name, value| @raw.execute("PRAGMA #{name} = #{value}") }
      Extension.load(@raw, library)
      one("SELECT honker_bootstrap()")
    end

    # The changes of other connections, and of this one.
    def version
      [step("PRAGMA data_version", []), @raw.total_changes]
    end

    def step(sql, args)
      statement = (@statements[sql] ||= @raw.prepare(sql))
      args.each_with_index { |each, index| statement.bind_param(index + 1, each) }
      row = statement.step
      row&.first
    rescue SQLite3::Exception => e
      raise Errors.from_sqlite(e)
    rescue RangeError => e
      raise InvalidArgumentError, "a number is outside the range of SQLite: #{e.message}"
    ensure
      statement&.reset!
    end

    # Repeat the block while another connection holds the lock. Inside a transaction SQLite waits, because only SQLite
    # knows if waiting helps.
    def patiently(&block)
      return yield if in_transaction?

      deadline = now_s + (BUSY_TIMEOUT_MS / 1000.0)
      pause_s, longest_s = PAUSE_S
      begin
        without_sqlite_waiting(&block)
      rescue BusyError
        raise if now_s >= deadline

        sleep(rand * pause_s)
        check_usable
        pause_s = [pause_s * 2, longest_s].min
        retry
      end
    end

    def now_s
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    def without_sqlite_waiting
      @raw.busy_timeout = 0
      yield
    ensure
      @raw.busy_timeout = BUSY_TIMEOUT_MS unless @raw.closed?
    end
  end
end
