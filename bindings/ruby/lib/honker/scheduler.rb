# frozen_string_literal: true

require_relative "leadership"

module Honker
  # The schedules of a database, each of which enqueues a job at its times. Get one from {Database#scheduler}.
  class Scheduler
    UNSET = Object.new.freeze
    ADD = "SELECT honker_scheduler_register(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    UPDATE = "SELECT honker_scheduler_update(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    private_constant :UNSET, :ADD, :UPDATE

    # @return [Database]
    attr_reader :db

    def initialize(database)
      @db = database
    end

    # Store a schedule, replacing an earlier one of its name. Its next time moves only if the expression changes.
    #
    # @param name [String]
    # @param queue [String] the queue of its jobs
    # @param schedule [String] a cron expression of five or six fields, +@hourly+ and similar, or +@every 60s+
    # @param cron [String] another name of +schedule+
    # @param payload [Object] the payload of each job
    # @param expires_s [Numeric, nil] seconds after its time in which a job is claimed, so that late ones are dropped
    # @param time_zone [String, nil] an IANA name
    # @param misfire [String, nil] "catch_up", "latest" or "skip"
    # @param overlap [String, nil] "queue" or "skip"
    # @param when_paused [String, nil] "enqueue" or "skip"
    # @return [nil]
    def add(name:, queue:, schedule: nil, cron: nil, payload: nil, priority: 0, expires_s: nil, max_attempts: 3,
            time_zone: nil, misfire: nil, overlap: nil, when_paused: nil, tx: nil)
      expression = schedule || cron || raise(ArgumentError, "missing keyword: :schedule")
      @db.one(ADD, name, queue, expression, Serialization.dump(payload), priority, expires_s, max_attempts, time_zone,
              misfire, overlap, when_paused, tx: tx)
      nil
    end

    # Change what is given of a schedule.
    #
    # @param expires_s [Numeric, nil] nil removes the expiry
    # @return [Boolean] true if the schedule exists and something was given
    def update(name, schedule: nil, cron: nil, payload: UNSET, priority: nil, expires_s: UNSET, max_attempts: UNSET,
               time_zone: nil, misfire: nil, overlap: nil, when_paused: nil, tx: nil)
      arguments = [
        name, schedule || cron, payload.equal?(UNSET) ? nil : Serialization.dump(payload), priority,
        *optional(expires_s), *optional(max_attempts), time_zone, misfire, overlap, when_paused
      ]
      @db.one(UPDATE, *arguments, tx: tx) == 1
    end

    # Remove a schedule; its jobs stay.
    #
    # @return [Boolean] true if it existed
    def remove(name, tx: nil)
      @db.one("SELECT honker_scheduler_unregister(?)", name, tx: tx) == 1
    end

    # Stop a schedule from firing.
    #
    # @return [Boolean] true if it was active
    def pause(name)
      @db.one("SELECT honker_scheduler_pause(?)", name) == 1
    end

    # Let a paused schedule fire again.
    #
    # @return [Boolean] true if it was paused
    def resume(name)
      @db.one("SELECT honker_scheduler_resume(?)", name) == 1
    end

    # @return [Array<IndifferentHash>] the schedules by name: +name+, +queue+, +cron_expr+, +payload+ (JSON text),
    #   +priority+, +expires_s+, +next_fire_at+, +enabled+, +max_attempts+, +time_zone+, +misfire+, +last_error+
    def list
      Serialization.load(@db.one("SELECT honker_scheduler_list()"))
    end

    # Enqueue a job for every time at or before an instant.
    #
    # @param now [Numeric, Time, nil] Unix seconds or a time; now by default
    # @return [Array<IndifferentHash>] the fires: +name+, +queue+, +fire_at+, +job_id+
    def tick(now = nil, tx: nil)
      now ||= @db.one("SELECT honker_clock()")
      Serialization.load(@db.one("SELECT honker_scheduler_tick(?)", now, tx: tx))
    end

    # @return [Numeric] the next time of an active schedule in Unix seconds; 0 if there is none
    def soonest
      @db.one("SELECT honker_scheduler_soonest()")
    end

    # Fire schedules until the stop. Of several processes that run one leads; the others stand by.
    #
    # @param owner [String] the name of this process, another one for each
    # @param stop [Stop, #stop?, #call, nil]
    def run(owner:, stop: nil)
      Leadership.new(self, owner, Stopping.of(stop)).run
      nil
    end

    private

    # The value, and true if it was given.
    def optional(value)
      value.equal?(UNSET) ? [nil, false] : [value, true]
    end
  end
end
