package honker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

const defaultRetryDelayS = 60

// Handler works on a job. nil acknowledges the job, an error retries it. Its context ends with that of the worker, and
// when the lease is lost.
type Handler func(ctx context.Context, job *Job) error

// RetryError is an error of a [Handler] or a delivery that chooses the delay of the next attempt.
type RetryError struct {
	// After is the delay. A fraction of a second counts as a second.
	After time.Duration
	// Err is the reason.
	Err error
}

// Error returns the reason.
func (e *RetryError) Error() string { return fmt.Sprint(e.Err) }

// Unwrap returns the reason.
func (e *RetryError) Unwrap() error { return e.Err }

// Work claims jobs for a worker and handles them, one after the other, until the context ends; then it returns nil.
// Start it in several goroutines to work on several jobs at once.
//
// While the handler runs, the lease is renewed. An error or a panic of the handler retries the job after 60 s, or as a
// [RetryError] says. If the context ends while the handler runs, Work waits for it, and gives the job back without a
// charge if it returns an error. A handler may also settle the job itself.
func (q *Queue) Work(ctx context.Context, worker string, handle Handler) error {
	return q.work(ctx, worker, handle, func(int64) int64 { return defaultRetryDelayS })
}

func (q *Queue) work(ctx context.Context, worker string, handle Handler, retryDelayS func(attempt int64) int64) error {
	waker := q.ClaimWaker()
	defer waker.Close()
	for failures := 0; ; {
		job, err := waker.Next(ctx, worker)
		if err == nil && job != nil {
			err = q.handle(ctx, job, handle, retryDelayS)
		}
		switch {
		case ctx.Err() != nil && (err == nil || isRetryable(err)):
			return nil
		case err == nil:
			failures = 0
		case !isRetryable(err):
			return err
		default:
			failures++
			slog.Warn("honker: a worker tries again", "queue", q.name, "error", err)
			q.db.backOff(ctx, failures)
		}
	}
}

// backOff waits after a failure that may pass, longer each time.
func (db *Database) backOff(ctx context.Context, failures int) {
	timer := time.NewTimer(min(50*time.Millisecond<<min(failures, 10), fallbackPoll))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-db.closing:
	}
}

// handle runs the handler and settles the job.
func (q *Queue) handle(ctx context.Context, job *Job, handle Handler, retryDelayS func(attempt int64) int64) error {
	failure := q.whileRenewing(ctx, job, handle)
	if failure == nil {
		return ignoreLost(job.Ack())
	}
	if ctx.Err() != nil {
		return ignoreLost(job.Release())
	}
	delayS := retryDelayS(job.Attempts)
	var chosen *RetryError
	if errors.As(failure, &chosen) {
		delayS = *Seconds(chosen.After)
	}
	return ignoreLost(job.Retry(delayS, failure.Error()))
}

// ignoreLost drops the answer to settling: a lost lease means that another worker has the job, or that the handler
// settled it itself.
func ignoreLost(_ bool, err error) error { return err }

// whileRenewing runs the handler, and renews the lease three times in its length.
func (q *Queue) whileRenewing(ctx context.Context, job *Job, handle Handler) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Add(1)
	go func() {
		defer renewing.Done()
		ticker := time.NewTicker(time.Duration(q.visibilityTimeoutS) * time.Second / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			held, err := job.Heartbeat(q.visibilityTimeoutS)
			if err != nil {
				slog.Warn("honker: a lease is not renewed", "job", job.ID, "error", err)
			} else if !held {
				cancel(errLeaseLost)
			}
		}
	}()
	defer renewing.Wait()
	defer cancel(nil)
	return withoutPanic(ctx, job, handle)
}

func withoutPanic(ctx context.Context, job *Job, handle Handler) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			slog.Error("honker: a handler panicked", "job", job.ID, "panic", reason, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	return handle(ctx, job)
}
