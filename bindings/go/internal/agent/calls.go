package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"sync"
	"time"

	honker "github.com/russellromney/honker-go"
)

func onDatabase(ctx context.Context, db *honker.Database, call string, args arguments) (any, error) {
	switch call {
	case "close":
		return nil, db.Close()
	case "sql":
		return firstColumn(db, args)
	case "begin":
		tx, err := db.Begin()
		return object{tx, true}, err
	case "queue":
		options := honker.QueueOptions{VisibilityTimeoutS: args.VisibilityTimeoutS, MaxAttempts: args.MaxAttempts}
		return object{db.Queue(args.Name, options), true}, nil
	case "stream":
		return object{db.Stream(args.Name), true}, nil
	case "scheduler":
		return object{db.Scheduler(), true}, nil
	case "outbox":
		return object{newOutbox(db, args), true}, nil
	case "notify":
		if args.tx != nil {
			return db.NotifyTx(args.tx, args.Channel, args.payload())
		}
		return db.Notify(args.Channel, args.payload())
	case "listen":
		listener, err := db.Listener(args.Channel)
		return object{listener, true}, err
	case "try_lock":
		lock, err := db.TryLock(args.Name, args.Owner, args.TTLS)
		return object{lock, lock != nil}, err
	case "try_rate_limit":
		return db.TryRateLimit(args.Name, args.Limit, args.PerS)
	case "save_result":
		return nil, db.SaveResult(args.JobID, args.Value, args.TTLS)
	case "get_result":
		return db.GetResult(args.JobID)
	case "wait_result":
		return waitResult(ctx, db, args)
	}
	return unknown(call)
}

// firstColumn runs a statement on the application's pool, as an application does.
func firstColumn(db *honker.Database, args arguments) (any, error) {
	var rows *sql.Rows
	var err error
	if args.tx != nil {
		rows, err = args.tx.Query(args.SQL)
	} else {
		rows, err = db.Raw().Query(args.SQL)
	}
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return nil, err
	}
	return cell(values[0]), nil
}

func waitResult(ctx context.Context, db *honker.Database, args arguments) (any, error) {
	if args.TimeoutS != nil {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, time.Duration(*args.TimeoutS*float64(time.Second)))
		defer end()
	}
	value, err := db.WaitResult(ctx, args.JobID)
	if errors.Is(err, context.Canceled) {
		return cancelled{}, nil
	}
	return value, err
}

func onTransaction(tx *honker.Transaction, call string, args arguments) (any, error) {
	switch call {
	case "execute":
		_, err := tx.Exec(args.SQL)
		return nil, err
	case "commit":
		return nil, tx.Commit()
	case "rollback":
		return nil, tx.Rollback()
	}
	return unknown(call)
}

func onQueue(ctx context.Context, queue *honker.Queue, call string, args arguments) (any, error) {
	switch call {
	case "enqueue":
		if args.tx != nil {
			return queue.EnqueueTx(args.tx, args.payload(), args.enqueueOptions())
		}
		return queue.Enqueue(args.payload(), args.enqueueOptions())
	case "claim_one":
		job, err := queue.ClaimOne(args.Worker)
		return object{job, shownJob(job)}, err
	case "claim_batch":
		jobs, err := queue.ClaimBatch(args.Worker, args.N)
		shown := make([]any, len(jobs))
		for i, job := range jobs {
			shown[i] = shownJob(job)
		}
		return object{jobs, shown}, err
	case "next_job":
		waker := queue.ClaimWaker()
		defer waker.Close()
		job, err := waker.Next(ctx, args.Worker)
		if job == nil && err == nil {
			return cancelled{}, nil
		}
		return object{job, shownJob(job)}, err
	case "ack_batch":
		return queue.AckBatch(args.IDs, args.Worker)
	case "cancel_job":
		return queue.Cancel(args.ID)
	case "get_job":
		row, err := queue.GetJob(args.ID)
		return shownRow(row), err
	case "sweep_expired":
		return queue.SweepExpired()
	case "work":
		return work(ctx, queue, args.Worker)
	}
	return unknown(call)
}

func work(ctx context.Context, queue *honker.Queue, worker string) (any, error) {
	done := []int64{}
	for job, err := range queue.Jobs(ctx, worker) {
		if err != nil {
			return nil, err
		}
		held, err := job.Ack()
		if err != nil {
			return nil, err
		}
		if held {
			done = append(done, job.ID)
		}
	}
	return cancelled{done}, nil
}

func onJob(job *honker.Job, call string, args arguments) (any, error) {
	switch call {
	case "ack":
		return job.Ack()
	case "retry":
		return job.Retry(args.DelayS, args.Error)
	case "fail":
		return job.Fail(args.Error)
	case "heartbeat":
		return job.Heartbeat(args.ExtendS)
	}
	return unknown(call)
}

// onLock answers a release with the question whether the lock was held, which Release itself does not answer.
func onLock(lock *honker.Lock, call string, args arguments) (any, error) {
	switch call {
	case "release":
		token, err := lock.Token()
		if err != nil {
			return nil, err
		}
		return token != nil, lock.Release()
	case "heartbeat":
		return lock.Heartbeat(args.TTLS)
	}
	return unknown(call)
}

