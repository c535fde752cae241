package honker

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

const (
	entryPoint = "sqlite3_honkerext_init"
	// busyTimeout bounds the wait for a write lock, in this process and for other processes.
	busyTimeout = 5 * time.Second
	// ownConnections bounds the connections of this package, however many waits look at once. Three can be held for
	// long: by a transaction, by the one that waits for its lock, and by the watcher's goroutine on a system without
	// descriptors.
	ownConnections = 8
	// preparedStatements is the number of prepared statements that a connection keeps.
	preparedStatements = 32
)

// connectionPragmas are set on each connection that this package opens.
const connectionPragmas = `PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -32000;
PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 10000; PRAGMA mmap_size = 0`

// ConnectHook returns the hook for a [sqlite3.SQLiteDriver] whose connections get the functions of honker. It changes
// nothing else on them. Pass "" to find the library as [ExtensionPath] describes.
//
//	sql.Register("sqlite3_honker", &sqlite3.SQLiteDriver{ConnectHook: honker.ConnectHook("")})
//
// Call [Bootstrap] once on a file that may be new, or open it by [Open] as well.
func ConnectHook(extensionPath string) func(*sqlite3.SQLiteConn) error {
	return func(conn *sqlite3.SQLiteConn) error {
		return loadOnce(extensionPath, func(path string) error {
			err := conn.LoadExtension(path, entryPoint)
			if err == nil {
				return nil
			}
			if code, message := codeOf(err); code != CodeSQLite {
				return &Error{Code: code, Message: message, cause: err}
			}
			return &Error{Code: CodeExtensionUnsupported, Message: fmt.Sprintf("%s: %v", path, err), cause: err}
		})
	}
}

// Bootstrap creates the tables of honker in the file of a connection, or upgrades those of an older honker. A file that
// is up to date is only read.
func Bootstrap(ctx context.Context, conn Tx) error {
	_, err := one[int64](ctx, conn, "SELECT honker_bootstrap()")
	return err
}

// connector opens the connections of one pool.
type connector struct {
	driver *sqlite3.SQLiteDriver
	dsn    string
}

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	return conn, typed(err)
}

func (c *connector) Driver() driver.Driver { return c.driver }

// openPool returns a pool on the file. An own pool belongs to this package: its transactions begin with the write lock,
// and it waits for locks of other processes by honker's handler, whose pauses are shorter than those of SQLite.
func openPool(uri, extensionPath string, isOwn bool) *sql.DB {
	load := ConnectHook(extensionPath)
	dsn := fmt.Sprintf("%s_busy_timeout=%d&_stmt_cache_size=%d", uri, busyTimeout.Milliseconds(), preparedStatements)
	if isOwn {
		dsn += "&_txlock=immediate"
	}
	hook := func(conn *sqlite3.SQLiteConn) error {
		if err := load(conn); err != nil {
			return err
		}
		if err := useWriteAheadLog(conn); err != nil {
			return err
		}
		if _, err := conn.Exec(connectionPragmas, nil); err != nil || !isOwn {
			return err
		}
		_, err := conn.Exec(fmt.Sprintf("SELECT honker_busy_timeout(%d)", busyTimeout.Milliseconds()), nil)
		return err
	}
	pool := sql.OpenDB(&connector{&sqlite3.SQLiteDriver{ConnectHook: hook}, dsn})
	pool.SetMaxIdleConns(ownConnections)
	if isOwn {
		pool.SetMaxOpenConns(ownConnections)
	}
	return pool
}

// useWriteAheadLog repeats the PRAGMA: SQLite does not wait for another process that changes the mode at the same time.
func useWriteAheadLog(conn *sqlite3.SQLiteConn) error {
	for deadline := time.Now().Add(busyTimeout); ; time.Sleep(5 * time.Millisecond) {
		_, err := conn.Exec("PRAGMA journal_mode = WAL", nil)
		var native sqlite3.Error
		if !errors.As(err, &native) || native.Code != sqlite3.ErrBusy || time.Now().After(deadline) {
			return err
		}
	}
}

// fileURI returns the path that SQLite and the watcher open, and the beginning of the data source names, which ends
// where a parameter may follow. The path is absolute, because pools open connections at any time.
func fileURI(path string) (string, string, error) {
	if path == "" || strings.Contains(path, ":memory:") || strings.Contains(path, "mode=memory") {
		return "", "", invalid("path is %q; a file is needed, which other connections can open", path)
	}
	if strings.HasPrefix(path, "file:") {
		_, query, hasQuery := strings.Cut(path, "?")
		if _, err := url.ParseQuery(query); err != nil {
			return "", "", invalid("path is %q: %v", path, err)
		}
		if hasQuery {
			return path, path + "&", nil
		}
		return path, path + "?", nil
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", "", &Error{Code: CodeCantOpen, Message: err.Error(), cause: err}
	}
	slashed := filepath.ToSlash(absolute)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed
	}
	return absolute, "file:" + (&url.URL{Path: slashed}).EscapedPath() + "?", nil
}
