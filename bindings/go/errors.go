package honker

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/mattn/go-sqlite3"
)

// The codes of errors. They are the same in every language.
const (
	// CodeInvalidArgument means that an argument has the wrong type, is outside its range, or has refused content.
	CodeInvalidArgument = "HONKER_INVALID_ARGUMENT"
	// CodeClosed means that the database, the waker, the listener, the subscription or the transaction has been closed.
	CodeClosed = "HONKER_CLOSED"
	// CodeBusy means that another connection held the write lock for longer than the busy timeout.
	CodeBusy = "HONKER_BUSY"
	// CodeBusySnapshot means that a transaction has read, and another one has written since. Roll back, and begin again
	// with [Database.BeginImmediate]; repeating the statement does not help.
	CodeBusySnapshot = "HONKER_BUSY_SNAPSHOT"
	// CodeNotBootstrapped means that the file lacks tables of honker. Call [Bootstrap].
	CodeNotBootstrapped = "HONKER_NOT_BOOTSTRAPPED"
	// CodeSchemaTooNew means that a newer honker has upgraded the file.
	CodeSchemaTooNew = "HONKER_SCHEMA_TOO_NEW"
	// CodeMalformedRow means that a stored row is invalid. The message names it.
	CodeMalformedRow = "HONKER_MALFORMED_ROW"
	// CodeUniqueKeyTaken means that another job has the unique key.
	CodeUniqueKeyTaken = "HONKER_UNIQUE_KEY_TAKEN"
	// CodeUnknownParent means that a job named in After is not known.
	CodeUnknownParent = "HONKER_UNKNOWN_PARENT"
	// CodeReadOnly means that the connection or the file cannot be written.
	CodeReadOnly = "HONKER_READ_ONLY"
	// CodeFull means that the disk is full.
	CodeFull = "HONKER_FULL"
	// CodeIO means that the operating system failed to read or write.
	CodeIO = "HONKER_IO"
	// CodeCantOpen means that a file of the database cannot be opened or created.
	CodeCantOpen = "HONKER_CANTOPEN"
	// CodeCorrupt means that the file is damaged, or no database.
	CodeCorrupt = "HONKER_CORRUPT"
	// CodeConstraint means that a constraint or a trigger of the application refused the change.
	CodeConstraint = "HONKER_CONSTRAINT"
	// CodeInterrupted means that the statement was interrupted. Nothing of the call is kept.
	CodeInterrupted = "HONKER_INTERRUPTED"
	// CodeSQLite means that SQLite failed in a way that has no code of its own here.
	CodeSQLite = "HONKER_SQLITE"
	// CodeSQLiteTooOld means that the SQLite of the process is older than 3.38.
	CodeSQLiteTooOld = "HONKER_SQLITE_TOO_OLD"
	// CodeTwoSQLites means that another SQLite library of this process has loaded the extension already.
	CodeTwoSQLites = "HONKER_TWO_SQLITES"
	// CodeNameTaken means that the connection has a function of its own under a name of honker.
	CodeNameTaken = "HONKER_NAME_TAKEN"
	// CodeWatcher means that commits to the file cannot be watched, or that the file was replaced.
	CodeWatcher = "HONKER_WATCHER"
	// CodeInternal means a defect in honker. Report it, with the message.
	CodeInternal = "HONKER_INTERNAL"
	// CodeExtensionNotFound means that the library of honker was not found, or is not loaded into a connection.
	CodeExtensionNotFound = "HONKER_EXTENSION_NOT_FOUND"
	// CodeExtensionUnsupported means that the library of honker cannot be loaded.
	CodeExtensionUnsupported = "HONKER_EXTENSION_UNSUPPORTED"
	// CodeJobFailed means that the awaited job is a dead letter. The message has its last error.
	CodeJobFailed = "HONKER_JOB_FAILED"
	// CodeResultGone means that the awaited job has ended without a result.
	CodeResultGone = "HONKER_RESULT_GONE"
)

