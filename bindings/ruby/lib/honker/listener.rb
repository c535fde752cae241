# frozen_string_literal: true

require_relative "log_reader"

module Honker
  # A message on a channel.
  #
  # @!attribute id [Integer] grows over all channels
  # @!attribute channel [String]
  # @!attribute payload [Object] the value that was sent; text that is not JSON is itself
  # @!attribute created_at [Numeric] Unix seconds
  Notification = Struct.new(:id, :channel, :payload, :created_at)

  # An endless iterator over the notifications of a channel that are sent after its creation.
  #
  # Every listener gets every notification, in order. Get one from {Database#listen}.
  class Listener < LogReader
    # @return [String]
    attr_reader :channel

    def initialize(database, channel, fallback_poll_s)
      super(database, fallback_poll_s)
      @channel = channel
      @last_id = database.one("SELECT honker_notification_last_id(?)", channel)
    rescue Error
      close
      raise
    end

    private

    def read
      text = @db.one("SELECT honker_notification_read_since(?, ?, ?)", @channel, @last_id, BATCH)
      text == "[]" ? [] : JSON.parse(text)
    end

    def advance(last, rows)
      Interrupts.hold do
        @last_id = last["id"]
        @ahead.concat(rows.map { |row| notification(row) })
      end
    end

    def notification(row)
      payload = begin
        Serialization.load(row["payload"])
      rescue UnreadablePayloadError
        row["payload"]
      end
      Notification.new(row["id"], row["channel"], payload, row["created_at"])
    end
  end
end
