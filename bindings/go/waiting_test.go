package honker_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	honker "github.com/russellromney/honker-go"
)

// isWaiting gives a wait the time to begin, and reports true if it has not ended.
func isWaiting[T any](t *testing.T, done <-chan T) bool {
	t.Helper()
	select {
	case <-done:
		return false
	case <-time.After(100 * time.Millisecond):
		return true
	}
}

func TestACommitOfAnotherHandleWakesAClaim(t *testing.T) {
	db := open(t)
	waker := db.Queue("q", honker.QueueOptions{}).ClaimWaker()
	done := claimInBackground(within(t), waker)
	equal(t, isWaiting(t, done), true)
	other := openFile(t, db.Path())
	must(other.Queue("q", honker.QueueOptions{}).Enqueue(1, honker.EnqueueOptions{}))(t)
	got := receive(t, done)
	ok(t, got.err)
	equal(t, got.job.WorkerID, "w")
}

func TestAClaimWaitsForADelayedJob(t *testing.T) {
	t.Parallel()
	q := open(t).Queue("q", honker.QueueOptions{})
	must(q.Enqueue(1, honker.EnqueueOptions{Delay: honker.Seconds(time.Second)}))(t)
	began := time.Now()
	job := must(q.ClaimWaker().Next(within(t), "w"))(t)
	equal(t, job.ID, 1)
	if waited := time.Since(began); waited < 900*time.Millisecond || waited > 4*time.Second {
		t.Fatalf("waited %s", waited)
	}
}

func TestTheContextEndsAWaitAndTakesNoJob(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	ctx, cancel := context.WithCancel(context.Background())
	done := claimInBackground(ctx, q.ClaimWaker())
	equal(t, isWaiting(t, done), true)
	cancel()
	got := receive(t, done)
	equal(t, got, claimed{})
	must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	equal(t, must(q.ClaimOne("w"))(t).Attempts, 1)
}

