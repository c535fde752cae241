package honker_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	honker "github.com/russellromney/honker-go"
)

func inBackground(do func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	return done
}

func isClosed(err error) bool { return errors.Is(err, honker.ErrClosed) }

func TestAScheduleFiresItsBoundaries(t *testing.T) {
	db := open(t)
	advance := stopClock(t, db)
	s := db.Scheduler()
	ok(t, s.Add(honker.ScheduledTask{Name: "nightly", Queue: "q", Schedule: "0 3 * * *", TimeZone: "UTC",
		Payload: map[string]string{"job": "clean"}, ExpiresS: honker.Seconds(time.Hour)}))
	equal(t, must(s.Soonest())(t), 1000004400)
	equal(t, len(must(s.Tick())(t)), 0)
	advance(86400)
	fires := must(s.Tick())(t)
	equal(t, fires[0], honker.ScheduledFire{Name: "nightly", Queue: "q", FireAt: 1000004400, JobID: 1})
	rows := must(s.List())(t)
	equal(t, rows[0].CronExpr, "0 3 * * *")
	equal(t, *rows[0].TimeZone, "UTC")
	equal(t, *rows[0].ExpiresS, 3600)
	equal(t, rows[0].MaxAttempts, 3)
	equal(t, string(rows[0].Payload), `{"job":"clean"}`)
	equal(t, *rows[0].LastJobID, 1)
}

func TestAScheduleIsPausedChangedAndRemoved(t *testing.T) {
	s := open(t).Scheduler()
	ok(t, s.Add(honker.ScheduledTask{Name: "a", Queue: "q", Cron: "@hourly", ExpiresS: honker.Seconds(time.Minute)}))
	equal(t, must(s.Pause("a"))(t), true)
	equal(t, must(s.Pause("a"))(t), false)
	equal(t, must(s.List())(t)[0].Enabled, false)
	equal(t, must(s.Resume("a"))(t), true)
	expression, payload, attempts := "@every 90s", any(nil), int64(9)
	var never *int64
	equal(t, must(s.Update("a", honker.ScheduleUpdate{
		CronExpr: &expression, Payload: &payload, ExpiresS: &never, MaxAttempts: &attempts}))(t), true)
	row := must(s.List())(t)[0]
	equal(t, row.CronExpr, expression)
	equal(t, row.ExpiresS, nil)
	equal(t, row.MaxAttempts, 9)
	equal(t, must(s.Update("a", honker.ScheduleUpdate{}))(t), false)
	equal(t, must(s.Remove("a"))(t), true)
	equal(t, must(s.Remove("a"))(t), false)
	equal(t, must(s.Soonest())(t), 0)
}

func TestABadScheduleIsRefused(t *testing.T) {
	s := open(t).Scheduler()
	fails(t, s.Add(honker.ScheduledTask{Name: "a", Queue: "q", Schedule: "61 * * * *"}), honker.ErrInvalidArgument)
	fails(t, s.Add(honker.ScheduledTask{Name: "a", Queue: "q"}), honker.ErrInvalidArgument)
	fails(t, s.Add(honker.ScheduledTask{Name: "a", Queue: "q", Schedule: "@daily", Cron: "@hourly"}),
		honker.ErrInvalidArgument)
}

func TestARunningSchedulerFiresAndAStandbyTakesOver(t *testing.T) {
	t.Parallel()
	db := open(t)
	q, s := db.Queue("q", honker.QueueOptions{}), db.Scheduler()
	first, stop := context.WithCancel(context.Background())
	one := inBackground(func() error { return s.Run(first, "one") })
	waitUntil(t, "the first leads", func() bool {
		return count(t, db, "SELECT honker_lock_token('honker-scheduler', 'one') IS NOT NULL") == 1
	})
	second, stopSecond := context.WithCancel(context.Background())
	two := inBackground(func() error { return s.Run(second, "two") })
	ok(t, s.Add(honker.ScheduledTask{Name: "often", Queue: "q", Schedule: "@every 1s", Payload: "fired"}))
	job := must(q.ClaimWaker().Next(within(t), "w"))(t)
	equal(t, string(job.Payload), `"fired"`)
	stop()
	ok(t, receive(t, one))
	waitUntil(t, "the second leads", func() bool {
		return count(t, db, "SELECT honker_lock_token('honker-scheduler', 'two') IS NOT NULL") == 1
	})
	must(q.ClaimWaker().Next(within(t), "w"))(t)
	stopSecond()
	ok(t, receive(t, two))
	equal(t, count(t, db, "SELECT honker_lock_expires_at('honker-scheduler') IS NULL"), 1)
}

