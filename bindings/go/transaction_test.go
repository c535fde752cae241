package honker_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"

	honker "github.com/russellromney/honker-go"
)

func withOrders(t *testing.T) *honker.Database {
	db := open(t)
	_, err := db.Raw().Exec("CREATE TABLE orders (n INTEGER PRIMARY KEY)")
	ok(t, err)
	return db
}

func TestAJobAndARowCommitTogether(t *testing.T) {
	db := withOrders(t)
	q := db.Queue("q", honker.QueueOptions{})
	tx := must(db.Begin())(t)
	_, err := tx.Exec("INSERT INTO orders VALUES (?)", 1)
	ok(t, err)
	must(q.EnqueueTx(tx, 1, honker.EnqueueOptions{}))(t)
	equal(t, must(q.ClaimOne("w"))(t), nil)
	ok(t, tx.Commit())
	equal(t, count(t, db, "SELECT count(*) FROM orders"), 1)
	equal(t, must(q.ClaimOne("w"))(t).ID, 1)
}

func TestARollbackTakesEverythingBack(t *testing.T) {
	db := withOrders(t)
	q, s := db.Queue("q", honker.QueueOptions{}), db.Stream("t")
	must(q.Enqueue("held", honker.EnqueueOptions{}))(t)
	job := must(q.ClaimOne("w"))(t)
	tx := must(db.BeginImmediate(context.Background()))(t)
	must(q.EnqueueTx(tx, 1, honker.EnqueueOptions{}))(t)
	must(s.PublishTx(tx, 1))(t)
	must(s.PublishWithKeyTx(tx, "k", 1))(t)
	must(s.SaveOffsetTx(tx, "c", 1))(t)
	must(db.NotifyTx(tx, "c", 1))(t)
	ok(t, db.SaveResultTx(tx, 7, "1", 0))
	equal(t, must(job.AckTx(tx))(t), true)
	ok(t, tx.Rollback())
	equal(t, must(q.ClaimOne("w"))(t), nil)
	equal(t, len(must(s.ReadSince(0, 10))(t)), 0)
	equal(t, must(s.GetOffset("c"))(t), 0)
	equal(t, must(db.GetResult(7))(t), nil)
	equal(t, must(job.Ack())(t), true)
}

func TestATransactionOfDatabaseSQLIsATx(t *testing.T) {
	db := withOrders(t)
	q := db.Queue("q", honker.QueueOptions{})
	tx := must(db.Raw().Begin())(t)
	must(q.EnqueueTx(tx, 1, honker.EnqueueOptions{}))(t)
	ok(t, tx.Rollback())
	equal(t, must(q.ClaimOne("w"))(t), nil)
	raw := must(db.Begin())(t).Raw()
	must(q.EnqueueTx(raw, 2, honker.EnqueueOptions{}))(t)
	ok(t, raw.Commit())
	equal(t, string(must(q.ClaimOne("w"))(t).Payload), "2")
}

func TestAConnectionOfTheApplicationsDriverIsATx(t *testing.T) {
	db := open(t)
	sql.Register("sqlite3_honker_test", &sqlite3.SQLiteDriver{ConnectHook: honker.ConnectHook("")})
	own := must(sql.Open("sqlite3_honker_test", db.Path()))(t)
	defer own.Close()
	tx := must(own.Begin())(t)
	must(db.Queue("q", honker.QueueOptions{}).EnqueueTx(tx, 1, honker.EnqueueOptions{}))(t)
	ok(t, tx.Commit())
	equal(t, must(db.Queue("q", honker.QueueOptions{}).ClaimOne("w"))(t).ID, 1)
}

