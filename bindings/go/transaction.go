package honker

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"runtime"
	"sync"
)

// Transaction is an open transaction of [Database.Begin]. Everything that is done with it, by its own methods and by
// methods whose name ends in Tx, commits together or not at all.
//
// End it by Commit or Rollback. One that is lost without either is rolled back when it is garbage, which is logged.
type Transaction struct {
	db *Database
	tx *sql.Tx
	// unused is the context of Begin while the transaction holds no lock and has run no statement, and then nil.
	unused context.Context
	clean  runtime.Cleanup
	ended  sync.Once
}

// Begin begins a transaction as the driver does by default: it takes the write lock with the first statement that
// writes. A transaction that reads before it writes can then fail with [CodeBusySnapshot]; use
// [Database.BeginImmediate] or [Database.InTransaction] for that.
func (db *Database) Begin() (*Transaction, error) {
	return db.Transaction(context.Background())
}

// Transaction is [Database.Begin] with a context: the transaction is rolled back when the context ends.
func (db *Database) Transaction(ctx context.Context) (*Transaction, error) {
	leave, err := db.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	tx, err := db.raw.BeginTx(ctx, nil)
	if err != nil {
		return nil, typed(err)
	}
	made, err := db.newTransaction(tx)
	if err == nil {
		made.unused = ctx
	}
	return made, err
}

// BeginImmediate begins a transaction that holds the write lock from the start. It waits up to 5 s for the lock, and
// fails with [ErrBusy] then. The transaction is rolled back when the context ends.
func (db *Database) BeginImmediate(ctx context.Context) (*Transaction, error) {
	leave, err := db.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return db.beginImmediate(ctx)
}

func (db *Database) beginImmediate(ctx context.Context) (*Transaction, error) {
	release, err := db.acquireTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	tx, err := db.own.BeginTx(ctx, nil)
	if err != nil {
		return nil, db.explain(typed(err))
	}
	return db.newTransaction(tx)
}

// InTransaction runs a function in a transaction that holds the write lock, and commits if it returns nil. It rolls
// back if the function returns an error, panics, or if the context ends, and returns the error of the function as it
// is.
//
// Inside, pass the transaction on: a method without Tx waits for the write lock that this transaction holds.
func (db *Database) InTransaction(ctx context.Context, do func(tx *Transaction) error) (err error) {
	tx, err := db.BeginImmediate(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if undone := tx.Rollback(); undone != nil && err != nil {
			err = errors.Join(err, undone)
		}
	}()
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// newTransaction registers a transaction, so that Close rolls it back.
func (db *Database) newTransaction(tx *sql.Tx) (*Transaction, error) {
	db.mu.Lock()
	isClosed := db.isClosed
	if !isClosed {
		db.transactions[tx] = struct{}{}
	}
	db.mu.Unlock()
	if isClosed {
		return nil, errors.Join(closed("the database"), tx.Rollback())
	}
	made := &Transaction{db: db, tx: tx}
	made.clean = runtime.AddCleanup(made, rollBackLost, lost{db, tx})
	return made, nil
}

// lock makes sure that a transaction in which nothing was done holds the write lock: it begins again with it. A
// function of honker reads before it writes, and could then fail with [CodeBusySnapshot] instead of waiting.
func (t *Transaction) lock() error {
	if t.unused == nil {
		return nil
	}
	locked, err := t.db.beginImmediate(t.unused)
	if err != nil {
		return err
	}
	locked.clean.Stop()
	t.clean.Stop()
	t.db.forgetTransaction(t.tx)
	t.tx, locked.tx, t.unused = locked.tx, t.tx, nil
	t.clean = runtime.AddCleanup(t, rollBackLost, lost{t.db, t.tx})
	if err := locked.tx.Rollback(); err != nil {
		return typed(err)
	}
	return nil
}

// use is for a statement that the application runs.
func (t *Transaction) use() *sql.Tx {
	t.unused = nil
	return t.tx
}

type lost struct {
	db *Database
	tx *sql.Tx
}

// rollBackLost does not block the goroutine of the cleanups.
func rollBackLost(left lost) {
	go func() {
		left.db.forgetTransaction(left.tx)
		err := left.tx.Rollback()
		if !errors.Is(err, sql.ErrTxDone) {
			slog.Warn("honker: a transaction was lost without Commit or Rollback, and is rolled back", "error", err)
		}
	}()
}

func (db *Database) forgetTransaction(tx *sql.Tx) {
	db.mu.Lock()
	defer db.mu.Unlock()
	delete(db.transactions, tx)
}

func (db *Database) transactionCount() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return len(db.transactions)
}

// Exec runs a statement. Errors of SQLite stay those of the driver.
func (t *Transaction) Exec(query string, args ...any) (sql.Result, error) {
	return t.ExecContext(context.Background(), query, args...)
}

// ExecContext is [Transaction.Exec] with a context.
func (t *Transaction) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return t.use().ExecContext(ctx, query, args...)
}

// Query runs a query. Close its rows before the next call of the transaction.
func (t *Transaction) Query(query string, args ...any) (*sql.Rows, error) {
	return t.QueryContext(context.Background(), query, args...)
}

// QueryContext is [Transaction.Query] with a context.
func (t *Transaction) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.use().QueryContext(ctx, query, args...)
}

// QueryRow runs a query whose first row is wanted. Its errors come from [database/sql.Row.Scan].
func (t *Transaction) QueryRow(query string, args ...any) *sql.Row {
	return t.QueryRowContext(context.Background(), query, args...)
}

// QueryRowContext is [Transaction.QueryRow] with a context. With it a transaction is a [Tx].
func (t *Transaction) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return t.use().QueryRowContext(ctx, query, args...)
}

// PrepareContext prepares a statement for this transaction. With it a transaction is the DBTX of code that sqlc
// generates.
func (t *Transaction) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return t.use().PrepareContext(ctx, query)
}

// Raw returns the transaction of database/sql. From then on the application alone ends the transaction: it is not
// rolled back when this value is garbage.
func (t *Transaction) Raw() *sql.Tx {
	t.clean.Stop()
	return t.use()
}

// Commit commits. An error means that nothing was kept. After an end it returns [ErrClosed].
func (t *Transaction) Commit() error {
	defer t.end()
	return typed(t.tx.Commit())
}

// Rollback takes everything back. After an end it does nothing, so it can stand in a defer.
func (t *Transaction) Rollback() error {
	defer t.end()
	if err := t.tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		return typed(err)
	}
	return nil
}

func (t *Transaction) end() {
	t.ended.Do(func() {
		t.unused = nil
		t.clean.Stop()
		t.db.forgetTransaction(t.tx)
	})
}