func TestALeaderThatLostItsLockFiresNothingAndStandsBy(t *testing.T) {
	t.Parallel()
	db := open(t)
	s := db.Scheduler()
	ctx, stop := context.WithCancel(context.Background())
	done := inBackground(func() error { return s.Run(ctx, "one") })
	waitUntil(t, "it leads", func() bool {
		return count(t, db, "SELECT honker_lock_token('honker-scheduler', 'one') IS NOT NULL") == 1
	})
	must(db.Raw().Exec("BEGIN IMMEDIATE; SELECT honker_lock_release('honker-scheduler', 'one'); " +
		"SELECT honker_lock_acquire('honker-scheduler', 'thief', 60); COMMIT"))(t)
	ok(t, s.Add(honker.ScheduledTask{Name: "often", Queue: "q", Schedule: "@every 1s"}))
	waitUntil(t, "a boundary has passed", func() bool {
		return count(t, db, "SELECT honker_clock() > honker_scheduler_soonest() + 0.3") == 1
	})
	equal(t, count(t, db, "SELECT count(*) FROM _honker_live"), 0)
	must(db.Raw().Exec("SELECT honker_lock_release('honker-scheduler', 'thief')"))(t)
	waitUntil(t, "it leads again and fires", func() bool {
		return count(t, db, "SELECT count(*) FROM _honker_live") > 0
	})
	stop()
	ok(t, receive(t, done))
}

func TestALockHasOneOwner(t *testing.T) {
	db := open(t)
	advance := stopClock(t, db)
	held := must(db.TryLock("l", "a", 10))(t)
	equal(t, must(db.TryLock("l", "b", 10))(t), nil)
	equal(t, must(held.Heartbeat(20))(t), true)
	advance(21)
	equal(t, must(held.Heartbeat(20))(t), false)
	equal(t, must(held.Token())(t), nil)
	next := must(db.TryLock("l", "b", 10))(t)
	ok(t, held.Release())
	ok(t, held.Release())
	equal(t, must(next.Heartbeat(10))(t), true)
	ok(t, next.Release())
	must(db.TryLock("l", "c", 10))(t)
}

func TestALostLockIsReleased(t *testing.T) {
	db := open(t)
	must(db.TryLock("l", "a", 600))(t)
	waitUntil(t, "the lock is released", func() bool {
		runtime.GC()
		lock := must(db.TryLock("l", "b", 600))(t)
		return lock != nil
	})
}

func TestALostLockValueDoesNotReleaseANewerOne(t *testing.T) {
	db := open(t)
	must(db.TryLock("l", "a", 600))(t)
	kept := must(db.TryLock("l", "a", 600))(t)
	must(db.TryLock("another", "a", 600))(t)
	waitUntil(t, "lost locks are released", func() bool {
		runtime.GC()
		return must(db.TryLock("another", "b", 600))(t) != nil
	})
	equal(t, must(db.TryLock("l", "b", 600))(t), nil)
	ok(t, kept.Release())
}

func TestARateLimitLetsSoManyPass(t *testing.T) {
	db := open(t)
	advance := stopClock(t, db)
	for _, passes := range []bool{true, true, false} {
		equal(t, must(db.TryRateLimit("r", 2, 60))(t), passes)
	}
	advance(60)
	equal(t, must(db.TryRateLimit("r", 2, 60))(t), true)
	must(db.SweepRateLimits(0))(t)
	_, err := db.TryRateLimit("r", 0, 60)
	fails(t, err, honker.ErrInvalidArgument)
}
