# frozen_string_literal: true

module Honker
  # Results of jobs, by their ids: methods of {Database}.
  module Results
    # Seconds between two looks without a commit.
    FALLBACK_POLL_S = 15

    # Keep a value as the result of a job, replacing an earlier one.
    #
    # @param job_id [Integer]
    # @param text [String] kept as it is; by convention JSON
    # @param ttl_s [Numeric, nil] seconds to keep it; nil, 0 and less keep it for ever
    # @param tx [Transaction, SQLite3::Database, nil] a transaction to save it in
    def save_result(job_id, text, ttl_s: nil, tx: nil)
      unless text.is_a?(String)
        raise InvalidArgumentError, "a result is text, such as the value's to_json, not #{text.class}"
      end

      one("SELECT honker_result_save(?, ?, ?)", job_id, text, ttl_s || 0, tx: tx)
      nil
    end

    # @return [String, nil] the result of a job as it was saved; nil if there is none
    def get_result(job_id)
      one("SELECT honker_result_get(?)", job_id)
    end

    # Wait for the result of a job.
    #
    # @param timeout_s [Numeric, nil] the longest wait in seconds; nil for no limit
    # @return [String] the result as it was saved
    # @raise [TimeoutError] the result did not come in time
    # @raise [JobFailedError] the job is dead
    # @raise [JobCancelledError] the job was cancelled
    # @raise [ResultGoneError] the job has ended and left no result
    def wait_result(job_id, timeout_s: nil)
      check_may_wait
      deadline = timeout_s && (now_s + timeout_s)
      events = update_events
      loop do
        check_outcome(job_id)
        found = get_result(job_id)
        return found unless found.nil?

        left = deadline ? deadline - now_s : FALLBACK_POLL_S
        raise TimeoutError, "job #{job_id} has no result after #{timeout_s} s" if left <= 0

        events.wait([left, FALLBACK_POLL_S].min)
      end
    ensure
      events&.close
    end

    # Delete the expired results.
    #
    # @return [Integer] the number deleted
    def sweep_results
      one("SELECT honker_result_sweep()")
    end

    private

    def check_outcome(job_id)
      outcome = Serialization.load(one("SELECT honker_job_outcome(?)", job_id))
      case outcome[:state]
      when "dead" then raise_unless_saved(job_id, JobFailedError, "job #{job_id} failed: #{outcome[:error]}")
      when "cancelled" then raise_unless_saved(job_id, JobCancelledError, "job #{job_id} was cancelled")
      when "gone" then raise_unless_saved(job_id, ResultGoneError, "job #{job_id} has ended and left no result")
      end
    end

    # The state was read first, so a result that was saved with the end of the job is there.
    def raise_unless_saved(job_id, kind, message)
      raise kind, message if get_result(job_id).nil?
    end

    def now_s
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
