# frozen_string_literal: true

require "pathname"

module Honker
  # An open database file. Threads may share it; see the README for waiting and transactions.
  #
  # Every method raises {ClosedError} after {#close}, {BusyError} if another connection held the write lock for
  # longer than 5 seconds, and {InvalidArgumentError} for values outside their range.
  class Database
    include Results

    BACKENDS = [nil, "", "polling", "poll", "kernel", "kernel-watcher", "shm", "shm-fast-path"].freeze
    private_constant :BACKENDS

    # @return [String] the file as SQLite knows it
    attr_reader :path

    # Open a file, and close it after the block if there is one.
    #
    # @return [Database, Object] the database, or the value of the block
    def self.open(path, **options)
      database = new(path, **options)
      return database unless block_given?

      begin
        yield database
      ensure
        database.close
      end
    end

    # Open a file; it is created if it is missing.
    #
    # @param path [String, Pathname] the file
    # @param extension_path [String, nil] the library; see {Extension.path}
    # @param watcher_backend [String, nil] nil chooses; else "polling", "kernel" or "shm"
    # @param watcher_poll_interval_ms [Integer, nil] milliseconds between two checks where the watcher polls
    # @param extension_resolver [#call] gets +extension_path+ and returns the library
    # @raise [ArgumentError] the backend or the interval is invalid
    # @raise [Error] the file cannot be opened
    def initialize(path, extension_path: nil, watcher_backend: nil, watcher_poll_interval_ms: nil,
                   extension_resolver: Extension.method(:path))
      check_watcher(watcher_backend, watcher_poll_interval_ms)
      @library = extension_resolver.call(extension_path)
      @watcher = [watcher_backend, watcher_poll_interval_ms]
      # The ids of open subscriptions.
      @subscriptions = {}
      # The subscriptions of the threads that have called wait_for_update.
      @updates = {}
      # A subscription that no wait uses. It keeps the watcher running.
      @kept = nil
      @updates_lock = Mutex.new
      @pid = Process.pid
      name = check_path(path)
      Inherited.check(name)
      @connection = Connection.new(name, @library)
      @path = @connection.raw.filename
      Inherited.add(@connection, @path)
      probe
    end

    # The connection of the sqlite3 gem. It is not protected from other threads that use this database.
    #
    # @return [SQLite3::Database]
    def db
      @connection.raw
    end
    alias raw db

    # Close the database. Waits of other threads end with a {ClosedError}; a transaction of another thread is waited
    # for. Idempotent.
    #
    # @raise [NestedTransactionError] the calling thread is in a transaction
    def close
      return if @pid != Process.pid
      raise NestedTransactionError, "the database cannot be closed in its transaction" if @connection.held_by_caller?

      @connection.begin_close
      @updates_lock.synchronize { @kept }&.close
      Watchers.close(*@subscriptions.keys)
      @connection.close
      Inherited.forget(@connection)
    end

    # @return [Boolean]
    def closed?
      @connection.closed?
    end

    # Run the block in a transaction that holds the write lock (BEGIN IMMEDIATE), and commit it.
    #
    # An error in the block rolls back and is raised again. +break+, +return+ and +throw+ out of the block roll back,
    # too; use +next+. Calls of this thread without +tx:+ join the transaction.
    #
    # @yieldparam tx [Transaction]
    # @return [Object, nil] the value of the block; nil after {Transaction#rollback!}
    # @raise [NestedTransactionError] this thread is in a transaction already
    def transaction(&block)
      Transaction.run(self, @connection, &block)
    end

    # Get a queue. It exists from its first job on.
    #
    # @param name [String] up to 255 bytes
    # @param visibility_timeout_s [Numeric] seconds of a lease, more than 0, at most a year
    # @param max_attempts [Integer] attempts of its jobs, 1 to 1,000,000
    # @return [Queue]
    def queue(name, visibility_timeout_s: 300, max_attempts: 3)
      Queue.new(self, name, visibility_timeout_s, max_attempts)
    end

    # Get an outbox, which delivers payloads to another system.
    #
    # @param name [String]
    # @param delivery [#call] called with the payload, or with the payload and the {Job}, as its arity says; a block
    #   will do
    # @param visibility_timeout_s [Numeric] seconds that a delivery may take
    # @param max_attempts [Integer] deliveries before a payload is a dead letter
    # @param base_backoff_s [Numeric] seconds before the second delivery; twice as many before each further one
    # @return [Outbox]
    def outbox(name, delivery = nil, visibility_timeout_s: 60, max_attempts: 5, base_backoff_s: 5, &block)
      Outbox.new(self, name, delivery || block, visibility_timeout_s: visibility_timeout_s, max_attempts: max_attempts,
                                                base_backoff_s: base_backoff_s)
    end

    # @return [Stream] the stream of a topic
    def stream(topic)
      Stream.new(self, topic)
    end

    # @return [Scheduler] the schedules of this file
    def scheduler
      Scheduler.new(self)
    end

    # Send a notification to the current listeners of a channel.
    #
    # @param channel [String]
    # @param payload [Object] any value that JSON can represent
    # @param tx [Transaction, SQLite3::Database, nil] a transaction to send it in
    # @return [Integer] the notification's id
    def notify(channel, payload, tx: nil)
      one("SELECT notify(?, ?)", channel, Serialization.dump(payload), tx: tx)
    end

    # Like {#notify}, in a transaction.
    def notify_tx(tx, channel, payload)
      notify(channel, payload, tx: tx)
    end

    # Listen to a channel, from now on.
    #
    # @param channel [String]
    # @param fallback_poll_s [Numeric, nil] seconds between two looks without a commit; nil for none
    # @param stop [Stop, #stop?, #call, nil] ends the loop over the block
    # @yieldparam notification [Notification] each, for ever
    # @return [Listener, nil] the listener; nil with a block
    def listen(channel, fallback_poll_s: 15, stop: nil, &block)
      iterate(Listener.new(self, channel, fallback_poll_s), stop, &block)
    end

    # Delete notifications that are older than a span, or beyond the newest ones.
    #
    # @return [Integer] the number deleted
    def prune_notifications(older_than_s: nil, max_keep: nil)
      one("SELECT honker_notification_prune(?, ?)", older_than_s, max_keep)
    end

    # Take a named lock if it is free. With a block, release it afterwards.
    #
    # @param name [String]
    # @param owner [String] the holder
    # @param ttl_s [Numeric] seconds until it lapses, more than 0, at most a year
    # @yieldparam lock [Lock]
    # @return [Lock, Object, nil] the lock, or the value of the block; nil if another owner holds the lock
    def try_lock(name, owner:, ttl_s: 60)
      lock = Lock.new(self, name, owner, ttl_s)
      return lock.acquire ? lock : nil unless block_given?

      begin
        yield lock if lock.acquire
      ensure
        lock.release if lock.acquired?
      end
    end

    # Count one use of a name, unless its current window is full.
    #
    # @param limit [Integer] uses in a window
    # @param per [Numeric] seconds of a window
    # @return [Boolean] true if the use was counted
    def try_rate_limit(name, limit:, per:)
      one("SELECT honker_rate_limit_try(?, ?, ?)", name, limit, per) == 1
    end

    # Delete the windows of all rate limits that began longer ago.
    #
    # @return [Integer] the number deleted
    def sweep_rate_limits(older_than_s: 3600)
      one("SELECT honker_rate_limit_sweep(?)", older_than_s)
    end

    # Subscribe to the commits of this file, of any process.
    #
    # @return [UpdateEvents]
    def update_events
      # Stopping a watcher and starting another takes milliseconds: it runs from the first wait until the end.
      @updates_lock.synchronize { @kept ||= subscribe }
      subscribe
    end

    # Wait for a commit since the last call in this thread, or since the database was opened.
    #
    # @param timeout_s [Numeric, nil] the longest wait in seconds; nil for no limit
    # @param stop [Stop, #stop?, #call, nil] ends the wait
    # @return [Boolean] true if there was a commit
    def wait_for_update(timeout_s = nil, stop: nil)
      check_may_wait
      events = @updates_lock.synchronize { @updates[Thread.current] }
      return events.wait(timeout_s, stop: stop) if events

      events = watch
      @connection.changed_since_open? || events.wait(timeout_s, stop: stop)
    end

    # Call a function of the engine.
    #
    # @param sql [String] a SELECT of one function, with a parameter for each argument
    # @param tx [Transaction, SQLite3::Database, nil] a transaction to call it in
    # @yield [value] while interrupts are held back
    # @return [Object, nil] the first column of the first row
    def one(sql, *args, tx: nil, &block)
      if tx.nil? || tx.equal?(@connection.raw)
        @connection.one(sql, *args, &block)
      elsif tx.is_a?(Transaction)
        check_own(tx)
        @connection.one(sql, *args, &block)
      else
        @connection.check_usable
        Foreign.one(tx, @path, sql, args)
      end
    end

    # @raise [NestedTransactionError] the calling thread is in a transaction, and would hold the write lock in a wait
    def check_may_wait
      return unless @connection.held_by_caller?

      raise NestedTransactionError, "a wait inside a transaction holds the write lock; wait after it"
    end

    # @return [String]
    def inspect
      "#<Honker::Database #{@path}#{' closed' if closed?}>"
    end

    private

    # Call the block with each item, and close the iterator.
    def iterate(items, stop, &block)
      return items if block.nil?

      begin
        items.each(stop: stop, &block)
        nil
      ensure
        items.close
      end
    end

    def check_own(transaction)
      unless transaction.database.equal?(self)
        raise InvalidArgumentError, "tx: the transaction is one of #{transaction.database.path}, not of #{@path}"
      end

      transaction.check_open
    end

    def check_path(path)
      name = path.to_s
      return name unless name.empty? || name == ":memory:"

      raise InvalidArgumentError, "path is #{path.inspect}; a database without a file cannot be watched or shared"
    end

    def check_watcher(backend, interval_ms)
      raise ArgumentError, "unknown watcher backend #{backend.inspect}" unless BACKENDS.include?(backend)
      return if interval_ms.nil? || (interval_ms.is_a?(Integer) && interval_ms.positive?)

      raise ArgumentError, "watcher poll interval must be a positive number of milliseconds, not #{interval_ms.inspect}"
    end

    def subscribe
      UpdateEvents.new(@connection, @subscriptions, @library, @path, *@watcher)
    end

    # Subscribe for this thread.
    def watch
      events = update_events
      @updates_lock.synchronize do
        @updates.delete_if { |thread, each| thread.alive? ? false : each.close || true }
        @updates[Thread.current] = events
      end
    end

    # A backend by name must work.
    def probe
      update_events.close unless @watcher.compact.empty?
    rescue Error => e
      close
      raise e.class, "watcher_backend probe failed: #{e.message}"
    end
  end
end
