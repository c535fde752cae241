# frozen_string_literal: true

require "json"
require "sqlite3"

module Honker
  # The engine's subscriptions to commits, which belong to the process.
  #
  # Their functions run on an empty database in memory, so that they never wait for a connection that is in use.
  #
  # @private
  module Watchers
    # A pipe can be read without a call of the engine, and its end means that the subscription is over.
    OPEN = "SELECT honker_update_watcher_open(?, ?, ?, 'pipe')"
    FD = "SELECT honker_update_watcher_fd(?)"
    STATS = "SELECT honker_update_watcher_stats(?)"
    CLOSE = "SELECT honker_update_watcher_close(?)"
    private_constant :OPEN, :FD, :STATS, :CLOSE

    @lock = Mutex.new
    # Ids of subscriptions that were garbage-collected. A finalizer may not take the lock.
    @abandoned = Thread::Queue.new

    class << self
      # Subscribe to the commits of a file.
      #
      # @return [Array(Integer, IO)] the id, and a duplicate of the descriptor
      # @raise [WatcherError] commits to the file cannot be watched
      def open(library, path, backend, interval_ms)
        @lock.synchronize do
          connect(library)
          reap
          id = one(OPEN, path, backend, interval_ms)
          descriptor = one(FD, id) || raise(WatcherError, "this system has no descriptors to wait for")
          [id, IO.for_fd(descriptor, "rb", autoclose: false).dup]
        rescue SystemCallError => e
          one(CLOSE, id) if id
          raise WatcherError, "the commits of #{path} cannot be followed: #{e.message}"
        end
      end

      # @return [String, nil] the reason for which the watcher of a subscription died
      def death(id)
        @lock.synchronize do
          stats = one(STATS, id)
          stats && JSON.parse(stats)["death"]
        end
      end

      # End subscriptions; their descriptors read the end of the pipe. Further calls have no effect.
      def close(*ids)
        @lock.synchronize do
          next if @pid != Process.pid

          ids.each { |id| one(CLOSE, id) }
          reap
        end
      end

      # @return [Proc] a finalizer for the owner of a subscription
      def abandoner(id, siblings)
        abandoned = @abandoned
        pid = Process.pid
        proc do
          siblings.delete(id)
          abandoned << id if pid == Process.pid
        end
      end

      private

      # A forked child inherits no watcher.
      def connect(library)
        return if @pid == Process.pid

        @connection = SQLite3::Database.new(":memory:")
        Extension.load(@connection, library)
        @abandoned.clear
        @pid = Process.pid
      end

      def reap
        one(CLOSE, @abandoned.pop(true)) until @abandoned.empty?
      end

      def one(sql, *args)
        @connection.get_first_value(sql, args)
      rescue SQLite3::Exception => e
        raise Errors.from_sqlite(e)
      end
    end
  end
end
