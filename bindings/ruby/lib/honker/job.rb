# frozen_string_literal: true

module Honker
  # A job that is leased to a worker. Get one from {Queue#claim}, {Queue#claim_one} or {Queue#claim_batch}.
  #
  # The lease holds for the queue's +visibility_timeout_s+. Methods that settle the job return false, and change
  # nothing, if the lease is lost.
  class Job
    # @return [Integer]
    attr_reader :id
    # @return [String]
    attr_reader :queue_name
    # @return [String]
    attr_reader :worker_id
    # @return [Integer] the number of this attempt, from 1
    attr_reader :attempts
    # @return [Integer] the attempts that it may have
    attr_reader :max_attempts
    # @return [Integer]
    attr_reader :priority
    # @return [Numeric] Unix seconds, the last instant of the lease
    attr_reader :claim_expires_at
    # @return [Numeric] Unix seconds
    attr_reader :created_at
    # @return [String, nil] the error of the attempt before
    attr_reader :last_error
    # @return [String, nil] the key whose jobs share a limit
    attr_reader :key
    # @return [String] the payload as it is stored
    attr_reader :payload_text

    alias queue queue_name

    def initialize(queue, row)
      @queue = queue
      @id, @queue_name, @payload_text, @worker_id, @attempts, @max_attempts, @priority, @claim_expires_at, @created_at,
        @last_error, @key = row.values_at("id", "queue", "payload", "worker_id", "attempts", "max_attempts", "priority",
                                          "claim_expires_at", "created_at", "last_error", "key")
      @is_settled = false
    end

    # @return [Object] the value that was enqueued, with {IndifferentHash} for objects
    # @raise [UnreadablePayloadError] the stored text is not JSON
    def payload
      @payload ||= [Serialization.load(@payload_text)]
      @payload.first
    end

    # Acknowledge the job and delete it.
    #
    # @param tx [Transaction, SQLite3::Database, nil] the transaction that it is part of
    # @return [Boolean] false if the lease was lost
    def ack(tx: nil)
      settle("SELECT honker_ack(?, ?, ?)", @attempts, tx: tx)
    end

    # Put the job back, to be tried again; after its last attempt it is a dead letter.
    #
    # @param delay_s [Numeric] seconds until its earliest claim
    # @param error [String, Exception, nil] the reason
    # @return [Boolean] false if the lease was lost
    def retry(delay_s: 60, error: "", tx: nil)
      settle("SELECT honker_retry(?, ?, ?, ?, ?)", delay_s, Serialization.error_text(error), @attempts, tx: tx)
    end

    # Make the job a dead letter, even if it has attempts left.
    #
    # @param error [String, Exception, nil] the reason
    # @return [Boolean] false if the lease was lost
    def fail(error: "", tx: nil)
      settle("SELECT honker_fail(?, ?, ?, ?)", Serialization.error_text(error), @attempts, tx: tx)
    end

    # Set the end of the lease to so many seconds from now.
    #
    # @param extend_s [Numeric] more than 0, at most a year; the length of the queue's leases by default
    # @return [Boolean] false if the lease was lost
    def heartbeat(extend_s: @queue.visibility_timeout_s)
      @queue.db.one("SELECT honker_heartbeat(?, ?, ?, ?)", @id, @worker_id, extend_s, @attempts) == 1
    end

    # Give the job back without a charge; it waits at its old place, or for a delay.
    #
    # @return [Boolean] false if the lease was lost
    def release(delay_s: 0)
      settle("SELECT honker_release(?, ?, ?, ?, 0)", @attempts, delay_s)
    end

    # Put the job off; the attempt is not charged.
    #
    # @return [Boolean] false if the lease was lost
    def snooze(delay_s, tx: nil)
      settle("SELECT honker_snooze(?, ?, ?, ?)", delay_s, @attempts, tx: tx)
    end

    # Tell the progress of the job.
    #
    # @param done [Numeric] of +total+
    # @param note [String, nil]
    # @return [Boolean] false if the lease was lost
    def progress(done, total: 1, note: nil)
      @queue.db.one("SELECT honker_progress(?, ?, ?, ?, ?, ?)", @id, @worker_id, done, total, note, @attempts) == 1
    end

    # @return [Boolean] true after a successful {#ack}, {#retry}, {#fail}, {#release} or {#snooze}
    def settled?
      @is_settled
    end

    # @return [String]
    def inspect
      "#<Honker::Job #{@id} of #{@queue_name}, attempt #{@attempts}>"
    end

    private

    def settle(sql, *args, tx: nil)
      is_held = @queue.db.one(sql, @id, @worker_id, *args, tx: tx) == 1
      @is_settled ||= is_held
      is_held
    end
  end
end
