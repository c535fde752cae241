package honker

import (
	"log/slog"
	"runtime"
	"sync"
)

type lockKey struct{ name, owner string }

// Lock is a named lock that is held. It ends by Release, when its time is over, or when the value is garbage.
type Lock struct {
	// Name and Owner are those of [Database.TryLock].
	Name, Owner string
	handle      *lockHandle
}

// lockHandle is the part of a Lock that outlives it.
type lockHandle struct {
	db      *Database
	key     lockKey
	release sync.Once
}

// TryLock acquires a named lock for ttl seconds, up to a year, and returns nil if another owner holds it. The holder
// extends the lock by the same call.
func (db *Database) TryLock(name, owner string, ttl int64) (*Lock, error) {
	held, err := call[bool](db, "SELECT honker_lock_acquire(?, ?, ?)", name, owner, ttl)
	if err != nil || !held {
		return nil, err
	}
	made := &Lock{name, owner, &lockHandle{db: db, key: lockKey{name, owner}}}
	db.mu.Lock()
	db.lockHandles[made.handle.key]++
	db.mu.Unlock()
	runtime.AddCleanup(made, releaseLost, made.handle)
	return made, nil
}

// releaseLost does not block the goroutine of the cleanups.
func releaseLost(handle *lockHandle) {
	go func() {
		if err := handle.end(true); err != nil && !isDone(handle.db.closing) {
			slog.Warn("honker: a lost lock is left until it lapses", "lock", handle.key.name, "error", err)
		}
	}()
}

// end releases the lock once; a lost value leaves it to a newer value of the same lock.
func (h *lockHandle) end(isLost bool) (err error) {
	h.release.Do(func() {
		h.db.mu.Lock()
		h.db.lockHandles[h.key]--
		others := h.db.lockHandles[h.key]
		if others == 0 {
			delete(h.db.lockHandles, h.key)
		}
		h.db.mu.Unlock()
		if isLost && others > 0 {
			return
		}
		_, err = call[bool](h.db, "SELECT honker_lock_release(?, ?)", h.key.name, h.key.owner)
	})
	return err
}

// Release releases the lock, if it is still held. Releasing again does nothing.
func (l *Lock) Release() error { return l.handle.end(false) }

// Heartbeat sets the end of the lock to ttl seconds from now. It returns false if the lock has lapsed; another owner
// may hold it then.
func (l *Lock) Heartbeat(ttl int64) (bool, error) {
	return call[bool](l.handle.db, "SELECT honker_lock_renew(?, ?, ?)", l.Name, l.Owner, ttl)
}

// Token returns the fencing token of the lock, which grows with each new holder, or nil if the lock has lapsed.
func (l *Lock) Token() (*int64, error) {
	return ask[*int64](l.handle.db, "SELECT honker_lock_token(?, ?)", l.Name, l.Owner)
}

// TryRateLimit counts one use of a name, and returns false if limit uses were counted in the current window. Windows
// are per seconds long and begin at multiples of that since 1970.
func (db *Database) TryRateLimit(name string, limit, per int64) (bool, error) {
	return call[bool](db, "SELECT honker_rate_limit_try(?, ?, ?)", name, limit, per)
}

// SweepRateLimits deletes the windows that began more than a number of seconds ago, and returns their number.
func (db *Database) SweepRateLimits(olderThanS int64) (int64, error) {
	return call[int64](db, "SELECT honker_rate_limit_sweep(?)", olderThanS)
}
