package honker

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// maxBackoffS is the longest pause between two deliveries: an hour after the other system is back, all are under way.
const maxBackoffS = 3600

// Delivery delivers a payload to another system. nil means that it is delivered; an error is retried. Its context ends
// with that of the worker, and when the lease is lost.
type Delivery func(ctx context.Context, payload json.RawMessage) error

// OutboxOptions are the options of [Database.Outbox]. Zeros mean the defaults.
type OutboxOptions struct {
	// VisibilityTimeoutS is the length of a lease in seconds. 0 means 60. It is renewed while a delivery runs.
	VisibilityTimeoutS int
	// MaxAttempts is the number of attempts before a payload is a dead letter. 0 means 5.
	MaxAttempts int
	// BaseBackoffS is the number of seconds before the second attempt. 0 means 5, less than 0 means no pause.
	BaseBackoffS int
}

// Outbox delivers payloads to other systems, each at least once, and retries failed deliveries.
//
// A failed delivery is retried after the base backoff, then after twice as long each time, up to an hour. Up to a tenth
// is added, so that deliveries which failed together are spread. Return a [RetryError] to choose the delay.
type Outbox struct {
	// Name is the name of the outbox.
	Name string
	// Queue has the payloads as jobs. Its name is "_outbox:" and the name of the outbox.
	Queue        *Queue
	deliver      Delivery
	baseBackoffS int64
}

// Outbox returns an outbox. It runs no SQL.
func (db *Database) Outbox(
	name string, deliver func(context.Context, json.RawMessage) error, options OutboxOptions,
) *Outbox {
	queue := QueueOptions{VisibilityTimeoutS: 60, MaxAttempts: 5}
	if options.VisibilityTimeoutS != 0 {
		queue.VisibilityTimeoutS = options.VisibilityTimeoutS
	}
	if options.MaxAttempts != 0 {
		queue.MaxAttempts = options.MaxAttempts
	}
	made := &Outbox{Name: name, Queue: db.Queue("_outbox:"+name, queue), deliver: deliver, baseBackoffS: 5}
	if options.BaseBackoffS != 0 {
		made.baseBackoffS = int64(max(options.BaseBackoffS, 0))
	}
	return made
}

// Enqueue records a payload to deliver; see [Queue.Enqueue].
func (o *Outbox) Enqueue(payload any, options EnqueueOptions) (int64, error) {
	return o.Queue.Enqueue(payload, options)
}

// EnqueueTx records a payload that is delivered if and only if the transaction commits.
func (o *Outbox) EnqueueTx(tx Tx, payload any, options EnqueueOptions) (int64, error) {
	return o.Queue.EnqueueTx(tx, payload, options)
}

// RunWorker delivers payloads one after the other until the context ends, then returns nil. See [Queue.Work].
func (o *Outbox) RunWorker(ctx context.Context, worker string) error {
	if o.deliver == nil {
		return invalid("the delivery of outbox %q is nil", o.Name)
	}
	return o.Queue.work(ctx, worker, o.handle, o.backoffS)
}

func (o *Outbox) handle(ctx context.Context, job *Job) error {
	if !json.Valid(job.Payload) {
		_, err := job.Fail(fmt.Sprintf("the payload of job %d is not JSON", job.ID))
		return err
	}
	return o.deliver(ctx, job.Payload)
}

func (o *Outbox) backoffS(attempt int64) int64 {
	longest := max(maxBackoffS, o.baseBackoffS)
	delay := min(o.baseBackoffS<<min(attempt-1, 20), longest)
	if tenth := delay / 10; tenth > 0 {
		delay += rand.Int64N(tenth + 1)
	}
	return delay
}
