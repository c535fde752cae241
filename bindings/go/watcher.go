package honker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// fallbackPoll bounds every wait, in case an event of the file system is lost or the clock is set.
const fallbackPoll = 5 * time.Second

// watcher is the subscription of a handle to the commits of its file. One goroutine reads its descriptor under the
// runtime's poller, and passes each wake on to all waits.
type watcher struct {
	db *Database
	id int64
	// pipe is our duplicate of the descriptor; nil where the system has none, and the goroutine waits by a call.
	pipe *os.File
	// ended is closed when the goroutine has ended; died has the reason, unless the handle was closed.
	ended chan struct{}
	died  error

	mu    sync.Mutex
	waits map[*news]struct{}
}

// news is a subscription of one wait.
type news struct {
	watcher *watcher
	// came holds a value after a commit since the last receive.
	came chan struct{}
}

// subscribe subscribes to the commits of the file. Subscribe first, then read, then wait: no commit is missed then.
func (db *Database) subscribe() (*news, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.isClosed {
		return nil, closed("the database")
	}
	if db.watcher == nil {
		opened, err := db.openWatcher()
		if err != nil {
			return nil, err
		}
		db.watcher = opened
	}
	made := &news{db.watcher, make(chan struct{}, 1)}
	db.watcher.mu.Lock()
	defer db.watcher.mu.Unlock()
	db.watcher.waits[made] = struct{}{}
	return made, nil
}

// hasDescriptor is false in a test of the way without one.
var hasDescriptor = true

func (db *Database) openWatcher() (*watcher, error) {
	ctx := context.Background()
	id, err := one[int64](ctx, db.own, "SELECT honker_update_watcher_open(?, ?, ?, 'pipe')",
		db.path, db.options.WatcherBackend, db.options.pollIntervalMS())
	if err != nil {
		if known, ok := err.(*Error); ok {
			known.Message = "WatcherBackend: probe failed: " + known.Message
		}
		return nil, err
	}
	made := &watcher{db: db, id: id, ended: make(chan struct{}), waits: map[*news]struct{}{}}
	fd, err := one[*int64](ctx, db.own, "SELECT honker_update_watcher_fd(?)", id)
	if err == nil && fd != nil && hasDescriptor {
		made.pipe, err = duplicate(int(*fd))
	}
	if err != nil {
		return nil, errors.Join(typed(err), made.unsubscribe())
	}
	if made.pipe != nil {
		go made.read()
	} else {
		go made.waitByCall()
	}
	return made, nil
}

// read passes wakes on until the pipe ends, which means that the watcher is dead, or this side of it is closed.
func (w *watcher) read() {
	defer close(w.ended)
	wakes := make([]byte, 4096)
	for {
		_, err := w.pipe.Read(wakes)
		switch {
		case err == nil:
			w.wake()
		case errors.Is(err, os.ErrClosed):
			return
		case errors.Is(err, io.EOF):
			w.died = w.reason()
			return
		default:
			message := fmt.Sprintf("cannot read the watcher's pipe: %v", err)
			w.died = &Error{Code: CodeWatcher, Message: message, cause: err}
			return
		}
	}
}

// waitByCall does the same on a system without descriptors. It holds one connection and one thread.
func (w *watcher) waitByCall() {
	defer close(w.ended)
	for {
		const query = "SELECT honker_update_watcher_wait(?, 86400000)"
		outcome, err := one[int64](context.Background(), w.db.own, query, w.id)
		if isDone(w.db.closing) {
			return
		}
		if err != nil || outcome < 0 {
			w.died = err
			if err == nil {
				w.died = w.reason()
			}
			return
		}
		w.wake()
	}
}

func (w *watcher) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for each := range w.waits {
		select {
		case each.came <- struct{}{}:
		default: // one is there already
		}
	}
}

// reason describes the death of the watcher.
func (w *watcher) reason() error {
	text, err := one[*string](context.Background(), w.db.own, "SELECT honker_update_watcher_stats(?)", w.id)
	if err != nil {
		return err
	}
	message := "the file was replaced"
	if text != nil {
		stats, err := parsed[struct{ Death *string }](*text, nil)
		if err == nil && stats.Death != nil {
			message = *stats.Death
		}
	}
	return &Error{Code: CodeWatcher, Message: message + "; open the database again"}
}

// close ends the subscription and the goroutine. No wait is left then.
func (w *watcher) close() error {
	var errs []error
	if w.pipe != nil {
		errs = append(errs, w.pipe.Close())
	}
	errs = append(errs, w.unsubscribe())
	<-w.ended
	return errors.Join(errs...)
}

func (w *watcher) unsubscribe() error {
	_, err := one[int64](context.Background(), w.db.own, "SELECT honker_update_watcher_close(?)", w.id)
	return err
}

// wait returns after a commit or the given span. It fails with the error of the context, with [ErrClosed], and with
// [ErrWatcher].
func (n *news) wait(ctx context.Context, longest time.Duration) error {
	timer := time.NewTimer(min(max(longest, 0), fallbackPoll))
	defer timer.Stop()
	select {
	case <-n.came:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-n.watcher.db.closing:
		return closed("the database")
	case <-n.watcher.ended:
		if isDone(n.watcher.db.closing) {
			return closed("the database")
		}
		return n.watcher.died
	}
}

func (n *news) close() {
	n.watcher.mu.Lock()
	defer n.watcher.mu.Unlock()
	delete(n.watcher.waits, n)
}

func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
