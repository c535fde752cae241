# frozen_string_literal: true

module Honker
  # One run of {Scheduler#run}: becomes the leader, fires schedules, and passes the leadership on.
  #
  # @private
  class Leadership
    LOCK = "honker-scheduler"
    LOCK_TTL_S = 60
    HEARTBEAT_S = 20
    # The longest wait of a standby, and of a leader: a clock that is set forward makes a schedule due without a commit.
    POLL_S = 5
    private_constant :LOCK, :LOCK_TTL_S, :HEARTBEAT_S, :POLL_S

    def initialize(scheduler, owner, stopping)
      @scheduler = scheduler
      @db = scheduler.db
      @stopping = stopping
      @lock = Lock.new(@db, LOCK, owner, LOCK_TTL_S)
      @backoff = Backoff.new("scheduler #{owner}", stopping)
    end

    # Lead or stand by, until the stop.
    def run
      @db.check_may_wait
      @updates = @db.update_events
      until @stopping.stop?
        if @backoff.run { take_over }
          lead
        else
          stand_by
        end
      end
    ensure
      Interrupts.hold { release } if @lock.acquired?
      @updates&.close
    end

    private

    # A standby reads first: an attempt at each commit would take the write lock from others.
    def take_over
      held_until = @lock.held_until
      @wait_s = held_until ? (held_until - clock).clamp(0.01, POLL_S) : 0.01
      is_long = held_until && held_until - clock > LOCK_TTL_S + 1 # stored by a clock that was ahead
      (held_until.nil? || is_long) && @lock.acquire
    end

    def stand_by
      @updates.wait(@wait_s, stop: @stopping) unless @stopping.stop?
    end

    def lead
      renew_at = now_s + HEARTBEAT_S
      until @stopping.stop?
        is_leader = @backoff.run do
          next false if now_s >= renew_at && !@lock.heartbeat

          renew_at = now_s + HEARTBEAT_S if now_s >= renew_at
          fire_or_wait(renew_at)
        end
        return if is_leader == false
      end
    ensure
      Interrupts.hold { release }
    end

    # Returns false if the leadership was lost.
    def fire_or_wait(renew_at)
      soonest = @scheduler.soonest
      now = clock
      return tick if soonest.positive? && soonest <= now

      wait_s = [POLL_S, renew_at - now_s, soonest.positive? ? soonest - now : POLL_S].min
      @updates.wait([wait_s, 0].max, stop: @stopping)
      true
    end

    # The lock is checked in the transaction that fires, so a leader that does not know of its loss fires nothing.
    def tick
      @db.transaction do |tx|
        next false if @lock.token(tx: tx).nil?

        @scheduler.tick(tx: tx)
        true
      end
    end

    def release
      @lock.release
    rescue Error => e
      Honker.logger&.warn("the lock #{LOCK} is left to lapse: #{e.message}") unless e.is_a?(ClosedError)
    end

    def clock
      @db.one("SELECT honker_clock()")
    end

    def now_s
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
