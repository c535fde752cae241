# frozen_string_literal: true

require "active_support/lazy_load_hooks"
require_relative "../honker"

module Honker
  # Loads the engine into every connection of ActiveRecord to SQLite, by +require "honker/active_record"+.
  #
  # Create the tables once, such as in a migration: +Honker.bootstrap(ActiveRecord::Base.connection)+.
  #
  # @private
  module ActiveRecordConnections
    private

    def configure_connection
      super
      raw = @raw_connection || @connection
      Honker.load_extension(raw)
    end
  end
end

ActiveSupport.on_load(:active_record_sqlite3adapter) { prepend Honker::ActiveRecordConnections }
