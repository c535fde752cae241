# frozen_string_literal: true

require "sqlite3"

module Honker
  # The base class of all errors of honker. Errors of the engine have the engine's stable code.
  #
  # SQLite errors in statements of the application ({Transaction#execute}) keep the class of the sqlite3 gem.
  class Error < StandardError
    class << self
      # @return [String] the code of errors of this class
      def code
        @code || superclass.code
      end

      # @return [Boolean] true if the same call may succeed later
      def retryable?
        @is_retryable.nil? ? superclass.retryable? : @is_retryable
      end

      private

      def coded(code, retryable: false)
        @code = code
        @is_retryable = retryable
      end
    end

    # The code of errors of SQLite that have no code of their own.
    coded "HONKER_SQLITE"

    # @return [String] the stable code, such as +HONKER_BUSY+
    attr_reader :code

    def initialize(message = nil, code: self.class.code)
      super(message)
      @code = code
    end

    # @return [Boolean] true if the same call may succeed later; the failed call changed nothing
    def retryable?
      self.class.retryable?
    end
  end

  # An argument has the wrong type or is outside its range. Nothing was changed.
  class InvalidArgumentError < Error
    coded "HONKER_INVALID_ARGUMENT"
  end

  # The write lock was not free within the busy timeout. Nothing was changed; try again.
  class BusyError < Error
    coded "HONKER_BUSY", retryable: true
  end

  # The disk is full, or the file has reached its size limit. Nothing was changed; free space and try again.
  class FullError < Error
    coded "HONKER_FULL", retryable: true
  end

  # The file or the connection is read-only.
  class ReadOnlyError < Error
    coded "HONKER_READ_ONLY"
  end

  # The operating system failed to read or write the file. Nothing was changed.
  class IoFailedError < Error
    coded "HONKER_IO", retryable: true
  end

  # The file is damaged, or no SQLite database.
  class CorruptError < Error
    coded "HONKER_CORRUPT"
  end

  # The file cannot be opened or created.
  class CannotOpenError < Error
    coded "HONKER_CANTOPEN"
  end

  # A constraint or trigger of the application rejected the change. Nothing was changed.
  class ConstraintError < Error
    coded "HONKER_CONSTRAINT"
  end

  # The statement was interrupted. Nothing was changed.
  class InterruptedError < Error
    coded "HONKER_INTERRUPTED", retryable: true
  end

  # The file lacks honker's tables. {Database.new} and {Honker.setup} create them.
  class NotBootstrappedError < Error
    coded "HONKER_NOT_BOOTSTRAPPED"
  end

  # A newer honker has upgraded the file; upgrade this one.
  class SchemaTooNewError < Error
    coded "HONKER_SCHEMA_TOO_NEW"
  end

  # The SQLite of this process is older than 3.38.
  class SqliteTooOldError < Error
    coded "HONKER_SQLITE_TOO_OLD"
  end

  # Another SQLite library of this process has loaded the extension.
  class TwoSqlitesError < Error
    coded "HONKER_TWO_SQLITES"
  end

  # The connection has a function under a name of honker that SQLite cannot replace now.
  class NameTakenError < Error
    coded "HONKER_NAME_TAKEN"
  end

  # A stored row was edited by hand into an unreadable form.
  class MalformedRowError < Error
    coded "HONKER_MALFORMED_ROW"
  end

  # Another job has the unique key, and +on_conflict: "raise"+ was given.
  class UniqueKeyTakenError < Error
    coded "HONKER_UNIQUE_KEY_TAKEN"
  end

  # A job that was named in +after+ never existed, or has ended without a trace.
  class UnknownParentError < Error
    coded "HONKER_UNKNOWN_PARENT"
  end

  # A defect in honker. Nothing was changed.
  class InternalError < Error
    coded "HONKER_INTERNAL"
  end

  # Commits to the file cannot be watched.
  class WatcherError < Error
    coded "HONKER_WATCHER"
  end

  # The database file was deleted, moved or replaced under the handle. Close it and open the file again.
  class ReplacedError < WatcherError
    coded "HONKER_REPLACED"
  end

  # The database, or the object that waits on it, is closed.
  class ClosedError < Error
    coded "HONKER_CLOSED"
  end

  # The calling thread is in a transaction already, or the call would wait inside one.
  class NestedTransactionError < Error
    coded "HONKER_NESTED_TRANSACTION"
  end

  # A handle of the parent process was used in a forked child. Open databases after the fork.
  class ForkError < Error
    coded "HONKER_FORKED"
  end

  # The library of the extension was not found, or the connection has not loaded it.
  class ExtensionNotFoundError < Error
    coded "HONKER_EXTENSION_NOT_FOUND"
  end

  # A wait ended without a result.
  class TimeoutError < Error
    coded "TIMEOUT"
  end

  # A stored payload is not JSON.
  class UnreadablePayloadError < Error
    coded "HONKER_UNREADABLE_PAYLOAD"
  end

  # The job of an awaited result is dead. The message has the error of its last attempt.
  class JobFailedError < Error
    coded "HONKER_JOB_FAILED"
  end

  # The job of an awaited result was cancelled.
  class JobCancelledError < Error
    coded "HONKER_JOB_CANCELLED"
  end

  # The job of an awaited result has ended and left no result.
  class ResultGoneError < Error
    coded "HONKER_RESULT_GONE"
  end

  # Maps SQLite's errors to those above.
  module Errors
    # The class of each code.
    BY_CODE = Honker.constants.map { |name| Honker.const_get(name) }
                    .select { |each| each.is_a?(Class) && each < Error }
                    .to_h { |each| [each.code, each] }.freeze

    # The class of each error of SQLite without a code of honker.
    BY_SQLITE = {
      SQLite3::BusyException => BusyError,
      SQLite3::LockedException => BusyError,
      SQLite3::FullException => FullError,
      SQLite3::ReadOnlyException => ReadOnlyError,
      SQLite3::IOException => IoFailedError,
      SQLite3::CorruptException => CorruptError,
      SQLite3::NotADatabaseException => CorruptError,
      SQLite3::CantOpenException => CannotOpenError,
      SQLite3::ConstraintException => ConstraintError,
      SQLite3::InterruptException => InterruptedError
    }.freeze

    CODE_IN_MESSAGE = /\b(HONKER_[A-Z_]+): /
    private_constant :CODE_IN_MESSAGE

    # @param error [SQLite3::Exception]
    # @return [Error] the error of honker for an error of SQLite
    def self.from_sqlite(error)
      code = error.message[CODE_IN_MESSAGE, 1]
      return (BY_CODE[code] || Error).new(error.message, code: code) if code

      if error.message.include?("no such function: honker_")
        return ExtensionNotFoundError.new("#{error.message}; load the extension: Honker.setup(connection)")
      end

      (BY_SQLITE[error.class] || Error).new(error.message)
    end

    # @return [Boolean] true if the error is one of honker's functions
    def self.from_engine?(error)
      CODE_IN_MESSAGE.match?(error.message)
    end
  end
end
