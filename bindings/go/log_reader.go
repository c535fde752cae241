package honker

import (
	"context"
	"log/slog"
	"time"
)

// logReader reads the rows of a log in order, and waits for further ones.
type logReader[T any] struct {
	db   *Database
	news *news
	// page reads the rows behind the position, and moves it.
	page func() ([]T, error)
	// idle is called before each wait, and returns the longest one.
	idle  func() (time.Duration, error)
	ahead []T
	// open ends by end.
	open  context.Context
	close context.CancelFunc
}

func newLogReader[T any](db *Database) (*logReader[T], error) {
	news, err := db.subscribe()
	if err != nil {
		return nil, err
	}
	open, end := context.WithCancel(context.Background())
	return &logReader[T]{db: db, news: news, open: open, close: end,
		idle: func() (time.Duration, error) { return fallbackPoll, nil }}, nil
}

// next returns the next row, or false when the context ends.
func (r *logReader[T]) next(ctx context.Context, what string) (T, bool, error) {
	var none T
	ctx, cancel := whileOpen(ctx, r.open)
	defer cancel()
	for {
		switch {
		case !r.isOpen():
			return none, false, closed(what)
		case ctx.Err() != nil:
			return none, false, nil
		case len(r.ahead) > 0:
			row := r.ahead[0]
			r.ahead = r.ahead[1:]
			return row, true, nil
		}
		ahead, err := r.page()
		if err != nil {
			return none, false, err
		}
		if r.ahead = ahead; len(ahead) > 0 {
			continue
		}
		longest, err := r.idle()
		if err != nil {
			return none, false, err
		}
		if err := r.news.wait(ctx, longest); err != nil && ctx.Err() == nil {
			return none, false, err
		}
	}
}

func (r *logReader[T]) isOpen() bool { return r.open.Err() == nil }

// end ends the wait of next.
func (r *logReader[T]) end() {
	r.close()
	r.news.close()
}

// pump sends what next returns until the context ends, or next fails: with an error that may pass, it goes on.
func pump[T any](ctx context.Context, db *Database, to chan<- T, next func(context.Context) (*T, error)) {
	for failures := 0; ; {
		row, err := next(ctx)
		switch {
		case err != nil && isRetryable(err):
			failures++
			db.backOff(ctx, failures)
			continue
		case err != nil:
			if !isDone(db.closing) {
				slog.Error("honker: a channel ends", "error", err)
			}
			return
		case row == nil:
			return
		}
		failures = 0
		select {
		case to <- *row:
		case <-ctx.Done():
			return
		case <-db.closing:
			return
		}
	}
}

func warnOfMalformed(kind string, id int64, problem string) {
	slog.Warn("honker: a malformed row is passed over", kind, id, "problem", problem)
}
