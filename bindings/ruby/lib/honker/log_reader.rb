# frozen_string_literal: true

module Honker
  # The loop that {Listener} and {Subscription} share: an endless iterator over the rows of a log, in order.
  class LogReader
    include Enumerable

    # Rows of one read.
    BATCH = 1000

    def initialize(database, fallback_poll_s)
      @db = database
      @fallback_poll_s = fallback_poll_s
      # Rows that were read and not finished. The first one is the current one, if it was handed out.
      @ahead = []
      @is_handed_out = false
      # Subscribed before the first look, so that no commit between a look and a wait is missed.
      @updates = database.update_events
    end

    # Wait for the next row. A wait that is interrupted or timed out loses no row.
    #
    # @param timeout [Numeric, nil] the longest wait in seconds; nil for no limit
    # @param stop [Stop, #stop?, #call, nil] ends the wait
    # @return [Notification, StreamEvent, nil] nil after the timeout or the stop
    # @raise [ClosedError] the iterator or the database was closed
    # @raise [NestedTransactionError] the calling thread is in a transaction
    def next(timeout: nil, stop: nil)
      @db.check_may_wait
      finish_current
      fetch(timeout && (now_s + timeout), Stopping.of(stop))
      @is_handed_out = !@ahead.empty?
      @ahead.first
    end

    # Call the block with each row, until the stop.
    def each(stop: nil)
      return to_enum(:each, stop: stop) unless block_given?

      stopping = Stopping.of(stop)
      while (row = self.next(stop: stopping))
        yield row
      end
      self
    end

    # End the subscription. Idempotent.
    def close
      @updates&.close
    end

    # @return [Boolean]
    def closed?
      @updates.closed?
    end

    private

    def finish_current
      return unless @is_handed_out

      finish(@ahead.first)
      @ahead.shift
      @is_handed_out = false
    end

    # Called with the row that the consumer is done with.
    def finish(row); end

    def fetch(deadline, stopping)
      raise ClosedError, "the iterator is closed" if closed?

      while @ahead.empty? && !stopping.stop?
        rows = read
        next take(rows) unless rows.empty?
        return if deadline && now_s >= deadline

        @updates.wait([wait_s, deadline && [deadline - now_s, 0].max].compact.min, stop: stopping)
        after_wait
      end
    end

    # Seconds to wait if no commit comes.
    def wait_s
      @fallback_poll_s
    end

    def after_wait; end

    # Rows that were edited by hand into an unreadable form are passed over.
    def take(rows)
      sound, malformed = rows.partition { |each| each["malformed"].nil? }
      malformed.each do |each|
        Honker.logger&.warn("row #{each['offset'] || each['id']} is passed over: #{each['malformed']}")
      end
      advance(rows.last, sound)
    end

    def now_s
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
