# frozen_string_literal: true

require_relative "log_reader"

module Honker
  # An event of a stream.
  #
  # @!attribute offset [Integer] grows over all topics together
  # @!attribute topic [String]
  # @!attribute key [String, nil]
  # @!attribute payload [Object] the value that was published; text that is not JSON is itself
  # @!attribute created_at [Numeric] Unix seconds
  StreamEvent = Struct.new(:offset, :topic, :key, :payload, :created_at) do
    # @return [StreamEvent] the event of a row of the engine
    def self.of(row)
      payload = begin
        Serialization.load(row["payload"])
      rescue UnreadablePayloadError
        row["payload"]
      end
      new(row["offset"], row["topic"], row["key"], payload, row["created_at"])
    end
  end

  # A durable stream of events. Get one from {Database#stream}.
  class Stream
    # @return [String]
    attr_reader :topic
    # @return [Database]
    attr_reader :db

    def initialize(database, topic)
      @db = database
      @topic = topic
    end

    # Append an event.
    #
    # @param payload [Object] any value that JSON can represent
    # @param key [String, nil] the subject of the event
    # @param tx [Transaction, SQLite3::Database, nil] the transaction that it is part of
    # @return [Integer] its offset
    def publish(payload, key: nil, tx: nil)
      @db.one("SELECT honker_stream_publish(?, ?, ?)", @topic, key, Serialization.dump(payload), tx: tx)
    end

    # Append an event about a subject.
    def publish_with_key(key, payload, tx: nil)
      publish(payload, key: key, tx: tx)
    end

    # Append an event in a transaction.
    def publish_tx(tx, payload, key: nil)
      publish(payload, key: key, tx: tx)
    end

    # Read events in order. Events of more than 16 MiB together come in several reads.
    #
    # @param offset [Integer] that of the last event seen; 0 for the beginning
    # @param limit [Integer] 1 to 10,000
    # @return [Array<StreamEvent>]
    def read_since(offset, limit = 1000)
      rows_since(offset, limit).map { |row| StreamEvent.of(row) }
    end

    # Read the events after the offset of a consumer, which stays.
    #
    # @return [Array<StreamEvent>]
    def read_from_consumer(consumer, limit = 1000)
      read_since(get_offset(consumer), limit)
    end

    # Save the offset of a consumer, after the event was processed. It only rises.
    #
    # @return [Boolean] true if it rose
    def save_offset(consumer, offset, tx: nil)
      @db.one("SELECT honker_stream_save_offset(?, ?, ?)", consumer, @topic, offset, tx: tx) == 1
    end

    # Save the offset of a consumer in a transaction.
    def save_offset_tx(tx, consumer, offset)
      save_offset(consumer, offset, tx: tx)
    end

    # @return [Integer] the offset of a consumer; 0 if none was saved
    def get_offset(consumer)
      @db.one("SELECT honker_stream_get_offset(?, ?)", consumer, @topic)
    end

    # Follow the stream as a consumer, from its saved offset on.
    #
    # @param consumer [String]
    # @param save_every_n [Integer] events between two saves of the offset; 0 for no such saves
    # @param save_every_s [Numeric] seconds between two saves of the offset; 0 for no such saves
    # @param fallback_poll_s [Numeric, nil] seconds between two looks without a commit; nil for none
    # @param stop [Stop, #stop?, #call, nil] ends the loop over the block
    # @yieldparam event [StreamEvent] each, for ever
    # @return [Subscription, nil] the subscription; nil with a block
    def subscribe(consumer, save_every_n: 1000, save_every_s: 1, fallback_poll_s: 15, stop: nil, &block)
      subscription = Subscription.new(self, consumer, save_every_n, save_every_s, fallback_poll_s)
      return subscription if block.nil?

      begin
        subscription.each(stop: stop, &block)
        nil
      ensure
        subscription.close
      end
    end

    # @return [Array<Hash>] the rows of the engine after an offset
    def rows_since(offset, limit)
      text = @db.one("SELECT honker_stream_read_since(?, ?, ?)", @topic, offset, limit)
      text == "[]" ? [] : JSON.parse(text)
    end
  end
end
