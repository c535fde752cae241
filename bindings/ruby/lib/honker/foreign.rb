# frozen_string_literal: true

require "sqlite3"

module Honker
  # Connections of the application: those of the sqlite3 gem, ActiveRecord and Sequel.
  #
  # @private
  module Foreign
    class << self
      # @return [SQLite3::Database] the connection of the sqlite3 gem behind an object
      # @raise [InvalidArgumentError] there is none
      def raw(connection)
        found = sequel?(connection) ? connection.synchronize { |each| each } : connection
        # ActiveRecord sends a BEGIN that it has put off.
        found = found.raw_connection if found.respond_to?(:raw_connection)
        return found if found.is_a?(SQLite3::Database)

        raise InvalidArgumentError, "#{connection.class} is no connection to SQLite; pass a Honker::Transaction, " \
                                    "a SQLite3::Database, ActiveRecord's connection or Sequel's database"
      end

      # Call a function of the engine in a transaction of the application.
      #
      # @param path [String] the file of the database that the caller means
      # @raise [InvalidArgumentError] the connection is not in a transaction, or one of another file
      def one(connection, path, sql, args)
        raw = raw(connection)
        check_transaction(raw)
        check_file(raw, path)
        args = args.map { |each| Serialization.bind(each) }
        raw.prepare(sql) do |statement|
          statement.bind_params(*args) unless args.empty?
          statement.step&.first
        end
      rescue SQLite3::Exception => e
        raise Errors.from_sqlite(e)
      rescue RangeError => e
        raise InvalidArgumentError, "a number is outside the range of SQLite: #{e.message}"
      end

      private

      # In a transaction, Sequel gives a thread the connection of the transaction.
      def sequel?(connection)
        defined?(Sequel::Database) && connection.is_a?(Sequel::Database)
      end

      def check_transaction(raw)
        return if raw.transaction_active?

        raise InvalidArgumentError, "tx: the connection is not in a transaction"
      end

      def check_file(raw, path)
        file = raw.filename
        return if file == path || (file && !file.empty? && File.identical?(file, path))

        raise InvalidArgumentError, "tx: the transaction is one of #{file.inspect}, not of #{path.inspect}"
      end
    end
  end
end