// Errors for [errors.Is]. They match by code.
var (
	ErrInvalidArgument = &Error{Code: CodeInvalidArgument}
	ErrClosed          = &Error{Code: CodeClosed}
	// ErrBusy also matches [CodeBusySnapshot].
	ErrBusy                 = &Error{Code: CodeBusy}
	ErrNotBootstrapped      = &Error{Code: CodeNotBootstrapped}
	ErrSchemaTooNew         = &Error{Code: CodeSchemaTooNew}
	ErrMalformedRow         = &Error{Code: CodeMalformedRow}
	ErrUniqueKeyTaken       = &Error{Code: CodeUniqueKeyTaken}
	ErrUnknownParent        = &Error{Code: CodeUnknownParent}
	ErrReadOnly             = &Error{Code: CodeReadOnly}
	ErrFull                 = &Error{Code: CodeFull}
	ErrConstraint           = &Error{Code: CodeConstraint}
	ErrWatcher              = &Error{Code: CodeWatcher}
	ErrExtensionNotFound    = &Error{Code: CodeExtensionNotFound}
	ErrExtensionUnsupported = &Error{Code: CodeExtensionUnsupported}
	ErrJobFailed            = &Error{Code: CodeJobFailed}
	ErrResultGone           = &Error{Code: CodeResultGone}
)

// Error is an error of honker. [errors.As] also finds the error of the driver behind it, a [sqlite3.Error].
type Error struct {
	// Code is one of the constants above, or a code of a newer library.
	Code string
	// Message names the argument, the value seen and the range allowed, where there is one.
	Message string
	cause   error
}

// Error returns the code and the message.
func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the error of the driver, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Is matches another [Error] of the same code.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && (e.Code == other.Code || e.Code == CodeBusySnapshot && other.Code == CodeBusy)
}

// Retryable reports true if the same call may succeed later.
func (e *Error) Retryable() bool {
	switch e.Code {
	case CodeBusy, CodeFull, CodeIO, CodeInterrupted:
		return true
	}
	return false
}

// isRetryable reports true for an [Error] that may pass.
func isRetryable(err error) bool {
	var known *Error
	return errors.As(err, &known) && known.Retryable()
}

func invalid(format string, values ...any) error {
	return &Error{Code: CodeInvalidArgument, Message: fmt.Sprintf(format, values...)}
}

func closed(what string) error {
	return &Error{Code: CodeClosed, Message: what + " is closed"}
}

// nativeCodes has the codes of SQLite's primary result codes, for statements that no function of honker runs.
var nativeCodes = map[sqlite3.ErrNo]string{
	sqlite3.ErrBusy: CodeBusy, sqlite3.ErrLocked: CodeBusy, sqlite3.ErrReadonly: CodeReadOnly,
	sqlite3.ErrFull: CodeFull, sqlite3.ErrIoErr: CodeIO, sqlite3.ErrCantOpen: CodeCantOpen,
	sqlite3.ErrCorrupt: CodeCorrupt, sqlite3.ErrNotADB: CodeCorrupt, sqlite3.ErrConstraint: CodeConstraint,
	sqlite3.ErrInterrupt: CodeInterrupted,
}

// typed returns the error of a call as an [Error]. Errors of contexts stay as they are.
func typed(err error) error {
	var known *Error
	switch {
	case err == nil, errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, sql.ErrTxDone):
		return &Error{Code: CodeClosed, Message: "the transaction has ended", cause: err}
	case errors.Is(err, sql.ErrConnDone), err.Error() == "sql: database is closed":
		return &Error{Code: CodeClosed, Message: err.Error(), cause: err}
	}
	code, message := codeOf(err)
	return &Error{Code: code, Message: message, cause: err}
}

// codeOf returns the code and the message of an error of the driver.
func codeOf(err error) (string, string) {
	var native sqlite3.Error
	hasNative := errors.As(err, &native)
	code, message := CodeSQLite, err.Error()
	if prefix, rest, found := strings.Cut(message, ": "); found && strings.HasPrefix(prefix, "HONKER_") {
		code, message = prefix, rest
	} else if strings.Contains(message, "no such function: honker_") {
		return CodeExtensionNotFound, message + "; open the connection with honker.ConnectHook"
	} else if hasNative && nativeCodes[native.Code] != "" {
		code = nativeCodes[native.Code]
	}
	if code == CodeBusy && hasNative && native.ExtendedCode == sqlite3.ErrBusySnapshot {
		code = CodeBusySnapshot
	}
	return code, message
}
