# frozen_string_literal: true

module Honker
  # Repeats an operation while its error may pass.
  #
  # @private
  class Backoff
    # Seconds before a repetition, from the first to the longest.
    PAUSE_S = [0.05, 5.0].freeze
    private_constant :PAUSE_S

    def initialize(name, stopping)
      @name = name
      @stopping = stopping
    end

    # @return [Object, nil] the value of the block; nil if the stop came first
    def run
      pause_s, longest_s = PAUSE_S
      begin
        yield
      rescue Error => e
        raise unless e.retryable?

        Honker.logger&.warn("#{@name}: #{e.message}; trying again in #{pause_s.round(2)} s")
        @stopping.wait(nil, pause_s)
        return if @stopping.stop?

        pause_s = [pause_s * 2, longest_s].min
        retry
      end
    end
  end

  # The loop of {Queue#work} and {Outbox#run_worker}.
  #
  # @private
  class Worker
    # Errors that fail an attempt. Others, such as SignalException, end the worker.
    FAILURES = [StandardError, ScriptError, SystemStackError].freeze
    private_constant :FAILURES

    def initialize(queue, retry_delay_s, handler)
      raise ArgumentError, "no block given" if handler.nil?

      @queue = queue
      @handler = handler
      @retry_delay_s = retry_delay_s.respond_to?(:call) ? retry_delay_s : ->(_job) { retry_delay_s }
    end

    # Handle jobs until the stop.
    def run(worker_id, stopping)
      backoff = Backoff.new("#{@queue.name} of #{worker_id}", stopping)
      claims = @queue.claim(worker_id)
      LeaseKeeper.open(@queue) do |keeper|
        # After a busy database the iterator goes on.
        backoff.run { claims.each(stop: stopping) { |job| handle(job, keeper, backoff) } } until stopping.stop?
      end
    ensure
      claims&.close
    end

    # Handle a job that is due.
    #
    # @return [Boolean] false if none was due
    def run_once(worker_id)
      job = @queue.claim_one(worker_id)
      return false if job.nil?

      backoff = Backoff.new("#{@queue.name} of #{worker_id}", Stopping.of(nil))
      LeaseKeeper.open(@queue) { |keeper| handle(job, keeper, backoff) }
      true
    end

    private

    def handle(job, keeper, backoff)
      error = keeper.keep(job) { attempt(job) }
      return if job.settled?

      is_held = backoff.run { settle(job, error) }
      Honker.logger&.warn("#{job.inspect} was settled too late: its lease was lost") if is_held == false
    ensure
      # Interrupted: neither done nor failed.
      @queue.give_back([job]) unless job.settled? || is_held == false
    end

    # The error of the handler, or nil.
    def attempt(job)
      @handler.call(job)
      nil
    rescue *FAILURES => e
      e
    end

    def settle(job, error)
      case error
      when nil then job.ack
      when UnreadablePayloadError then job.fail(error: error)
      else job.retry(delay_s: @retry_delay_s.call(job), error: error)
      end
    end
  end
end
