# frozen_string_literal: true

module Honker
  # Settings, pauses and counts of a queue: methods of {Queue}.
  module QueueSettings
    # Change settings of the queue, which every process and language obeys. nil removes one.
    #
    # @param settings [Hash] such as +concurrency+, +concurrency_per_key+, +ordered+, +rate+ (an Array of a number and
    #   seconds), +rate_per_key+, +burst+, +keep_finished_s+
    # @return [IndifferentHash] all settings
    def configure(**settings)
      Serialization.load(db.one("SELECT honker_queue_configure(?, ?)", name, JSON.generate(settings)))
    end

    # @return [IndifferentHash] the settings of the queue
    def settings
      Serialization.load(db.one("SELECT honker_queue_settings(?)", name))
    end

    # Stop claims until {#resume}, or until an instant.
    #
    # @param until_at [Numeric, Time, nil]
    # @param reason [String, nil] for operators
    # @return [Boolean] true if the queue was running
    def pause(until_at: nil, reason: nil)
      db.one("SELECT honker_queue_pause(?, ?, ?)", name, until_at, reason) == 1
    end

    # @return [Boolean] true if the queue was paused
    def resume
      db.one("SELECT honker_queue_resume(?)", name) == 1
    end

    # @return [IndifferentHash] the number of jobs by state
    def stats
      Serialization.load(db.one("SELECT honker_queue_stats(?)", name))
    end
  end
end
