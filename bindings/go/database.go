package honker

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"sync"
	"time"
)

// OpenOptions are the options of [OpenWithOptions]. The zero value has the defaults.
type OpenOptions struct {
	// WatcherBackend is "" for the events of the file system, with checks that find commits without an event; or
	// "polling", "kernel" or "shm". One that cannot work is an error of OpenWithOptions.
	WatcherBackend string
	// WatcherPollInterval is the interval between two checks while polling, in whole milliseconds, rounded up. 0 means
	// 1 ms.
	WatcherPollInterval time.Duration
}

// Database is a handle of a file. Open one per process and file, and share it between goroutines.
type Database struct {
	// path is the file as SQLite and the watcher open it; file is the same without links, as SQLite calls it.
	path, file string
	options    OpenOptions
	// raw is the application's pool, own is that of this package.
	raw, own *sql.DB
	// turn holds a value while a call of this process writes.
	turn    chan struct{}
	closing chan struct{}
	closed  chan struct{}

	mu       sync.Mutex
	isClosed bool
	// entered counts calls in progress; close waits for them. It only grows under mu while isClosed is false.
	entered      sync.WaitGroup
	transactions map[*sql.Tx]struct{}
	watcher      *watcher
	// lockHandles counts the live Lock values of each lock, so that a value that is garbage does not release the lock
	// of a newer value.
	lockHandles map[lockKey]int
}

// Open opens a file, creates it if it is new, and creates or upgrades honker's tables in it.
//
// The path may be a "file:" URI; a database in memory is refused. Pass "" for extensionPath to find the library as
// [ExtensionPath] describes.
//
// It fails with [ErrExtensionNotFound] or [ErrExtensionUnsupported] if the library cannot be loaded, with
// [ErrSchemaTooNew] if a newer honker has upgraded the file, and with the codes of SQLite's errors.
func Open(path, extensionPath string) (*Database, error) {
	return OpenWithOptions(path, extensionPath, OpenOptions{})
}

// OpenWithOptions is [Open] with options.
func OpenWithOptions(path, extensionPath string, options OpenOptions) (*Database, error) {
	if options.WatcherPollInterval < 0 {
		return nil, invalid("WatcherPollInterval is %s; it must not be negative", options.WatcherPollInterval)
	}
	location, uri, err := fileURI(path)
	if err != nil {
		return nil, err
	}
	db := &Database{
		path: location, options: options,
		raw: openPool(uri, extensionPath, false), own: openPool(uri, extensionPath, true),
		turn: make(chan struct{}, 1), closing: make(chan struct{}), closed: make(chan struct{}),
		transactions: map[*sql.Tx]struct{}{}, lockHandles: map[lockKey]int{},
	}
	if err := db.prepare(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// prepare makes the tables, and opens the watcher at once if its options could be wrong.
func (db *Database) prepare() error {
	if err := Bootstrap(context.Background(), db.own); err != nil {
		return err
	}
	file, err := one[string](context.Background(), db.own, "SELECT honker_database_file()")
	if err != nil {
		return err
	}
	db.file = file
	if db.options == (OpenOptions{}) {
		return nil
	}
	news, err := db.subscribe()
	if err != nil {
		return err
	}
	news.close()
	return nil
}

func (o OpenOptions) pollIntervalMS() any {
	if o.WatcherPollInterval == 0 {
		return nil
	}
	return int64(math.Ceil(float64(o.WatcherPollInterval) / float64(time.Millisecond)))
}

// Raw returns the application's pool on the file. Its connections have the functions of honker and begin transactions
// as the driver does, without the write lock. Do not close it; [Database.Close] does.
func (db *Database) Raw() *sql.DB { return db.raw }

// Path returns the path of the file: absolute, or the URI that was given.
func (db *Database) Path() string { return db.path }

// enter begins a call. The returned function ends it. It fails with [ErrClosed] after Close.
func (db *Database) enter() (func(), error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.isClosed {
		return nil, closed("the database")
	}
	db.entered.Add(1)
	return db.entered.Done, nil
}

// Close ends all waits with [ErrClosed], rolls back the transactions that are open, waits for calls in progress, and
// closes the connections. Later calls of the handle and its objects return [ErrClosed]. Closing again does nothing.
//
// It waits as long as a call in progress waits for the write lock of another process, which is 5 s.
func (db *Database) Close() error {
	db.mu.Lock()
	if db.isClosed {
		db.mu.Unlock()
		<-db.closed
		return nil
	}
	db.isClosed = true
	close(db.closing)
	left := db.transactions
	db.transactions = map[*sql.Tx]struct{}{}
	db.mu.Unlock()
	defer close(db.closed)

	var errs []error
	for tx := range left {
		if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
			errs = append(errs, typed(err))
		}
	}
	db.entered.Wait()
	if db.watcher != nil {
		errs = append(errs, db.watcher.close())
	}
	return errors.Join(append(errs, typed(db.own.Close()), typed(db.raw.Close()))...)
}
