# frozen_string_literal: true

require "logger"
require_relative "honker/version"
require_relative "honker/errors"
require_relative "honker/extension"
require_relative "honker/serialization"
require_relative "honker/interrupts"
require_relative "honker/connection"
require_relative "honker/watchers"
require_relative "honker/stop"
require_relative "honker/update_events"
require_relative "honker/transaction"
require_relative "honker/foreign"
require_relative "honker/inherited"
require_relative "honker/results"
require_relative "honker/job"
require_relative "honker/queue"
require_relative "honker/claims"
require_relative "honker/lease_keeper"
require_relative "honker/worker"
require_relative "honker/lock"
require_relative "honker/outbox"
require_relative "honker/listener"
require_relative "honker/stream"
require_relative "honker/subscription"
require_relative "honker/scheduler"
require_relative "honker/database"

# Durable job queues, streams, notifications, schedules, locks, rate limits and results inside the application's own
# SQLite file. Begin with {Honker.open}.
module Honker
  @logger = Logger.new($stderr, level: Logger::WARN, progname: "honker")

  class << self
    # @return [Logger, nil] gets warnings of loops that go on after an error; nil for none
    attr_accessor :logger

    # Open a database file; see {Database.open}.
    def open(path, **options, &block)
      Database.open(path, **options, &block)
    end

    # @return [String] the library of the engine; see {Extension.path}
    def extension_path(override = nil)
      Extension.path(override)
    end

    # Load the engine into a connection of the application.
    #
    # @param connection [SQLite3::Database] or ActiveRecord's connection
    # @return [SQLite3::Database] the connection of the sqlite3 gem
    def load_extension(connection, extension_path: nil)
      raw = Foreign.raw(connection)
      Extension.load(raw, Extension.path(extension_path))
      raw
    end

    # Create honker's tables, or upgrade those of an older honker, through a connection that has loaded the engine.
    #
    # @return [nil]
    def bootstrap(connection)
      Foreign.raw(connection).get_first_value("SELECT honker_bootstrap()")
      nil
    rescue SQLite3::Exception => e
      raise Errors.from_sqlite(e)
    end

    # {load_extension}, and {bootstrap} unless told otherwise.
    #
    # @return [SQLite3::Database] the connection of the sqlite3 gem
    def setup(connection, extension_path: nil, bootstrap: true)
      raw = load_extension(connection, extension_path: extension_path)
      self.bootstrap(raw) if bootstrap
      raw
    end

    # For Sequel: +Sequel.connect(..., after_connect: Honker.sequel_after_connect)+.
    #
    # @return [Proc] sets each new connection up
    def sequel_after_connect(extension_path: nil, bootstrap: true)
      proc { |connection| setup(connection, extension_path: extension_path, bootstrap: bootstrap) }
    end
  end
end

require_relative "honker/railtie" if defined?(Rails::Railtie)
