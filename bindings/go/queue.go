package honker

import (
	"encoding/json"
	"strings"
	"time"
)

const (
	defaultVisibilityTimeoutS = 300
	defaultMaxAttempts        = 3
)

// QueueOptions are the options of [Database.Queue]. Zeros mean the defaults.
type QueueOptions struct {
	// VisibilityTimeoutS is the length of a lease in seconds, up to a year. 0 means 300.
	VisibilityTimeoutS int
	// MaxAttempts is the number of claims before a job is dead-lettered, up to 1,000,000. 0 means 3.
	MaxAttempts int
}

// EnqueueOptions are the options of a job. The zero value makes a job that is due now and never expires. [Seconds] and
// [At] make the spans and instants.
type EnqueueOptions struct {
	// Delay is the earliest claim, in seconds from now. It overrides RunAt.
	Delay *int64
	// RunAt is the earliest claim, in Unix seconds. It may be in the past.
	RunAt *int64
	// Priority lets a job with a larger one go first. It is within 2^53.
	Priority int64
	// Expires is the number of seconds from now after which the job is dead-lettered instead of claimed.
	Expires *int64
	// Key names the jobs that share the limits per key of the queue, see [Queue.Configure].
	Key string
	// UniqueKey lets one job of this key exist in the queue. The id of the existing job is returned for another one.
	UniqueKey string
	// OnConflict is the handling of a job with the same UniqueKey: "existing", which is the default, "replace",
	// "rerun", or "raise" for an [ErrUniqueKeyTaken].
	OnConflict string
	// UniqueUntil is the end of the hold of UniqueKey: "finished", which is the default, or "started".
	UniqueUntil string
	// UniqueForS is the number of seconds for which UniqueKey stays taken after the job has succeeded.
	UniqueForS *int64
	// DebounceS is the number of seconds after the last enqueue of UniqueKey at which the job starts. The latest payload
	// wins.
	DebounceS *int64
	// DebounceMaxS is the largest number of seconds after the first enqueue of UniqueKey at which the job starts.
	DebounceMaxS *int64
	// MaxAttempts is the number of claims before the job is dead-lettered. 0 means that of the queue.
	MaxAttempts int64
	// After has the ids of jobs that must have ended before the job runs.
	After []int64
	// OnParentFailure says what the failure of a job in After does: "cancel", which is the default, "run" or "wait".
	OnParentFailure string
}

// Queue is a queue by name. The first job creates it.
type Queue struct {
	db                 *Database
	name               string
	visibilityTimeoutS int64
	maxAttempts        int64
}

// Queue returns a queue. It runs no SQL: a name or an option outside its range is an [ErrInvalidArgument] of the calls.
func (db *Database) Queue(name string, options QueueOptions) *Queue {
	made := &Queue{db, name, defaultVisibilityTimeoutS, defaultMaxAttempts}
	if options.VisibilityTimeoutS != 0 {
		made.visibilityTimeoutS = int64(options.VisibilityTimeoutS)
	}
	if options.MaxAttempts != 0 {
		made.maxAttempts = int64(options.MaxAttempts)
	}
	return made
}

// Name returns the name of the queue.
func (q *Queue) Name() string { return q.name }

// Enqueue adds a job, and returns its id.
//
// The payload is any value that encoding/json encodes, or a [json.RawMessage]. One without a JSON form and an option
// outside its range are an [ErrInvalidArgument].
func (q *Queue) Enqueue(payload any, options EnqueueOptions) (int64, error) {
	function, args, err := q.enqueueCall(payload, options)
	if err != nil {
		return 0, err
	}
	return call[int64](q.db, "SELECT "+function, args...)
}

// EnqueueTx adds a job that exists if and only if the transaction commits.
func (q *Queue) EnqueueTx(tx Tx, payload any, options EnqueueOptions) (int64, error) {
	function, args, err := q.enqueueCall(payload, options)
	if err != nil {
		return 0, err
	}
	return callIn[int64](q.db, tx, function, args...)
}

