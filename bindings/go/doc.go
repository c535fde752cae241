// Package honker puts durable job queues, event streams, notify and listen, a scheduler, locks, rate limits and results
// into the application's own SQLite file.
//
// A job that is enqueued in a transaction exists if and only if that transaction commits. Workers of any process and
// any language wake within a fraction of a millisecond after the commit, without polling.
//
//	db, err := honker.Open("app.db", "")
//	if err != nil {
//		return err
//	}
//	defer db.Close()
//	emails := db.Queue("emails", honker.QueueOptions{})
//	id, err := emails.Enqueue(map[string]any{"to": "ann@example.com"}, honker.EnqueueOptions{})
//
// # Connections
//
// The package runs on github.com/mattn/go-sqlite3 and adds no second SQLite to the process, also with the build tag
// libsqlite3. [Database.Raw] is a [database/sql.DB] on the same file for the application's own statements.
// [ConnectHook] gives the functions of honker to connections that an application or an ORM opens itself.
//
// # Transactions
//
// A method whose name ends in Tx takes a [Tx]: a [Transaction], a [database/sql.Tx], or the transaction of an ORM.
// Every other method is a transaction of its own, also while the goroutine has one open.
//
// # Waiting
//
// A wait holds no connection and no thread. It ends with the context, and with [ErrClosed] after [Database.Close].
//
// # Errors
//
// Errors are [Error] values with a stable code. Compare them by [errors.Is] with [ErrBusy] and its neighbours.
//
// # Concurrency
//
// All types are safe for concurrent use, except [Transaction], [Subscription] and [Listener]: use each of those in one
// goroutine at a time.
package honker
