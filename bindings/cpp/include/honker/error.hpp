/// @file
/// The errors of honker.
#ifndef HONKER_ERROR_HPP
#define HONKER_ERROR_HPP

#include <stdexcept>
#include <string>

namespace honker {

/// An error of honker. what() is "CODE: message".
class Error : public std::runtime_error {
public:
    /// Make an error from its code, such as "HONKER_BUSY", and its message. sqlite_code is SQLite's extended result
    /// code, or 0.
    Error(std::string code, const std::string& message, int sqlite_code = 0);

    /// The stable code, the same in every language: "HONKER_INVALID_ARGUMENT", "HONKER_BUSY" ...
    const std::string& code() const noexcept { return code_; }

    /// SQLite's extended result code, or 0 if SQLite did not fail.
    int sqlite_code() const noexcept { return sqlite_code_; }

    /// True if the same call may succeed later: the codes HONKER_BUSY, HONKER_FULL, HONKER_IO and HONKER_INTERRUPTED.
    bool is_retryable() const noexcept;

private:
    std::string code_;
    int sqlite_code_;
};

/// An argument has the wrong form, is outside its range, or has refused content. Code HONKER_INVALID_ARGUMENT.
class InvalidArgumentError : public Error {
public:
    explicit InvalidArgumentError(const std::string& message, int sqlite_code = 0)
        : Error("HONKER_INVALID_ARGUMENT", message, sqlite_code) {}
};

/// The database, the transaction or the waiting object is closed. Code HONKER_CLOSED.
class ClosedError : public Error {
public:
    explicit ClosedError(const std::string& message) : Error("HONKER_CLOSED", message) {}
};

/// Another connection held the write lock for longer than 5 s. Code HONKER_BUSY.
class BusyError : public Error {
public:
    explicit BusyError(const std::string& message, int sqlite_code = 0) : Error("HONKER_BUSY", message, sqlite_code) {}
};

/// The file cannot be watched, or was replaced. Code HONKER_WATCHER.
class WatcherError : public Error {
public:
    explicit WatcherError(const std::string& message, int sqlite_code = 0)
        : Error("HONKER_WATCHER", message, sqlite_code) {}
};

/// The wait took longer than its timeout. Code TIMEOUT.
class TimeoutError : public Error {
public:
    explicit TimeoutError(const std::string& message) : Error("TIMEOUT", message) {}
};

/// The awaited job is a dead letter. Code HONKER_JOB_FAILED.
class JobFailedError : public Error {
public:
    explicit JobFailedError(const std::string& message) : Error("HONKER_JOB_FAILED", message) {}
};

/// The awaited job has ended without a result. Code HONKER_RESULT_GONE.
class ResultGoneError : public Error {
public:
    explicit ResultGoneError(const std::string& message) : Error("HONKER_RESULT_GONE", message) {}
};

/// The library of honker was not found, or cannot be loaded. Codes HONKER_EXTENSION_NOT_FOUND and
/// HONKER_EXTENSION_UNSUPPORTED.
class ExtensionError : public Error {
public:
    using Error::Error;
};

}  // namespace honker

#endif
