# frozen_string_literal: true

module Honker
  # Finds files that the parent process had open when it forked this one.
  #
  # SQLite keeps in memory the locks that a process holds on a file. A child inherits that memory without the locks, so
  # a connection that it opens to the same file could lose commits.
  #
  # @private
  module Inherited
    # Path and process of each open connection. An ObjectSpace::WeakMap of Ruby 3.1 returns objects that are gone.
    @open = {}

    class << self
      # Remember an open connection, until {forget} or until it is garbage-collected.
      def add(connection, path)
        open = @open
        id = connection.object_id
        open[id] = [path, Process.pid]
        ObjectSpace.define_finalizer(connection, proc { open.delete(id) })
      end

      # Forget a connection that was closed.
      def forget(connection)
        @open.delete(connection.object_id)
        ObjectSpace.undefine_finalizer(connection)
      end

      # @raise [ForkError] the parent had the file open at the fork
      def check(path)
        _, parent = @open.values.find { |file, pid| pid != Process.pid && File.identical?(file, path) }
        return if parent.nil?

        raise ForkError, "#{path} was open in process #{parent} when its child #{Process.pid} was forked, and " \
                         "opening it here could lose commits; close it before the fork"
      end
    end
  end
end
