# frozen_string_literal: true

module Honker
  # Renews the lease of the job that a {Worker} handles, in a thread.
  #
  # The thread looks four times in a lease, and renews a job that it meets for the second time. Short jobs cost nothing.
  #
  # @private
  class LeaseKeeper
    # Looks in a lease.
    LOOKS = 4
    private_constant :LOOKS

    # Run the block with a keeper, and end it.
    def self.open(queue)
      keeper = new(queue)
      yield keeper
    ensure
      keeper&.close
    end

    def initialize(queue)
      @interval_s = queue.visibility_timeout_s / LOOKS.to_f
      @job = nil
      @thread = Thread.new { run }
      @thread.name = "honker leases of #{queue.name}"
      @thread.report_on_exception = false
    end

    # Renew the lease of a job while the block runs.
    def keep(job)
      @job = job
      yield
    ensure
      @job = nil
    end

    # End the thread.
    def close
      @thread.kill
    end

    private

    def run
      met = nil
      loop do
        sleep(@interval_s)
        job = @job
        renew(job) if !job.nil? && job.equal?(met)
        met = job
      end
    end

    def renew(job)
      job.heartbeat unless job.settled?
    rescue ClosedError
      Thread.exit
    rescue Error => e
      Honker.logger&.warn("the lease of #{job.inspect} could not be renewed: #{e.message}")
    end
  end
end
