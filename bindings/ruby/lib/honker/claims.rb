# frozen_string_literal: true

module Honker
  # An endless iterator over the due jobs of a queue. Each job is leased when it is handed out.
  #
  # Without a due job it waits for a commit of any process, or for the instant at which a job becomes due. A wait holds
  # neither a transaction nor the connection, and other threads run. Thread#raise, Thread#kill, Timeout and {#close}
  # end it; a job that was leased in that moment is given back. Get one from {Queue#claim}.
  class Claims
    include Enumerable

    # Seconds before a claim that follows a fruitless one although a job is due, from the first to the longest.
    PAUSE_S = 0.001
    LONGEST_PAUSE_S = 0.5
    private_constant :PAUSE_S, :LONGEST_PAUSE_S

    def initialize(queue, worker_id, idle_poll_s)
      @queue = queue
      @worker_id = worker_id
      @idle_poll_s = idle_poll_s
      @fruitless = 0
      # Subscribed before the first look, so that no commit between a look and a wait is missed.
      @updates = queue.db.update_events
    end

    # Lease the next job.
    #
    # @param timeout [Numeric, nil] the longest wait in seconds; nil for no limit
    # @param stop [Stop, #stop?, #call, nil] ends the wait
    # @return [Job, nil] nil after the timeout or the stop
    # @raise [ClosedError] the iterator or the database was closed
    # @raise [NestedTransactionError] the calling thread is in a transaction
    def next(timeout: nil, stop: nil)
      job = nil
      obtain(timeout && (now_s + timeout), Stopping.of(stop)) { |leased| job = leased }
      handed = job
      job = nil
      handed
    ensure
      @queue.give_back([job]) if job
    end

    # Call the block with each job, until the stop.
    #
    # @yieldparam job [Job]
    def each(stop: nil)
      return to_enum(:each, stop: stop) unless block_given?

      stopping = Stopping.of(stop)
      loop do
        job = nil
        begin
          obtain(nil, stopping) { |leased| job = leased }
          return self if job.nil?

          handed = job
          job = nil
          yield handed
        ensure
          @queue.give_back([job]) if job
        end
      end
    end

    # End the subscription. Jobs that were handed out stay leased. Idempotent.
    def close
      @updates.close
    end

    # @return [Boolean]
    def closed?
      @updates.closed?
    end

    private

    # Yields the job while interrupts are held back.
    def obtain(deadline, stopping)
      @queue.db.check_may_wait
      raise ClosedError, "the claims are closed" if closed?

      until stopping.stop?
        is_found = false
        @queue.lease(@worker_id, 1) do |jobs|
          is_found = !jobs.empty?
          yield jobs.first if is_found
        end
        @fruitless = is_found ? 0 : @fruitless + 1
        return if is_found || (deadline && now_s >= deadline)

        wait_until_due(deadline, stopping)
      end
    end

    # Looks without the write lock, until a job is due.
    def wait_until_due(deadline, stopping)
      loop do
        due_in_s = seconds_until_due
        timeout_s = [due_in_s, @idle_poll_s, deadline && [deadline - now_s, 0].max].compact.min
        is_news = @updates.wait(timeout_s, stop: stopping)
        return if is_news || stopping.stop? || (deadline && now_s >= deadline) || timeout_s == due_in_s
      end
    end

    # A claim that finds nothing although a job is due must not make the iterator spin.
    def seconds_until_due
      at = @queue.next_claim_at
      return if at.nil?

      left = at - @queue.db.one("SELECT honker_clock()")
      return left if left.positive?

      [PAUSE_S * (2**[@fruitless - 1, 20].min), LONGEST_PAUSE_S].min
    end

    def now_s
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
