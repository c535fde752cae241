package honker

import (
	"context"
	"database/sql"
	"encoding/json"
	"reflect"
	"time"
)

// Tx runs statements in a transaction that is open: a [Transaction], a [database/sql.Tx], a [database/sql.Conn] on
// which BEGIN was run, or the transaction of an ORM. A [database/sql.DB] is refused, because it is no transaction.
//
// The connection needs the functions of honker, see [ConnectHook], and must be one to the same file.
type Tx interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// one returns the first column of the row that a call of a function returns.
func one[T any](ctx context.Context, conn Tx, query string, args ...any) (T, error) {
	var value T
	err := conn.QueryRowContext(ctx, query, args...).Scan(&value)
	return value, typed(err)
}

// call runs a function that may write, as a transaction of its own.
func call[T any](db *Database, query string, args ...any) (T, error) {
	var none T
	leave, err := db.enter()
	if err != nil {
		return none, err
	}
	defer leave()
	return callInside[T](db, query, args...)
}

// callInside is call for an operation that has entered. Calls of this process pass one at a time and in order, instead
// of competing for the lock of the file.
func callInside[T any](db *Database, query string, args ...any) (T, error) {
	var none T
	release, err := db.acquireTurn(context.Background())
	if err != nil {
		return none, err
	}
	defer release()
	value, err := one[T](context.Background(), db.own, query, args...)
	return value, db.explain(err)
}

// ask runs a function that only reads.
func ask[T any](db *Database, query string, args ...any) (T, error) {
	var none T
	leave, err := db.enter()
	if err != nil {
		return none, err
	}
	defer leave()
	return one[T](context.Background(), db.own, query, args...)
}

// callIn runs a function in the caller's transaction. The function is not called if that is one of another file.
func callIn[T any](db *Database, tx Tx, function string, args ...any) (T, error) {
	var none T
	leave, err := db.enter()
	if err != nil {
		return none, err
	}
	defer leave()
	if err := checkTx(tx); err != nil {
		return none, err
	}
	if own, is := tx.(*Transaction); is && own.db.file == db.file {
		if err := own.lock(); err != nil {
			return none, err
		}
	}
	query := "SELECT CASE WHEN honker_database_file() = ? THEN " + function + " END"
	value, err := one[sql.Null[T]](context.Background(), tx, query, append([]any{db.file}, args...)...)
	if err == nil && !value.Valid {
		file, err := one[string](context.Background(), tx, "SELECT honker_database_file()")
		if err != nil {
			return none, err
		}
		return none, invalid("tx is a transaction of %s; one of %s is needed", file, db.file)
	}
	return value.V, err
}

func checkTx(tx Tx) error {
	if value := reflect.ValueOf(tx); tx == nil || value.Kind() == reflect.Pointer && value.IsNil() {
		return invalid("tx is nil; a transaction is needed")
	}
	if _, is := tx.(*sql.DB); is {
		return invalid("tx is a *sql.DB, which is no transaction; begin one")
	}
	return nil
}

// parsed returns the value of a call whose result is JSON.
func parsed[T any](text string, err error) (T, error) {
	var value T
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return value, &Error{Code: CodeInternal, Message: "the result is not as expected: " + err.Error(), cause: err}
	}
	return value, nil
}

// acquireTurn waits for the turn to write in this process, at most for the busy timeout.
func (db *Database) acquireTurn(ctx context.Context) (func(), error) {
	release := func() { <-db.turn }
	select {
	case db.turn <- struct{}{}:
		return release, nil
	default:
	}
	timer := time.NewTimer(busyTimeout)
	defer timer.Stop()
	select {
	case db.turn <- struct{}{}:
		return release, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return nil, db.explain(&Error{Code: CodeBusy, Message: "another goroutine held the write lock for 5 s"})
	}
}

// explain adds the likely cause to an [ErrBusy]: a transaction of this handle that was not passed on.
func (db *Database) explain(err error) error {
	known, ok := err.(*Error)
	if !ok || known.Code != CodeBusy || db.transactionCount() == 0 {
		return err
	}
	return &Error{Code: known.Code, cause: known.cause, Message: known.Message +
		"; a transaction of this handle is open: pass it to the method that ends in Tx, or end it first"}
}
