package honker

import (
	"encoding/json"
	"fmt"
	"time"
)

// Job is a claimed job. Settle it by one of Ack, Retry, Fail, Snooze and Release.
//
// Settling returns true if the claim was held. With false nothing happened: the lease has expired, or the job was
// cancelled, and another worker may have it.
type Job struct {
	ID    int64
	Queue string
	// Payload is the JSON text as it was enqueued.
	Payload  []byte
	WorkerID string
	// Attempts is the number of this attempt, from 1.
	Attempts    int64
	MaxAttempts int64
	Priority    int64
	// ClaimExpiresAt is the end of the lease at the claim; Heartbeat does not change it.
	ClaimExpiresAt time.Time
	// LastError is the error of the last Retry, or "".
	LastError string
	queue     *Queue
}

type claimedRow struct {
	ID             int64   `json:"id"`
	Queue          string  `json:"queue"`
	Payload        string  `json:"payload"`
	WorkerID       string  `json:"worker_id"`
	Attempts       int64   `json:"attempts"`
	MaxAttempts    int64   `json:"max_attempts"`
	Priority       int64   `json:"priority"`
	ClaimExpiresAt float64 `json:"claim_expires_at"`
	LastError      string  `json:"last_error"`
}

func (r claimedRow) job(queue *Queue) *Job {
	return &Job{
		ID: r.ID, Queue: r.Queue, Payload: []byte(r.Payload), WorkerID: r.WorkerID, Attempts: r.Attempts,
		MaxAttempts: r.MaxAttempts, Priority: r.Priority, ClaimExpiresAt: instantOf(r.ClaimExpiresAt),
		LastError: r.LastError, queue: queue,
	}
}

// UnmarshalPayload decodes the payload.
func (j *Job) UnmarshalPayload(dst any) error { return unmarshalPayload(j.Payload, dst) }

func unmarshalPayload(payload []byte, dst any) error {
	if err := json.Unmarshal(payload, dst); err != nil {
		return fmt.Errorf("honker: the payload does not decode into %T: %w", dst, err)
	}
	return nil
}

// settle runs a function of the job's claim. Every call names the attempt, so that a stale handler cannot end a later
// claim of the same worker.
func (j *Job) settle(function string, args ...any) (bool, error) {
	return call[bool](j.queue.db, "SELECT "+function, append([]any{j.ID, j.WorkerID}, args...)...)
}

// Ack acknowledges the job as done and deletes it.
func (j *Job) Ack() (bool, error) { return j.settle("honker_ack(?, ?, ?)", j.Attempts) }

// AckTx acknowledges the job if and only if the transaction commits.
func (j *Job) AckTx(tx Tx) (bool, error) {
	return callIn[bool](j.queue.db, tx, "honker_ack(?, ?, ?)", j.ID, j.WorkerID, j.Attempts)
}

// Retry makes the job wait again for at least delaySec seconds, and keeps the message. After the last attempt the job
// is dead-lettered instead.
func (j *Job) Retry(delaySec int64, message string) (bool, error) {
	return j.settle("honker_retry(?, ?, ?, ?, ?)", delaySec, message, j.Attempts)
}

// Fail dead-letters the job with the message, even if it has attempts left.
func (j *Job) Fail(message string) (bool, error) {
	return j.settle("honker_fail(?, ?, ?, ?)", message, j.Attempts)
}

// Heartbeat sets the end of the lease to sec seconds from now.
func (j *Job) Heartbeat(sec int64) (bool, error) {
	return j.settle("honker_heartbeat(?, ?, ?, ?)", sec, j.Attempts)
}

// Snooze puts the job off for at least delaySec seconds, without a charge for the attempt.
func (j *Job) Snooze(delaySec int64) (bool, error) {
	return j.settle("honker_snooze(?, ?, ?, ?)", delaySec, j.Attempts)
}

// Release gives the job back without a charge. It waits at its old place.
func (j *Job) Release() (bool, error) { return j.settle("honker_release(?, ?, ?)", j.Attempts) }

// releaseInside is Release for a call that has entered, also while the database closes.
func (j *Job) releaseInside() error {
	_, err := callInside[bool](j.queue.db, "SELECT honker_release(?, ?, ?)", j.ID, j.WorkerID, j.Attempts)
	return err
}