func (q *Queue) enqueueCall(payload any, options EnqueueOptions) (string, []any, error) {
	text, err := encode(payload)
	if err != nil {
		return "", nil, err
	}
	if options.MaxAttempts == 0 {
		options.MaxAttempts = q.maxAttempts
	}
	flow := options.flow()
	if len(flow) == 0 {
		return "honker_enqueue(?, ?, ?, ?, ?, ?, ?)", []any{
			q.name, text, options.RunAt, options.Delay, options.Priority, options.MaxAttempts, options.Expires}, nil
	}
	flow["run_at"], flow["delay"], flow["expires"] = options.RunAt, options.Delay, options.Expires
	flow["priority"], flow["max_attempts"] = options.Priority, options.MaxAttempts
	related, err := json.Marshal(flow)
	return "honker_enqueue(?, ?, ?)", []any{q.name, text, string(related)}, err
}

// flow has the options that relate the job to others, as the function takes them. Zeros are not given.
func (o EnqueueOptions) flow() map[string]any {
	given := map[string]any{}
	texts := map[string]string{"key": o.Key, "unique_key": o.UniqueKey, "on_conflict": o.OnConflict,
		"unique_until": o.UniqueUntil, "on_parent_failure": o.OnParentFailure}
	for name, text := range texts {
		if text != "" {
			given[name] = text
		}
	}
	spans := map[string]*int64{"unique_for_s": o.UniqueForS, "debounce_s": o.DebounceS, "debounce_max_s": o.DebounceMaxS}
	for name, span := range spans {
		if span != nil {
			given[name] = *span
		}
	}
	if o.After != nil {
		given["after"] = o.After
	}
	return given
}

// EnqueueMany adds a job for each payload, all or none, and returns their ids in order. Each has the options.
func (q *Queue) EnqueueMany(payloads []any, options EnqueueOptions) ([]int64, error) {
	function, args, err := q.enqueueManyCall(payloads, options)
	if err != nil {
		return nil, err
	}
	return parsed[[]int64](call[string](q.db, "SELECT "+function, args...))
}

// EnqueueManyTx adds jobs that exist if and only if the transaction commits.
func (q *Queue) EnqueueManyTx(tx Tx, payloads []any, options EnqueueOptions) ([]int64, error) {
	function, args, err := q.enqueueManyCall(payloads, options)
	if err != nil {
		return nil, err
	}
	return parsed[[]int64](callIn[string](q.db, tx, function, args...))
}

func (q *Queue) enqueueManyCall(payloads []any, options EnqueueOptions) (string, []any, error) {
	texts := make([]string, len(payloads))
	for i, payload := range payloads {
		text, err := encode(payload)
		if err != nil {
			return "", nil, err
		}
		texts[i] = text
	}
	flow, err := json.Marshal(options.flow())
	attempts := options.MaxAttempts
	if attempts == 0 {
		attempts = q.maxAttempts
	}
	return "honker_enqueue_many(?, ?, ?, ?, ?, ?, ?, ?)", []any{q.name, "[" + strings.Join(texts, ",") + "]",
		options.RunAt, options.Delay, options.Priority, attempts, options.Expires, string(flow)}, err
}

// ClaimOne leases the first due job to a worker, or returns nil if no job is due. It does not wait; see
// [Queue.ClaimWaker].
//
// A job whose lease expires before it is settled runs again, so handlers must tolerate repeats.
func (q *Queue) ClaimOne(worker string) (*Job, error) {
	jobs, err := q.ClaimBatch(worker, 1)
	if len(jobs) == 0 {
		return nil, err
	}
	return jobs[0], nil
}

// ClaimBatch leases up to n due jobs to a worker: highest priority first, then the earliest start, then the lowest id.
// n is 0 to 10,000. Payloads of one batch are 64 MiB at most together.
func (q *Queue) ClaimBatch(worker string, n int) ([]*Job, error) {
	leave, err := q.db.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return q.claimInside(worker, n)
}

func (q *Queue) claimInside(worker string, n int) ([]*Job, error) {
	const query = "SELECT honker_claim_batch(?, ?, ?, ?, 1)"
	rows, err := parsed[[]claimedRow](callInside[string](q.db, query, q.name, worker, n, q.visibilityTimeoutS))
	jobs := make([]*Job, len(rows))
	for i, row := range rows {
		jobs[i] = row.job(q)
	}
	return jobs, err
}