func onStream(stream *honker.Stream, call string, args arguments) (any, error) {
	switch call {
	case "publish":
		return publish(stream, args)
	case "read_since":
		events, err := stream.ReadSince(args.Offset, int(args.Limit))
		return shownEvents(events), err
	case "read_from_consumer":
		events, err := stream.ReadFromConsumer(args.Consumer, int(args.Limit))
		return shownEvents(events), err
	case "save_offset":
		if args.tx != nil {
			return stream.SaveOffsetTx(args.tx, args.Consumer, args.Offset)
		}
		return stream.SaveOffset(args.Consumer, args.Offset)
	case "get_offset":
		return stream.GetOffset(args.Consumer)
	case "subscribe":
		options := honker.SubscribeOptions{SaveEveryN: args.SaveEveryN, SaveEvery: -1}
		made, err := stream.Subscription(args.Consumer, options)
		return object{made, true}, err
	}
	return unknown(call)
}

func publish(stream *honker.Stream, args arguments) (any, error) {
	switch {
	case args.tx != nil && args.Key != nil:
		return stream.PublishWithKeyTx(args.tx, *args.Key, args.payload())
	case args.tx != nil:
		return stream.PublishTx(args.tx, args.payload())
	case args.Key != nil:
		return stream.PublishWithKey(*args.Key, args.payload())
	}
	return stream.Publish(args.payload())
}

func onSubscription(ctx context.Context, subscription *honker.Subscription, call string) (any, error) {
	switch call {
	case "next":
		event, err := subscription.Next(ctx)
		if event == nil {
			return cancelled{}, err
		}
		return shownEvent(*event), nil
	case "close":
		return nil, subscription.Close()
	}
	return unknown(call)
}

func onListener(ctx context.Context, listener *honker.Listener, call string) (any, error) {
	switch call {
	case "next":
		notification, err := listener.Next(ctx)
		if notification == nil {
			return cancelled{}, err
		}
		return shownNotification(notification), nil
	case "close":
		listener.Close()
		return nil, nil
	}
	return unknown(call)
}

func onScheduler(ctx context.Context, scheduler *honker.Scheduler, call string, args arguments) (any, error) {
	switch call {
	case "add":
		return nil, scheduler.Add(scheduledTask(args))
	case "remove":
		return scheduler.Remove(args.Name)
	case "pause":
		return scheduler.Pause(args.Name)
	case "resume":
		return scheduler.Resume(args.Name)
	case "update":
		return scheduler.Update(args.Name, scheduleUpdate(args))
	case "list":
		rows, err := scheduler.List()
		return shownSchedules(rows), err
	case "tick":
		fires, err := scheduler.Tick()
		return len(fires), err
	case "soonest":
		return scheduler.Soonest()
	case "run":
		return cancelled{}, scheduler.Run(ctx, args.Owner)
	}
	return unknown(call)
}

func scheduledTask(args arguments) honker.ScheduledTask {
	task := honker.ScheduledTask{Name: args.Name, Queue: args.Queue, Payload: args.payload(), ExpiresS: args.ExpiresS,
		MaxAttempts: int64(args.MaxAttempts)}
	if args.Schedule != nil {
		task.Schedule = *args.Schedule
	}
	if args.Priority != nil {
		task.Priority = *args.Priority
	}
	return task
}

func scheduleUpdate(args arguments) honker.ScheduleUpdate {
	changes := honker.ScheduleUpdate{CronExpr: args.Schedule, Priority: args.Priority}
	if args.Payload != nil {
		var payload any = *args.Payload
		changes.Payload = &payload
	}
	if args.ExpiresS != nil {
		changes.ExpiresS = &args.ExpiresS
	}
	if args.MaxAttempts != 0 {
		attempts := int64(args.MaxAttempts)
		changes.MaxAttempts = &attempts
	}
	return changes
}

// outbox keeps the payloads that it delivers.
type outbox struct {
	made      *honker.Outbox
	mu        sync.Mutex
	delivered []json.RawMessage
}

func newOutbox(db *honker.Database, args arguments) *outbox {
	options := honker.OutboxOptions{MaxAttempts: args.MaxAttempts}
	if args.BaseBackoffS != nil {
		if options.BaseBackoffS = *args.BaseBackoffS; options.BaseBackoffS == 0 {
			options.BaseBackoffS = -1
		}
	}
	kept := &outbox{delivered: []json.RawMessage{}}
	kept.made = db.Outbox(args.Name, kept.deliver, options)
	return kept
}

func (o *outbox) deliver(_ context.Context, payload json.RawMessage) error {
	var asked struct{ Refuse bool }
	if json.Unmarshal(payload, &asked) == nil && asked.Refuse {
		return errors.New("refused")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.delivered = append(o.delivered, payload)
	return nil
}

func onOutbox(ctx context.Context, outbox *outbox, call string, args arguments) (any, error) {
	switch call {
	case "enqueue":
		if args.tx != nil {
			return outbox.made.EnqueueTx(args.tx, args.payload(), args.enqueueOptions())
		}
		return outbox.made.Enqueue(args.payload(), args.enqueueOptions())
	case "run":
		return cancelled{}, outbox.made.RunWorker(ctx, args.Worker)
	case "delivered":
		outbox.mu.Lock()
		defer outbox.mu.Unlock()
		return append([]json.RawMessage{}, outbox.delivered...), nil
	}
	return unknown(call)
}
