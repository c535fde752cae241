# frozen_string_literal: true

module Honker
  # A transaction that {Database#transaction} has opened. It ends with the block, and belongs to its thread.
  class Transaction
    ROLLBACK = Object.new
    private_constant :ROLLBACK

    # Run the block in a transaction.
    def self.run(database, connection, &block)
      connection.exclusively do
        if connection.in_transaction?
          raise NestedTransactionError, "this connection is in a transaction already; use that one"
        end

        new(database, connection).send(:run, &block)
      end
    end

    # @return [Database]
    attr_reader :database

    def initialize(database, connection)
      @database = database
      @connection = connection
      @is_open = false
      @is_rolled_back = false
    end
    private_class_method :new

    # Run a statement of the application.
    #
    # @param sql [String] one statement
    # @param params [Array, Hash] values for its parameters
    # @return [Array<Array>] the rows
    # @raise [SQLite3::Exception] the statement failed
    def execute(sql, params = [])
      check_open
      translate { conn.execute(sql, params) }
    end

    # @return [Array, nil] the first row of a statement of the application
    def query_row(sql, params = [])
      check_open
      translate { conn.get_first_row(sql, params) }
    end

    # Send a notification that exists if the transaction commits; see {Database#notify}.
    def notify(channel, payload)
      @database.notify(channel, payload, tx: self)
    end

    # @return [SQLite3::Database] the connection of the sqlite3 gem
    def conn
      @connection.raw
    end

    # Undo the transaction and leave its block. {Database#transaction} returns nil.
    def rollback!
      check_open
      @is_rolled_back = true
      throw ROLLBACK
    end

    # @return [Boolean] true if the transaction was undone
    def rolled_back?
      @is_rolled_back
    end

    # @raise [InvalidArgumentError] the transaction has ended, or belongs to another thread
    # @raise [Error] SQLite has undone the transaction after an error
    def check_open
      raise InvalidArgumentError, "the transaction has ended" unless @is_open
      raise InvalidArgumentError, "the transaction belongs to another thread or fiber" unless @connection.owned?

      check_alive
    end

    private

    def run
      is_done = false
      @connection.begin_immediate { @is_open = true }
      value = catch(ROLLBACK) do
        result = yield self
        is_done = true
        result
      end
      Interrupts.hold { commit } if is_done
      value
    rescue Exception # rubocop:disable Lint/RescueException
      is_explained = true
      raise
    ensure
      Interrupts.hold { undo(is_explained || @is_rolled_back) } if @is_open
    end

    def commit
      check_alive
      @connection.finish("COMMIT")
      @is_open = false
    end

    def check_alive
      return if @connection.in_transaction?

      raise Error, "the transaction is over: SQLite undid it after an error, or a statement ended it"
    end

    # After some errors SQLite has undone the transaction already.
    def undo(is_explained)
      @is_open = false
      @is_rolled_back = true
      @connection.finish("ROLLBACK") if @connection.in_transaction?
      return if is_explained || Thread.current.status == "aborting"

      Honker.logger&.warn("a transaction was rolled back, because break, return or throw left its block")
    end

    def translate
      yield
    rescue SQLite3::Exception => e
      raise unless Errors.from_engine?(e)

      raise Errors.from_sqlite(e)
    end
  end
end
