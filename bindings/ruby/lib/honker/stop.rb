# frozen_string_literal: true

require "io/wait"

module Honker
  # Ends loops of this process: {Claims#each}, {Queue#work}, {Outbox#run_worker}, {Scheduler#run} and others.
  #
  # A waiting loop ends at once. {#stop!} may be called in a signal handler:
  #
  #   stop = Honker::Stop.new
  #   trap("TERM") { stop.stop! }
  #   queue.work("worker-1", stop: stop) { |job| deliver(job.payload) }
  #
  # Loops also take any object that responds to +stop?+ or +call+. It is asked every 0.1 seconds while a loop waits.
  class Stop
    def initialize
      @is_stopped = false
      @reader, @writer = IO.pipe
    end

    # Ask all loops with this object to end.
    def stop!
      @is_stopped = true
      @writer.write_nonblock(".", exception: false)
      nil
    end

    # @return [Boolean] true after {#stop!}
    def stop?
      @is_stopped
    end

    # @return [IO] readable after {#stop!}
    def to_io
      @reader
    end
  end

  # A wait that a stop object ends.
  #
  # @private
  class Stopping
    # Seconds between two questions to a stop object without a descriptor.
    POLL_S = 0.1

    # @param stop [Stop, #stop?, #call, Stopping, nil]
    # @raise [InvalidArgumentError] the object is none of these
    def self.of(stop, poll_s: POLL_S)
      stop.is_a?(self) ? stop : new(stop, poll_s)
    end

    def initialize(stop, poll_s = POLL_S)
      @io = stop.to_io if stop.respond_to?(:to_io)
      @poll_s = stop.nil? || @io ? nil : poll_s
      @question = question(stop)
    end

    # @return [Boolean] true if the loop has to end
    def stop?
      @question.call ? true : false
    end

    # Wait until a descriptor is readable, the time is over, or the loop has to end.
    #
    # @param readable [IO, nil] the descriptor
    # @param timeout_s [Numeric, nil] the longest wait; nil for no limit
    # @return [Boolean] true if the descriptor is readable
    def wait(readable, timeout_s)
      deadline = timeout_s && (now_s + timeout_s)
      loop do
        left = deadline && [deadline - now_s, 0].max
        return true if wait_once(readable, [left, @poll_s].compact.min)
        return false if stop? || (deadline && now_s >= deadline)
      end
    end

    private

    def question(stop)
      return -> { false } if stop.nil?
      return stop.method(:stop?) if stop.respond_to?(:stop?)
      return stop if stop.respond_to?(:call)

      raise InvalidArgumentError, "stop is #{stop.inspect}; it must respond to stop? or call"
    end

    def wait_once(readable, timeout_s)
      return !readable.wait_readable(timeout_s).nil? if readable && @io.nil?

      ready, = IO.select([readable, @io].compact, nil, nil, timeout_s)
      !ready.nil? && ready.include?(readable)
    end

    def now_s
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
