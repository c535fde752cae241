# frozen_string_literal: true

require "monitor"

module Honker
  # A subscription to the commits of a database file, of any process.
  #
  # A wake means that there may be something new to read. Subscribe first, then read, then wait. Several commits may be
  # one wake. Each object serves one waiter at a time. Get one from {Database#update_events}.
  class UpdateEvents
    READ_BYTES = 4096
    private_constant :READ_BYTES

    def initialize(connection, siblings, library, path, backend, interval_ms)
      connection.check_usable
      @connection = connection
      @siblings = siblings
      @path = path
      @pid = Process.pid
      @lock = Monitor.new
      @waiting = 0
      @is_closed = false
      Interrupts.hold do
        @id, @io = Watchers.open(library, path, backend, interval_ms)
        siblings[@id] = true
        ObjectSpace.define_finalizer(self, Watchers.abandoner(@id, siblings))
      end
      close if connection.closed?
    end

    # Wait for a commit since the last wake. Other threads run meanwhile; Thread#raise, Thread#kill and Timeout end it.
    #
    # @param timeout_s [Numeric, nil] the longest wait in seconds; nil for no limit
    # @param stop [Stop, #stop?, #call, nil] ends the wait
    # @return [Boolean] true if there was a commit, false after the timeout or the stop
    # @raise [ClosedError] this object or the database was closed
    # @raise [ReplacedError] the file was replaced
    def wait(timeout_s = nil, stop: nil)
      check_open
      return true if take

      @lock.synchronize { @waiting += 1 }
      begin
        Stopping.of(stop).wait(@io, timeout_s) && take
      ensure
        Interrupts.hold { leave }
      end
    end

    # End the subscription; a waiter in another thread gets a {ClosedError}. Idempotent.
    def close
      return if @is_closed || @pid != Process.pid

      Interrupts.hold do
        @is_closed = true
        @siblings.delete(@id)
        ObjectSpace.undefine_finalizer(self)
        Watchers.close(@id)
        close_descriptor
      end
    end

    # @return [Boolean]
    def closed?
      @is_closed
    end

    private

    # Take the pending wakes. True if there was one.
    def take
      data = @io.read_nonblock(READ_BYTES, exception: false)
      return false if data == :wait_readable

      check_open
      data.nil? ? die : true
    rescue IOError
      check_open
      raise
    end

    def die
      reason = Watchers.death(@id)
      check_open
      kind = reason&.include?("replaced") ? ReplacedError : WatcherError
      raise kind, reason || "the watcher of #{@path} has ended"
    end

    def leave
      @lock.synchronize { @waiting -= 1 }
      close_descriptor
    end

    # The last waiter closes the descriptor.
    def close_descriptor
      @lock.synchronize { @io.close if (@is_closed || @connection.closed?) && @waiting.zero? && !@io.closed? }
    end

    def check_open
      @connection.check_usable
      raise ClosedError, "the subscription is closed" if @is_closed
    end
  end
end
