package honker_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	honker "github.com/russellromney/honker-go"
)

func TestWorkAcknowledgesAndRetries(t *testing.T) {
	db := open(t)
	q := db.Queue("q", honker.QueueOptions{MaxAttempts: 2})
	for _, payload := range []string{"good", "bad", "worse"} {
		must(q.Enqueue(payload, honker.EnqueueOptions{}))(t)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := inBackground(func() error {
		return q.Work(ctx, "w", func(_ context.Context, job *honker.Job) error {
			switch string(job.Payload) {
			case `"bad"`:
				return &honker.RetryError{After: 0, Err: errors.New("refused")}
			case `"worse"`:
				panic("broken")
			}
			return nil
		})
	})
	waitUntil(t, "the jobs are worked", func() bool {
		return count(t, db, "SELECT count(*) FROM _honker_live WHERE last_error = 'panic: broken'") == 1 &&
			count(t, db, "SELECT count(*) FROM _honker_dead WHERE last_error = 'refused'") == 1
	})
	stop()
	ok(t, receive(t, done))
	equal(t, count(t, db, "SELECT count(*) FROM _honker_live"), 1)
}

func TestAStopDuringAHandlerGivesTheJobBack(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	ctx, stop := context.WithCancel(context.Background())
	began := make(chan bool, 1)
	done := inBackground(func() error {
		return q.Work(ctx, "w", func(ctx context.Context, _ *honker.Job) error {
			began <- true
			<-ctx.Done()
			return ctx.Err()
		})
	})
	receive(t, began)
	stop()
	ok(t, receive(t, done))
	equal(t, must(q.ClaimOne("w"))(t).Attempts, 1)
}

func TestALeaseIsRenewedWhileTheHandlerRuns(t *testing.T) {
	t.Parallel()
	q := open(t).Queue("q", honker.QueueOptions{VisibilityTimeoutS: 2})
	id := must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	release := make(chan bool)
	done := inBackground(func() error {
		return q.Work(ctx, "w", func(context.Context, *honker.Job) error { <-release; return nil })
	})
	var first int64
	waitUntil(t, "the lease is renewed twice", func() bool {
		row := must(q.GetJob(id))(t)
		if row == nil || row.ClaimExpiresAt == nil {
			return false
		}
		if first == 0 {
			first = *row.ClaimExpiresAt
		}
		return *row.ClaimExpiresAt >= first+2
	})
	equal(t, must(q.ClaimOne("other"))(t), nil)
	close(release)
	waitUntil(t, "the job is done", func() bool { return must(q.GetJob(id))(t) == nil })
	stop()
	ok(t, receive(t, done))
}

func TestALostLeaseEndsTheContextOfTheHandler(t *testing.T) {
	t.Parallel()
	q := open(t).Queue("q", honker.QueueOptions{VisibilityTimeoutS: 1})
	id := must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	done := inBackground(func() error {
		return q.Work(ctx, "w", func(ctx context.Context, _ *honker.Job) error {
			must(q.Cancel(id))(t)
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		})
	})
	if err := receive(t, ended); err == nil || errors.Is(err, context.Canceled) {
		t.Fatalf("the cause is %v", err)
	}
	stop()
	ok(t, receive(t, done))
}

func TestAnOutboxDeliversAndRetries(t *testing.T) {
	db := open(t)
	delivered := make(chan string, 10)
	outbox := db.Outbox("mail", func(_ context.Context, payload json.RawMessage) error {
		if string(payload) == `"bad"` {
			return errors.New("refused")
		}
		delivered <- string(payload)
		return nil
	}, honker.OutboxOptions{MaxAttempts: 2, BaseBackoffS: -1})
	equal(t, outbox.Queue.Name(), "_outbox:mail")
	ok(t, db.InTransaction(context.Background(), func(tx *honker.Transaction) error {
		_, err := outbox.EnqueueTx(tx, "good", honker.EnqueueOptions{})
		return err
	}))
	must(outbox.Enqueue("bad", honker.EnqueueOptions{}))(t)
	ctx, stop := context.WithCancel(context.Background())
	done := inBackground(func() error { return outbox.RunWorker(ctx, "w") })
	equal(t, receive(t, delivered), `"good"`)
	waitUntil(t, "the other is dead", func() bool {
		return count(t, db, "SELECT count(*) FROM _honker_dead WHERE attempts = 2 AND last_error = 'refused'") == 1
	})
	stop()
	ok(t, receive(t, done))
	fails(t, db.Outbox("none", nil, honker.OutboxOptions{}).RunWorker(ctx, "w"), honker.ErrInvalidArgument)
}

func TestAFailedDeliveryIsPutOff(t *testing.T) {
	db := open(t)
	outbox := db.Outbox("mail", func(context.Context, json.RawMessage) error { return errors.New("refused") },
		honker.OutboxOptions{BaseBackoffS: 100})
	id := must(outbox.Enqueue(1, honker.EnqueueOptions{}))(t)
	ctx, stop := context.WithCancel(context.Background())
	done := inBackground(func() error { return outbox.RunWorker(ctx, "w") })
	began := time.Now().Unix()
	waitUntil(t, "the delivery has failed", func() bool {
		row := must(outbox.Queue.GetJob(id))(t)
		return row.State == "pending" && row.Attempts == 1 && row.RunAt >= began+100 && row.RunAt <= began+125
	})
	stop()
	ok(t, receive(t, done))
}
