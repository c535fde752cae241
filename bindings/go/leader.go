package honker

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

const (
	leaderLock     = "honker-scheduler"
	leaderTTLS     = 60
	leaderInterval = 30 * time.Second
)

// errNotLeading means that another scheduler has the lock, or may have it.
var errNotLeading = errors.New("honker: the leadership was lost")

// Run fires the schedules until the context ends, then returns nil. It sleeps until the soonest boundary or a change.
//
// Of all schedulers on the file, in any language, one leads, by the lock "honker-scheduler"; the others stand by and
// take over when it ends. A leader that has died is replaced after a minute. Each boundary fires once. owner names this
// scheduler: give each its own.
//
// It fails with [ErrClosed] when the database is closed. Errors that may pass are logged and tried again.
func (s *Scheduler) Run(ctx context.Context, owner string) error {
	news, err := s.db.subscribe()
	if err != nil {
		return err
	}
	defer news.close()
	// Close waits for this call, so that the lock is released before the connections are closed.
	leave, err := s.db.enter()
	if err != nil {
		return err
	}
	defer leave()
	leader := &leader{db: s.db, owner: owner, news: news}
	defer leader.resign()
	for failures := 0; ; {
		err := leader.step(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failures = 0
		case errors.Is(err, errNotLeading):
			slog.Warn("honker: a scheduler has lost the leadership and stands by", "owner", owner)
			leader.isLeading = false
		case isRetryable(err):
			failures++
			slog.Warn("honker: a scheduler tries again", "owner", owner, "error", err)
			s.db.backOff(ctx, failures)
		default:
			return err
		}
	}
}

// leader is a scheduler that runs. Its calls have entered.
type leader struct {
	db        *Database
	owner     string
	news      *news
	isLeading bool
	renewAt   time.Time
}

// step does one thing: take over, renew, fire, or wait.
func (l *leader) step(ctx context.Context) error {
	if isDone(l.db.closing) {
		return closed("the database")
	}
	if !l.isLeading {
		return l.standBy(ctx)
	}
	if !time.Now().Before(l.renewAt) {
		held, err := callInside[bool](l.db, "SELECT honker_lock_renew(?, ?, ?)", leaderLock, l.owner, leaderTTLS)
		if err != nil {
			return err
		}
		if !held {
			return errNotLeading
		}
		l.renewAt = time.Now().Add(leaderInterval)
	}
	pause, err := l.untilSoonest(ctx)
	if err != nil {
		return err
	}
	if pause == 0 {
		return l.fire(ctx)
	}
	return l.news.wait(ctx, min(pause, time.Until(l.renewAt)))
}

// standBy takes the lock over, or waits for its end. It reads first: a try at each commit would take the write lock
// from processes that need it.
func (l *leader) standBy(ctx context.Context) error {
	const query = "SELECT honker_lock_expires_at(?) - honker_clock()"
	left, err := one[*float64](ctx, l.db.own, query, leaderLock)
	if err != nil {
		return err
	}
	pause := fallbackPoll
	// An end beyond the length of the lock was stored before the clock was set back; a try measures it again.
	if left == nil || *left <= 0 || *left > leaderTTLS+1 {
		const query = "SELECT honker_lock_acquire(?, ?, ?)"
		l.isLeading, err = callInside[bool](l.db, query, leaderLock, l.owner, leaderTTLS)
		if err != nil {
			return err
		}
		if l.isLeading {
			l.renewAt = time.Now().Add(leaderInterval)
			return nil
		}
	} else {
		pause = time.Duration(*left * float64(time.Second))
	}
	return l.news.wait(ctx, pause)
}

// untilSoonest returns the span to the next boundary, 0 if one has come.
func (l *leader) untilSoonest(ctx context.Context) (time.Duration, error) {
	const query = "SELECT nullif(honker_scheduler_soonest(), 0) - honker_clock()"
	left, err := one[*float64](ctx, l.db.own, query)
	if err != nil || left == nil {
		return fallbackPoll, err
	}
	return time.Duration(max(0, min(*left, fallbackPoll.Seconds())) * float64(time.Second)), nil
}

// fire ticks if this scheduler still leads. Both are under the write lock, so a leader that does not know of its loss
// fires nothing.
func (l *leader) fire(ctx context.Context) error {
	tx, err := l.db.beginImmediate(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing; before it, the error is known
	token, err := one[*int64](ctx, tx, "SELECT honker_lock_token(?, ?)", leaderLock, l.owner)
	if err != nil {
		return err
	}
	if token == nil {
		return errNotLeading
	}
	if _, err := one[string](ctx, tx, tickNow); err != nil {
		return err
	}
	return tx.Commit()
}

// resign releases the lock; a lost lock belongs to another owner, whom this does not affect.
func (l *leader) resign() {
	if !l.isLeading {
		return
	}
	_, err := callInside[bool](l.db, "SELECT honker_lock_release(?, ?)", leaderLock, l.owner)
	if err != nil {
		slog.Warn("honker: the leader's lock is left to lapse", "owner", l.owner, "error", err)
	}
}
