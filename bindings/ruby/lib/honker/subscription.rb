# frozen_string_literal: true

require_relative "log_reader"

module Honker
  # A consumer that follows a stream: an endless iterator over its events, each at least once.
  #
  # An event counts as processed when the next one is asked for. The offset of processed events is saved now and then,
  # and when the subscription is closed. An event whose block raised, or was left by break, comes again; {#save_offset}
  # in the block counts it as processed. Get one from {Stream#subscribe}.
  class Subscription < LogReader
    # @return [Integer] the offset of the last event that was processed
    attr_reader :offset

    def initialize(stream, consumer, save_every_n, save_every_s, fallback_poll_s)
      super(stream.db, fallback_poll_s)
      @stream = stream
      @consumer = consumer
      @save_every_n = save_every_n
      @save_every_s = save_every_s
      @offset = @read_to = stream.get_offset(consumer)
      @unsaved = 0
      @saved_at = now_s
    rescue Error
      @updates&.close
      raise
    end

    # Save the offset of the current event.
    #
    # @param tx [Transaction, SQLite3::Database, nil] the transaction that wrote the effects of the event
    # @return [Boolean] true if the saved offset rose
    def save_offset(tx: nil)
      offset = @is_handed_out ? @ahead.first.offset : @offset
      is_risen = @stream.save_offset(@consumer, offset, tx: tx)
      @offset = offset
      @unsaved = 0
      @saved_at = now_s
      is_risen
    end

    # Save the offset of the last processed event, and end the subscription. Idempotent.
    def close
      save if @unsaved.positive? && !@db.closed? && !closed?
    ensure
      super
    end

    private

    def read
      save if save_due?
      @stream.rows_since(@read_to, BATCH)
    end

    def advance(last, rows)
      Interrupts.hold do
        @read_to = last["offset"]
        @ahead.concat(rows.map { |row| StreamEvent.of(row) })
      end
    end

    def finish(event)
      return if event.offset <= @offset

      @offset = event.offset
      @unsaved += 1
      save if save_due?
    end

    def save_due?
      return false if @unsaved.zero?

      (@save_every_n.positive? && @unsaved >= @save_every_n) ||
        (@save_every_s.positive? && now_s - @saved_at >= @save_every_s)
    end

    def save
      @stream.save_offset(@consumer, @offset)
      @unsaved = 0
      @saved_at = now_s
    end

    def wait_s
      return @fallback_poll_s if @unsaved.zero? || !@save_every_s.positive?

      [@fallback_poll_s, [@saved_at + @save_every_s - now_s, 0].max].compact.min
    end
  end
end
