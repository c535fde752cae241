package honker

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// The way of systems whose watcher has no descriptor.
func TestAWaitByCallIsWokenAndClosed(t *testing.T) {
	hasDescriptor = false
	defer func() { hasDescriptor = true }()
	db, err := Open(filepath.Join(t.TempDir(), "app.db"), "")
	if err != nil {
		t.Fatal(err)
	}
	q := db.Queue("q", QueueOptions{})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	waker := q.ClaimWaker()
	next := func() chan error {
		done := make(chan error, 1)
		go func() {
			_, err := waker.Next(ctx, "w")
			done <- err
		}()
		select {
		case err := <-done:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		return done
	}
	done := next()
	db.mu.Lock()
	hasPipe := db.watcher.pipe != nil
	db.mu.Unlock()
	if hasPipe {
		t.Fatal("there is a descriptor")
	}
	began := time.Now()
	if _, err := q.Enqueue(1, EnqueueOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || time.Since(began) > fallbackPoll/2 {
		t.Fatalf("woken after %s with %v", time.Since(began), err)
	}
	done = next()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !ErrClosed.Is(err) {
		t.Fatalf("got %v", err)
	}
}

func TestThePipeIsReadUnderThePoller(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "app.db"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	news, err := db.subscribe()
	if err != nil {
		t.Fatal(err)
	}
	defer news.close()
	// A file that the poller does not wait for has no deadlines.
	if err := db.watcher.pipe.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}
