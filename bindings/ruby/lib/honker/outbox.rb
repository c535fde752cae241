# frozen_string_literal: true

module Honker
  # Delivers payloads to another system, each at least once, and tries failed deliveries again.
  #
  # A payload that is enqueued with +tx:+ is delivered if that transaction commits. A delivery that raises is repeated
  # after +base_backoff_s+, then after twice as long each time, up to an hour. After +max_attempts+ the payload is a
  # dead letter with its error. The lease is renewed while the delivery runs. Get one from {Database#outbox}.
  class Outbox
    # The longest pause between two deliveries, unless +base_backoff_s+ is longer.
    MAX_BACKOFF_S = 3600
    # Up to a tenth is added to each pause, so that deliveries that failed together are spread.
    SPREAD = 0.1
    private_constant :SPREAD

    # @return [String]
    attr_reader :name
    # @return [Queue] the queue of the payloads
    attr_reader :queue

    def initialize(database, name, delivery, visibility_timeout_s:, max_attempts:, base_backoff_s:)
      raise ArgumentError, "delivery is #{delivery.inspect}; it must respond to call" unless delivery.respond_to?(:call)

      @name = name
      @queue = Queue.new(database, "_outbox:#{name}", visibility_timeout_s, max_attempts)
      @base_backoff_s = [base_backoff_s, 0].max
      @worker = Worker.new(@queue, method(:backoff_s), handler(delivery))
    end

    # Record a payload to deliver; see {Queue#enqueue} for the options.
    #
    # @return [Integer] the job's id
    def enqueue(payload, tx: nil, **options)
      @queue.enqueue(payload, tx: tx, **options)
    end

    # Like {#enqueue}, in a transaction.
    def enqueue_tx(tx, payload, **options)
      @queue.enqueue(payload, tx: tx, **options)
    end

    # Deliver a payload that is due.
    #
    # @return [Boolean] true if one was due, delivered or not
    def run_once(worker_id)
      @worker.run_once(worker_id)
    end

    # Deliver payloads one after the other until the stop. The wait for payloads does not poll.
    #
    # @param stop [Stop, #stop?, #call, nil]
    # @param idle_sleep_s [Numeric] seconds between two questions to a stop object without a descriptor
    def run_worker(worker_id, stop: nil, idle_sleep_s: Stopping::POLL_S)
      @worker.run(worker_id, Stopping.of(stop, poll_s: idle_sleep_s))
    end

    private

    def handler(delivery)
      callable = delivery.respond_to?(:arity) ? delivery : delivery.method(:call)
      wants_job = callable.arity == 2 || callable.arity < -2
      ->(job) { wants_job ? delivery.call(job.payload, job) : delivery.call(job.payload) }
    end

    def backoff_s(job)
      longest_s = [MAX_BACKOFF_S, @base_backoff_s].max
      [@base_backoff_s * (2**[job.attempts - 1, 60].min), longest_s].min * (1 + (rand * SPREAD))
    end
  end
end
