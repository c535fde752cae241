package honker

// Pause stops claims from this queue until Resume, and returns true if it was running.
func (q *Queue) Pause() (bool, error) {
	return call[bool](q.db, "SELECT honker_queue_pause(?)", q.name)
}

// Resume allows claims again, and returns true if the queue was paused.
func (q *Queue) Resume() (bool, error) {
	return call[bool](q.db, "SELECT honker_queue_resume(?)", q.name)
}

// Configure changes settings of the queue, which are rows of the file: every process obeys them. The keys are those of
// the SQL function honker_queue_configure, such as "concurrency", "concurrency_per_key" and "rate"; nil removes a
// setting.
func (q *Queue) Configure(settings map[string]any) error {
	text, err := encode(settings)
	if err != nil {
		return err
	}
	_, err = call[string](q.db, "SELECT honker_queue_configure(?, ?)", q.name, text)
	return err
}

// Settings returns the settings of the queue by their names in the SQL function honker_queue_settings. nil means no limit.
func (q *Queue) Settings() (map[string]any, error) {
	return parsed[map[string]any](ask[string](q.db, "SELECT honker_queue_settings(?)", q.name))
}

// QueueStats has counts of the jobs of a queue, all of one moment. Each stops at 10,000, see IsExact.
type QueueStats struct {
	// Ready counts jobs that are due.
	Ready int64 `json:"ready"`
	// Delayed counts jobs that are not due yet.
	Delayed int64 `json:"delayed"`
	// Processing counts jobs that are leased.
	Processing int64 `json:"processing"`
	// Lapsed counts leased jobs whose lease has expired.
	Lapsed int64 `json:"lapsed"`
	// Blocked counts jobs that wait for others of their key.
	Blocked int64 `json:"blocked"`
	// Waiting counts jobs that wait for the jobs after which they run.
	Waiting int64 `json:"waiting"`
	// Dead counts dead letters.
	Dead int64 `json:"dead"`
	// IsExact is false if a count stopped and is a lower bound.
	IsExact bool `json:"-"`
	// OldestReadyAgeS is the age in seconds of the job that has been due for longest, or nil.
	OldestReadyAgeS *float64 `json:"oldest_ready_age_s"`
	// NextDueAt is the Unix time at which the first delayed job becomes due, or nil.
	NextDueAt *float64 `json:"next_due_at"`
	// PausedAt is the Unix time of the pause, or nil if the queue runs.
	PausedAt *float64 `json:"paused_at"`
}

type exactCounts struct {
	Ready      bool `json:"ready_is_exact"`
	Delayed    bool `json:"delayed_is_exact"`
	Processing bool `json:"processing_is_exact"`
	Lapsed     bool `json:"lapsed_is_exact"`
	Blocked    bool `json:"blocked_is_exact"`
	Waiting    bool `json:"waiting_is_exact"`
	Dead       bool `json:"dead_is_exact"`
}

// Stats counts the jobs of the queue by state.
func (q *Queue) Stats() (*QueueStats, error) {
	text, err := ask[string](q.db, "SELECT honker_queue_stats(?)", q.name)
	stats, err := parsed[QueueStats](text, err)
	if err != nil {
		return nil, err
	}
	exact, err := parsed[exactCounts](text, err)
	stats.IsExact = exact == exactCounts{true, true, true, true, true, true, true}
	return &stats, err
}
