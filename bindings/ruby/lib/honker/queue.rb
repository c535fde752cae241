# frozen_string_literal: true

require_relative "queue_settings"

module Honker
  # A queue of jobs. Get one from {Database#queue}.
  class Queue
    include QueueSettings

    # Options of a job that relate it to others; see {#enqueue}.
    FLOW = %i[key unique_key on_conflict unique_until unique_for_s debounce_s debounce_max_s after
              on_parent_failure].freeze
    CLAIM = "SELECT honker_claim_batch(?, ?, ?, ?, 1)"
    ENQUEUE = "SELECT honker_enqueue(?, ?, ?, ?, ?, ?, ?)"
    ENQUEUE_FLOW = "SELECT honker_enqueue(?, ?, ?)"
    ENQUEUE_MANY = "SELECT honker_enqueue_many(?, ?, ?, ?, ?, ?, ?, ?)"
    private_constant :FLOW, :CLAIM, :ENQUEUE, :ENQUEUE_FLOW, :ENQUEUE_MANY

    # @return [Database]
    attr_reader :db
    # @return [String]
    attr_reader :name
    # @return [Numeric] seconds of a lease
    attr_reader :visibility_timeout_s
    # @return [Integer] attempts of a job
    attr_reader :max_attempts

    def initialize(database, name, visibility_timeout_s, max_attempts)
      @db = database
      @name = name
      @visibility_timeout_s = visibility_timeout_s
      @max_attempts = max_attempts
    end

    # Add a job.
    #
    # @param payload [Object] any value that JSON can represent; symbols become strings
    # @param delay [Numeric, nil] seconds until its earliest claim; overrides +run_at+
    # @param run_at [Numeric, Time, nil] its earliest claim; Unix seconds or a time
    # @param priority [Integer] higher ones are claimed first
    # @param expires [Numeric, nil] seconds after which it is a dead letter instead of claimed
    # @param max_attempts [Integer] attempts; the queue's by default
    # @param tx [Transaction, SQLite3::Database, nil] the transaction that it is part of; ActiveRecord's connection,
    #   too. A raw connection must have loaded the extension ({Honker.setup})
    # @param flow [Hash] +key+, +unique_key+, +on_conflict+ ("existing", "replace", "rerun", "raise"), +unique_until+,
    #   +unique_for_s+, +debounce_s+, +debounce_max_s+, +after+ (ids of jobs), +on_parent_failure+
    # @return [Integer] the job's id; with a unique key that is taken, that of the job that has it
    def enqueue(payload, delay: nil, run_at: nil, priority: 0, expires: nil, max_attempts: @max_attempts, tx: nil,
                **flow)
      text = Serialization.dump(payload)
      times = [run_at, delay, priority, max_attempts, expires]
      return @db.one(ENQUEUE, @name, text, *times, tx: tx) if flow.empty?

      check_flow(flow)
      options = %i[run_at delay priority max_attempts expires].zip(times).to_h
      @db.one(ENQUEUE_FLOW, @name, text, options_json(options.merge(flow)), tx: tx)
    end

    # Like {#enqueue}, in a transaction.
    def enqueue_tx(tx, payload, **options)
      enqueue(payload, **options, tx: tx)
    end

    # Add several jobs, all or none. The other options are as for {#enqueue}, and apply to all jobs.
    #
    # @param payloads [Array] up to 100,000
    # @return [Array<Integer>] their ids, in order
    def enqueue_many(payloads, delay: nil, run_at: nil, priority: 0, expires: nil, max_attempts: @max_attempts, tx: nil,
                     **flow)
      check_flow(flow)
      flow_json = flow.empty? ? nil : options_json(flow)
      ids = @db.one(ENQUEUE_MANY, @name, Serialization.dump(payloads), run_at, delay, priority, max_attempts, expires,
                    flow_json, tx: tx)
      Serialization.load(ids)
    end

    # Lease due jobs to a worker.
    #
    # A job whose lease expires runs again, so handlers must tolerate repeats. Jobs of a call that is interrupted are
    # given back.
    #
    # @param worker_id [String] up to 255 bytes
    # @param n [Integer] 1 to 10,000
    # @return [Array<Job>] highest priority first, then the earliest +run_at+, then the lowest id
    def claim_batch(worker_id, n)
      jobs = []
      lease(worker_id, n) { |leased| jobs = leased }
      handed = jobs
      jobs = []
      handed
    ensure
      give_back(jobs)
    end

    # Lease the first due job to a worker; see {#claim_batch}.
    #
    # @return [Job, nil] nil if no job is due
    def claim_one(worker_id)
      claim_batch(worker_id, 1).first
    end

    # Lease jobs one after the other, and wait for them without polling.
    #
    # @param worker_id [String]
    # @param idle_poll_s [Numeric, nil] seconds between two looks without a commit; nil for none
    # @param stop [Stop, #stop?, #call, nil] ends the loop over the block
    # @yieldparam job [Job] each, for ever
    # @return [Claims, nil] an iterator; nil with a block
    def claim(worker_id, idle_poll_s: 5, stop: nil, &block)
      claims = Claims.new(self, worker_id, idle_poll_s)
      return claims if block.nil?

      begin
        claims.each(stop: stop, &block)
        nil
      ensure
        claims.close
      end
    end

    # Run the block for each job, until the stop. A job whose block returns is acknowledged. One whose block raises is
    # tried again after +retry_delay_s+, or a dead letter after its last attempt.
    #
    # The lease is renewed while the block runs. A job whose block is interrupted (Thread#raise, Thread#kill) is given
    # back without a charge.
    #
    # @param stop [Stop, #stop?, #call, nil]
    # @param retry_delay_s [Numeric, #call] seconds, or a function of the {Job}
    # @yieldparam job [Job]
    def work(worker_id, stop: nil, retry_delay_s: 60, &block)
      Worker.new(self, retry_delay_s, block).run(worker_id, Stopping.of(stop))
    end

    # Acknowledge several jobs in one transaction. Jobs that the worker does not hold are skipped.
    #
    # @param ids [Array<Integer, Job>] up to 10,000
    # @return [Integer] the number acknowledged
    def ack_batch(ids, worker_id, tx: nil)
      held = ids.map { |each| each.is_a?(Job) ? [each.id, each.attempts] : each }
      @db.one("SELECT honker_ack_batch(?, ?)", JSON.generate(held), worker_id, tx: tx)
    end

    # Dead-letter the expired jobs of this queue. Claims do that, too.
    #
    # @return [Integer] the number
    def sweep_expired
      @db.one("SELECT honker_sweep_expired(?)", @name)
    end

    # Remove a job of this queue that waits or is leased.
    #
    # @return [Boolean] true if a job was removed
    def cancel(job_id, tx: nil)
      @db.one("SELECT honker_cancel(?, ?)", job_id, @name, tx: tx) == 1
    end

    # Put a dead letter back among the waiting jobs, due at once, with all its attempts.
    #
    # @return [Boolean] true if this queue had that dead letter
    # @raise [UniqueKeyTakenError] another job has its unique key
    def requeue(job_id, tx: nil)
      @db.one("SELECT honker_requeue(?, ?)", job_id, @name, tx: tx) == 1
    end

    # @return [IndifferentHash, nil] the row of a job of this queue that waits or is leased: +id+, +queue+, +payload+
    #   (JSON text), +state+, +priority+, +run_at+, +worker_id+, +claim_expires_at+, +attempts+, +max_attempts+,
    #   +created_at+, +expires_at+
    def get_job(job_id)
      text = @db.one("SELECT honker_get_job(?, ?)", job_id, @name)
      text.empty? ? nil : Serialization.load(text)
    end

    # @return [Numeric, nil] the earliest instant at which a claim could find a job; nil if no job waits
    def next_claim_at
      found = @db.one("SELECT honker_queue_next_claim_at(?)", @name)
      found.zero? ? nil : found
    end

    # Lease jobs, for iterators: yields them while interrupts are held back.
    #
    # @yieldparam jobs [Array<Job>]
    def lease(worker_id, n)
      @db.one(CLAIM, @name, worker_id, n, @visibility_timeout_s) do |text|
        yield(text == "[]" ? [] : JSON.parse(text).map { |row| Job.new(self, row) })
      end
    end

    # Give jobs back that were leased and not handed out. If that fails, their leases lapse.
    def give_back(jobs)
      Interrupts.hold { jobs.each(&:release) } unless jobs.empty?
    rescue Error => e
      Honker.logger&.warn("a job of #{@name} could not be given back: #{e.message}")
    end

    # @return [String]
    def inspect
      "#<Honker::Queue #{@name}>"
    end

    private

    def check_flow(flow)
      unknown = flow.keys - FLOW
      raise ArgumentError, "unknown keywords: #{unknown.join(', ')}; known are #{FLOW.join(', ')}" unless unknown.empty?
    end

    def options_json(options)
      JSON.generate(options.compact.transform_values { |each| each.is_a?(Array) ? each : Serialization.bind(each) })
    end
  end
end
