package honker

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"
)

// A claim follows a fruitless one although a job is due after these pauses, from the first to the longest: the job may
// have gone to another worker, or wait for a limit of its queue.
const (
	firstPause   = time.Millisecond
	longestPause = 500 * time.Millisecond
)

// ClaimWaker waits for jobs of a queue.
type ClaimWaker struct {
	queue *Queue
	// open ends by Close.
	open  context.Context
	close context.CancelFunc
}

// ClaimWaker returns a waker. It costs nothing until Next waits.
func (q *Queue) ClaimWaker() *ClaimWaker {
	open, end := context.WithCancel(context.Background())
	return &ClaimWaker{q, open, end}
}

// Next claims the next job for a worker. While no job is due it waits, without polling, for a commit of any process, or
// for the time at which a delayed job becomes due or a lease expires; 5 s at most between two looks.
//
// It returns nil, nil when the context ends. A job that was claimed in that moment is given back without a charge. It
// fails with [ErrClosed] when the waker or the database is closed, and with [ErrWatcher] when the file was replaced.
//
// Several goroutines may wait on one waker.
func (w *ClaimWaker) Next(ctx context.Context, worker string) (*Job, error) {
	if w.open.Err() != nil {
		return nil, closed("the waker")
	}
	news, err := w.queue.db.subscribe()
	if err != nil {
		return nil, err
	}
	defer news.close()
	ctx, cancel := whileOpen(ctx, w.open)
	defer cancel()
	job, err := w.queue.next(ctx, worker, news)
	switch {
	case job != nil:
		return job, nil
	case w.open.Err() != nil:
		return nil, closed("the waker")
	case ctx.Err() != nil:
		return nil, nil
	}
	return nil, err
}

// Close ends the waits of the waker with [ErrClosed]. Closing again does nothing.
func (w *ClaimWaker) Close() { w.close() }

// next claims and waits until there is a job.
func (q *Queue) next(ctx context.Context, worker string, news *news) (*Job, error) {
	for fruitless := 0; ; fruitless++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		job, err := q.claimOrGiveBack(ctx, worker)
		if job != nil || err != nil {
			return job, err
		}
		pause, err := q.untilClaim()
		if err != nil {
			return nil, err
		}
		if pause == 0 && fruitless > 0 {
			pause = min(firstPause<<min(fruitless, 20), longestPause)
		}
		if err := news.wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// claimOrGiveBack claims a job, and returns at once when the context ends or the database is closed. A claim may wait 5
// s for the write lock and cannot be interrupted without losing the job; it goes on, and its job is given back.
func (q *Queue) claimOrGiveBack(ctx context.Context, worker string) (*Job, error) {
	leave, err := q.db.enter()
	if err != nil {
		return nil, err
	}
	type outcome struct {
		jobs []*Job
		err  error
	}
	claimed, abandoned := make(chan outcome), make(chan struct{})
	go func() {
		defer leave()
		jobs, err := q.claimInside(worker, 1)
		select {
		case claimed <- outcome{jobs, err}:
		case <-abandoned:
			giveBack(jobs)
		}
	}()
	select {
	case made := <-claimed:
		if len(made.jobs) == 0 {
			return nil, made.err
		}
		return made.jobs[0], nil
	case <-ctx.Done():
		close(abandoned)
		return nil, ctx.Err()
	case <-q.db.closing:
		close(abandoned)
		return nil, closed("the database")
	}
}

func giveBack(jobs []*Job) {
	for _, job := range jobs {
		if err := job.releaseInside(); err != nil {
			slog.Warn("honker: a job is left until its lease expires", "job", job.ID, "error", err)
		}
	}
}

// whileOpen returns a context that also ends with open.
func whileOpen(ctx, open context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(open, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// Jobs claims jobs for a worker, one after the other, and waits while no job is due. The loop ends with the context; an
// error is the last pair.
//
//	for job, err := range emails.Jobs(ctx, "worker-1") {
//		if err != nil {
//			return err
//		}
//		...
//		job.Ack()
//	}
func (q *Queue) Jobs(ctx context.Context, worker string) iter.Seq2[*Job, error] {
	return func(yield func(*Job, error) bool) {
		waker := q.ClaimWaker()
		defer waker.Close()
		for {
			job, err := waker.Next(ctx, worker)
			if job == nil && err == nil || !yield(job, err) || err != nil {
				return
			}
		}
	}
}

// errLeaseLost is the cause for which the context of a handler ends while it runs.
var errLeaseLost = errors.New("honker: the lease was lost")