// untilClaim returns the span after which a claim could find a job without a commit.
func (q *Queue) untilClaim() (time.Duration, error) {
	const query = "SELECT nullif(honker_queue_next_claim_at(?), 0) - honker_clock()"
	seconds, err := ask[*float64](q.db, query, q.name)
	if err != nil || seconds == nil {
		return fallbackPoll, err
	}
	return time.Duration(max(0, min(*seconds, fallbackPoll.Seconds())) * float64(time.Second)), nil
}

// AckBatch acknowledges several jobs of a worker, and returns the number of those whose claims were held.
func (q *Queue) AckBatch(ids []int64, worker string) (int64, error) {
	if ids == nil {
		ids = []int64{}
	}
	text, err := json.Marshal(ids)
	if err != nil {
		return 0, invalid("ids: %v", err)
	}
	return call[int64](q.db, "SELECT honker_ack_batch(?, ?)", string(text), worker)
}

// Cancel removes a job of this queue that waits or is leased, and returns true if there was one. A handler that runs is
// not interrupted; its Ack returns false.
func (q *Queue) Cancel(id int64) (bool, error) {
	return call[bool](q.db, "SELECT honker_cancel(?, ?)", id, q.name)
}

// Requeue makes a dead letter of this queue wait again, with all its attempts, and returns true if there was one.
func (q *Queue) Requeue(id int64) (bool, error) {
	return call[bool](q.db, "SELECT honker_requeue(?, ?)", id, q.name)
}

// SweepExpired dead-letters every expired job, and returns their number. Claims do the same for jobs that they meet.
func (q *Queue) SweepExpired() (int64, error) {
	return call[int64](q.db, "SELECT honker_sweep_expired(?)", q.name)
}

// JobRow is a job that waits or is leased. Instants are Unix seconds.
type JobRow struct {
	ID      int64
	Queue   string
	Payload []byte
	// State is "pending", "processing", "blocked" or "waiting".
	State    string
	Priority int64
	// RunAt is the earliest claim, rounded up.
	RunAt          int64
	WorkerID       *string
	ClaimExpiresAt *int64
	// Attempts is the number of claims so far.
	Attempts    int64
	MaxAttempts int64
	CreatedAt   int64
	ExpiresAt   *int64
}

// UnmarshalPayload decodes the payload.
func (j *JobRow) UnmarshalPayload(dst any) error { return unmarshalPayload(j.Payload, dst) }

// GetJob returns a job of this queue that waits or is leased, or nil.
func (q *Queue) GetJob(id int64) (*JobRow, error) {
	text, err := ask[string](q.db, "SELECT honker_get_job(?, ?)", id, q.name)
	if text == "" {
		return nil, err
	}
	row, err := parsed[jobRow](text, err)
	if err != nil {
		return nil, err
	}
	return &JobRow{
		ID: row.ID, Queue: row.Queue, Payload: []byte(row.Payload), State: row.State, Priority: row.Priority,
		RunAt: roundUp(row.RunAt), WorkerID: row.WorkerID, ClaimExpiresAt: rounded(row.ClaimExpiresAt, roundDown),
		Attempts: row.Attempts, MaxAttempts: row.MaxAttempts, CreatedAt: roundDown(row.CreatedAt),
		ExpiresAt: rounded(row.ExpiresAt, roundUp),
	}, nil
}

type jobRow struct {
	ID             int64    `json:"id"`
	Queue          string   `json:"queue"`
	Payload        string   `json:"payload"`
	State          string   `json:"state"`
	Priority       int64    `json:"priority"`
	RunAt          float64  `json:"run_at"`
	WorkerID       *string  `json:"worker_id"`
	ClaimExpiresAt *float64 `json:"claim_expires_at"`
	Attempts       int64    `json:"attempts"`
	MaxAttempts    int64    `json:"max_attempts"`
	CreatedAt      float64  `json:"created_at"`
	ExpiresAt      *float64 `json:"expires_at"`
}