func TestAContextThatEndsWhileTheLockIsHeldGivesTheJobBack(t *testing.T) {
	t.Parallel()
	db := open(t)
	q := db.Queue("q", honker.QueueOptions{})
	must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	tx := must(db.BeginImmediate(context.Background()))(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := claimInBackground(ctx, q.ClaimWaker())
	equal(t, isWaiting(t, done), true)
	cancel()
	equal(t, receive(t, done), claimed{})
	ok(t, tx.Rollback())
	waitUntil(t, "the job is given back", func() bool {
		job := must(q.ClaimOne("other"))(t)
		return job != nil && job.Attempts == 1
	})
}

func TestCloseEndsWaits(t *testing.T) {
	t.Parallel()
	db := open(t)
	q := db.Queue("q", honker.QueueOptions{})
	ctx := within(t)
	acknowledge := func(context.Context, *honker.Job) error { return nil }
	closing := map[string]<-chan error{
		"claim":    inBackground(func() error { _, err := q.ClaimWaker().Next(ctx, "w"); return err }),
		"result":   inBackground(func() error { _, err := db.WaitResult(ctx, 7); return err }),
		"listener": inBackground(func() error { _, err := must(db.Listener("c"))(t).Next(ctx); return err }),
		"subscription": inBackground(func() error {
			_, err := must(db.Stream("s").Subscription("c", honker.SubscribeOptions{}))(t).Next(ctx)
			return err
		}),
		"scheduler": inBackground(func() error { return db.Scheduler().Run(ctx, "a") }),
		"worker":    inBackground(func() error { return q.Work(ctx, "w", acknowledge) }),
	}
	for name, done := range closing {
		if !isWaiting(t, done) {
			t.Fatalf("%s does not wait", name)
		}
	}
	ok(t, db.Close())
	for name, done := range closing {
		if err := receive(t, done); !isClosed(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	ok(t, db.Close())
	_, err := q.Enqueue(1, honker.EnqueueOptions{})
	fails(t, err, honker.ErrClosed)
	_, err = db.Begin()
	fails(t, err, honker.ErrClosed)
	_, err = q.ClaimWaker().Next(ctx, "w")
	fails(t, err, honker.ErrClosed)
}

func TestCloseRollsBackAnOpenTransaction(t *testing.T) {
	db := open(t)
	tx := must(db.BeginImmediate(context.Background()))(t)
	must(db.Queue("q", honker.QueueOptions{}).EnqueueTx(tx, 1, honker.EnqueueOptions{}))(t)
	ok(t, db.Close())
	fails(t, tx.Commit(), honker.ErrClosed)
	equal(t, must(openFile(t, db.Path()).Queue("q", honker.QueueOptions{}).ClaimOne("w"))(t), nil)
}

func TestACloseOfTheWakerEndsItsWaitsOnly(t *testing.T) {
	t.Parallel()
	q := open(t).Queue("q", honker.QueueOptions{})
	waker := q.ClaimWaker()
	one, two := claimInBackground(within(t), waker), claimInBackground(within(t), waker)
	other := claimInBackground(within(t), q.ClaimWaker())
	equal(t, isWaiting(t, one), true)
	waker.Close()
	waker.Close()
	fails(t, receive(t, one).err, honker.ErrClosed)
	fails(t, receive(t, two).err, honker.ErrClosed)
	equal(t, isWaiting(t, other), true)
	must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	ok(t, receive(t, other).err)
}

func TestWaitsHoldNoThreads(t *testing.T) {
	db := open(t)
	q := db.Queue("q", honker.QueueOptions{})
	const waits = 300
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	results := make(chan claimed, waits)
	for range waits {
		go func() {
			job, err := q.ClaimWaker().Next(ctx, "w")
			results <- claimed{job, err}
		}()
	}
	equal(t, isWaiting(t, results), true)
	if threads := threadCount(t); threads > 60 {
		t.Fatalf("%d waits hold %d threads", waits, threads)
	}
	must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	equal(t, receive(t, results).job.ID, 1)
	if descriptors := len(must(os.ReadDir("/proc/self/fd"))(t)); descriptors > 100 {
		t.Fatalf("%d waits hold %d descriptors", waits, descriptors)
	}
	cancel()
	for range waits - 1 {
		ok(t, receive(t, results).err)
	}
}

func threadCount(t *testing.T) int {
	if runtime.GOOS != "linux" {
		t.Skip("counts threads in /proc")
	}
	return len(must(os.ReadDir("/proc/self/task"))(t))
}

func TestAReplacedFileEndsAWait(t *testing.T) {
	db := open(t)
	done := claimInBackground(within(t), db.Queue("q", honker.QueueOptions{}).ClaimWaker())
	equal(t, isWaiting(t, done), true)
	replacement := filepath.Join(t.TempDir(), "other.db")
	ok(t, openFile(t, replacement).Close())
	ok(t, os.Rename(replacement, db.Path()))
	fails(t, receive(t, done).err, honker.ErrWatcher)
}

func TestAWatcherThatCannotWorkIsAnErrorOfOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	_, err := honker.OpenWithOptions(path, "", honker.OpenOptions{WatcherBackend: "bogus"})
	fails(t, err, honker.ErrInvalidArgument)
	_, err = honker.OpenWithOptions(path, "", honker.OpenOptions{WatcherPollInterval: -1})
	fails(t, err, honker.ErrInvalidArgument)
	db := must(honker.OpenWithOptions(path, "", honker.OpenOptions{
		WatcherBackend: "polling", WatcherPollInterval: 1500 * time.Microsecond}))(t)
	defer db.Close()
	done := claimInBackground(within(t), db.Queue("q", honker.QueueOptions{}).ClaimWaker())
	equal(t, isWaiting(t, done), true)
	must(db.Queue("q", honker.QueueOptions{}).Enqueue(1, honker.EnqueueOptions{}))(t)
	ok(t, receive(t, done).err)
}

func TestAResultWakesItsWait(t *testing.T) {
	db := open(t)
	q := db.Queue("q", honker.QueueOptions{MaxAttempts: 1})
	done := make(chan string, 1)
	go func() { done <- must(db.WaitResult(within(t), 7))(t) }()
	equal(t, isWaiting(t, done), true)
	ok(t, db.SaveResult(7, `"done"`, 60))
	equal(t, receive(t, done), `"done"`)

	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := db.WaitResult(short, 8)
	fails(t, err, context.DeadlineExceeded)

	dead := must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	must(must(q.ClaimOne("w"))(t).Fail("broken"))(t)
	_, err = db.WaitResult(within(t), dead)
	fails(t, err, honker.ErrJobFailed)
	gone := must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	must(must(q.ClaimOne("w"))(t).Ack())(t)
	_, err = db.WaitResult(within(t), gone)
	fails(t, err, honker.ErrResultGone)
	equal(t, must(db.SweepResults())(t), 0)
}
