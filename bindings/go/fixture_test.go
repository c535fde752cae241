package honker_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	honker "github.com/russellromney/honker-go"
)

const patience = 20 * time.Second

// open opens a new file, which is closed when the test ends.
func open(t *testing.T) *honker.Database {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "app.db"))
}

func openFile(t *testing.T, path string) *honker.Database {
	t.Helper()
	db, err := honker.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// must returns the value of a call that succeeds.
func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func fails(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got the error %v, want %v", err, want)
	}
}

// waitUntil fails the test if the condition does not become true.
func waitUntil(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it takes too long until %s", what)
		}
	}
}

// receive fails the test if nothing comes.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value, isOpen := <-from:
		if !isOpen {
			t.Fatal("the channel is closed")
		}
		return value
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	panic("unreachable")
}

// stopClock makes the file one whose clock the test moves. Call it before the first job.
func stopClock(t *testing.T, db *honker.Database) (advance func(seconds int)) {
	t.Helper()
	move := func(seconds int) {
		t.Helper()
		_, err := db.Raw().Exec("SELECT honker_test_clock_advance(?)", seconds)
		ok(t, err)
	}
	_, err := db.Raw().Exec("SELECT honker_test_clock_stop(1000000000)")
	ok(t, err)
	return move
}

// count returns the first column of the first row.
func count(t *testing.T, db *honker.Database, query string, args ...any) int {
	t.Helper()
	var number int
	ok(t, db.Raw().QueryRow(query, args...).Scan(&number))
	return number
}

// within returns a context that ends the test's waits.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

type claimed struct {
	job *honker.Job
	err error
}

// claimInBackground waits for a job, and returns when it waits.
func claimInBackground(ctx context.Context, waker *honker.ClaimWaker) <-chan claimed {
	done := make(chan claimed, 1)
	go func() {
		job, err := waker.Next(ctx, "w")
		done <- claimed{job, err}
	}()
	return done
}