func TestWrongTransactionsAreRefused(t *testing.T) {
	db, other := open(t), open(t)
	q := db.Queue("q", honker.QueueOptions{})
	foreign := must(other.Begin())(t)
	defer foreign.Rollback()
	plain := must(sql.Open("sqlite3", filepath.Join(t.TempDir(), "plain.db")))(t)
	defer plain.Close()
	without := must(plain.Begin())(t)
	defer without.Rollback()
	var none *honker.Transaction
	for name, each := range map[string]struct {
		tx   honker.Tx
		want error
		text string
	}{
		"nil":           {nil, honker.ErrInvalidArgument, "nil"},
		"a nil pointer": {none, honker.ErrInvalidArgument, "nil"},
		"a pool":        {db.Raw(), honker.ErrInvalidArgument, "no transaction"},
		"another file":  {foreign, honker.ErrInvalidArgument, other.Path()},
		"no functions":  {without, honker.ErrExtensionNotFound, "ConnectHook"},
	} {
		_, err := q.EnqueueTx(each.tx, 1, honker.EnqueueOptions{})
		if !errors.Is(err, each.want) || !strings.Contains(err.Error(), each.text) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	equal(t, count(t, other, "SELECT count(*) FROM _honker_live"), 0)
}

func TestInTransactionCommitsOrRollsBack(t *testing.T) {
	db := withOrders(t)
	insert := func(tx *honker.Transaction) error {
		_, err := tx.Exec("INSERT INTO orders VALUES (1)")
		return err
	}
	refused := errors.New("refused")
	fails(t, db.InTransaction(context.Background(), func(tx *honker.Transaction) error {
		return errors.Join(insert(tx), refused)
	}), refused)
	func() {
		defer func() { equal(t, recover(), any("panicked")) }()
		_ = db.InTransaction(context.Background(), func(tx *honker.Transaction) error {
			ok(t, insert(tx))
			panic("panicked")
		})
	}()
	equal(t, count(t, db, "SELECT count(*) FROM orders"), 0)
	ok(t, db.InTransaction(context.Background(), insert))
	equal(t, count(t, db, "SELECT count(*) FROM orders"), 1)
	var native sqlite3.Error
	if err := db.InTransaction(context.Background(), insert); !errors.As(err, &native) {
		t.Fatalf("got %v, want the driver's error", err)
	}
}

func TestAnEndedTransactionSaysSo(t *testing.T) {
	db := open(t)
	tx := must(db.Begin())(t)
	ok(t, tx.Commit())
	fails(t, tx.Commit(), honker.ErrClosed)
	fails(t, tx.Commit(), sql.ErrTxDone)
	ok(t, tx.Rollback())
	_, err := db.Queue("q", honker.QueueOptions{}).EnqueueTx(tx, 1, honker.EnqueueOptions{})
	fails(t, err, honker.ErrClosed)
}

func TestTheContextEndsATransaction(t *testing.T) {
	db := withOrders(t)
	ctx, cancel := context.WithCancel(context.Background())
	tx := must(db.Transaction(ctx))(t)
	_, err := tx.Exec("INSERT INTO orders VALUES (1)")
	ok(t, err)
	cancel()
	waitUntil(t, "the transaction is rolled back", func() bool {
		_, err := db.Raw().Exec("INSERT INTO orders VALUES (2)")
		return err == nil
	})
	if tx.Commit() == nil {
		t.Fatal("the transaction has committed")
	}
	equal(t, count(t, db, "SELECT n FROM orders"), 2)
}

func TestACallBesideTheOwnTransactionNamesTheCause(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for the busy timeout")
	}
	db := open(t)
	tx := must(db.BeginImmediate(context.Background()))(t)
	defer tx.Rollback()
	_, err := db.Queue("q", honker.QueueOptions{}).Enqueue(1, honker.EnqueueOptions{})
	fails(t, err, honker.ErrBusy)
	if !strings.Contains(err.Error(), "ends in Tx") {
		t.Fatalf("got %v", err)
	}
}

func TestAReadThatIsOutOfDateIsNotRetryable(t *testing.T) {
	db := withOrders(t)
	q := db.Queue("q", honker.QueueOptions{})
	tx := must(db.Begin())(t)
	defer tx.Rollback()
	var number int
	ok(t, tx.QueryRow("SELECT count(*) FROM orders").Scan(&number))
	must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	_, err := q.EnqueueTx(tx, 2, honker.EnqueueOptions{})
	fails(t, err, honker.ErrBusy)
	var known *honker.Error
	if !errors.As(err, &known) || known.Code != honker.CodeBusySnapshot || known.Retryable() {
		t.Fatalf("got %v", err)
	}
}

func TestATransactionThatEnqueuesFirstWaitsForTheLock(t *testing.T) {
	db := open(t)
	q := db.Queue("q", honker.QueueOptions{})
	const transactions, each = 4, 30
	done := make(chan error, transactions)
	for range transactions {
		go func() {
			var err error
			for range each {
				tx, began := db.Begin()
				if err = began; err != nil {
					break
				}
				if _, err = q.EnqueueTx(tx, 1, honker.EnqueueOptions{}); err != nil {
					break
				}
				if err = tx.Commit(); err != nil {
					break
				}
			}
			done <- err
		}()
	}
	for range transactions {
		ok(t, receive(t, done))
	}
	equal(t, len(must(q.ClaimBatch("w", 1000))(t)), transactions*each)
}

func TestAnEndedTransactionDoesNotBeginAgain(t *testing.T) {
	db := open(t)
	q := db.Queue("q", honker.QueueOptions{})
	for _, isKept := range []bool{true, false} {
		tx := must(db.Begin())(t)
		if isKept {
			ok(t, tx.Commit())
		}
		ok(t, tx.Rollback())
		_, err := q.EnqueueTx(tx, 1, honker.EnqueueOptions{})
		fails(t, err, honker.ErrClosed)
	}
	tx := must(db.Begin())(t)
	must(q.EnqueueTx(tx, 1, honker.EnqueueOptions{}))(t)
	ok(t, db.Close())
	_, err := q.EnqueueTx(tx, 1, honker.EnqueueOptions{})
	fails(t, err, honker.ErrClosed)
}

func TestAForgottenTransactionIsRolledBack(t *testing.T) {
	db := open(t)
	q := db.Queue("q", honker.QueueOptions{})
	func() {
		tx := must(db.BeginImmediate(context.Background()))(t)
		must(q.EnqueueTx(tx, "lost", honker.EnqueueOptions{}))(t)
	}()
	waitUntil(t, "the write lock is free", func() bool {
		runtime.GC()
		_, err := db.Raw().Exec("PRAGMA busy_timeout = 0; SELECT honker_enqueue('q', '1', NULL, NULL, 0, 3, NULL)")
		return err == nil
	})
	equal(t, string(must(q.ClaimOne("w"))(t).Payload), "1")
}
