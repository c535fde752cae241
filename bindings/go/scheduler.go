package honker

// Scheduler has the schedules of a database, which enqueue a job at each boundary of an expression. They are rows of
// the file and outlive the process. A schedule fires while a scheduler runs, see [Scheduler.Run].
type Scheduler struct{ db *Database }

// Scheduler returns the scheduler of the database. It runs no SQL.
func (db *Database) Scheduler() *Scheduler { return &Scheduler{db} }

// ScheduledTask is a schedule to add.
type ScheduledTask struct {
	// Name is the name of the schedule, Queue the queue of its jobs.
	Name, Queue string
	// Schedule is a cron expression of five or six fields, "@every 90s" with one of s, m, h and d, or "@hourly" and its
	// like.
	Schedule string
	// Cron is another name of Schedule. Give one of them.
	Cron string
	// Payload is the payload of each job.
	Payload any
	// Priority is the priority of its jobs.
	Priority int64
	// ExpiresS is the number of seconds after a boundary from which its job is not claimed any more. nil means never.
	ExpiresS *int64
	// MaxAttempts is the number of attempts of its jobs. 0 means 3.
	MaxAttempts int64
	// TimeZone is an IANA name. "" means the time zone of the process.
	TimeZone string
	// Misfire is the handling of boundaries that passed while no scheduler ran: "catch_up", which is the default,
	// fires each, up to 64 in one tick; "once" fires once; "skip" fires none that is more than a minute late.
	Misfire string
	// Overlap is "queue", which is the default, or "skip" to pass over a boundary while the job of the last one has not
	// ended.
	Overlap string
	// WhenPaused is "enqueue", which is the default, or "skip" to pass over a boundary while the queue is paused.
	WhenPaused string
}

// Add stores a schedule, replacing that of the same name. Add it at each start: an unchanged expression keeps its next
// boundary, so boundaries that passed while no scheduler ran still fire.
func (s *Scheduler) Add(task ScheduledTask) error {
	if task.Schedule == "" {
		task.Schedule = task.Cron
	} else if task.Cron != "" && task.Cron != task.Schedule {
		return invalid("Schedule is %q and Cron is %q; give one of them", task.Schedule, task.Cron)
	}
	if task.MaxAttempts == 0 {
		task.MaxAttempts = defaultMaxAttempts
	}
	payload, err := encode(task.Payload)
	if err != nil {
		return err
	}
	_, err = call[int64](s.db, "SELECT honker_scheduler_register(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		task.Name, task.Queue, task.Schedule, payload, task.Priority, task.ExpiresS, task.MaxAttempts,
		orNull(task.TimeZone), orNull(task.Misfire), orNull(task.Overlap), orNull(task.WhenPaused))
	return err
}

// Remove removes a schedule, and returns true if there was one. Jobs that it has enqueued stay.
func (s *Scheduler) Remove(name string) (bool, error) {
	return call[bool](s.db, "SELECT honker_scheduler_unregister(?)", name)
}

// Pause stops a schedule from firing, and returns true if it was active.
func (s *Scheduler) Pause(name string) (bool, error) {
	return call[bool](s.db, "SELECT honker_scheduler_pause(?)", name)
}

// Resume lets a paused schedule fire again, and returns true if it was paused.
func (s *Scheduler) Resume(name string) (bool, error) {
	return call[bool](s.db, "SELECT honker_scheduler_resume(?)", name)
}

// ScheduledFire is a job that a tick enqueued.
type ScheduledFire struct {
	// Name is the name of the schedule.
	Name  string
	Queue string
	// FireAt is the boundary in Unix seconds.
	FireAt int64
	JobID  int64
}

const tickNow = "SELECT honker_scheduler_tick(honker_clock())"

// Tick enqueues a job for every boundary that has come. Of two ticks at once only one fires a boundary. [Scheduler.Run]
// ticks by itself.
func (s *Scheduler) Tick() ([]ScheduledFire, error) {
	rows, err := parsed[[]struct {
		Name   string  `json:"name"`
		Queue  string  `json:"queue"`
		FireAt float64 `json:"fire_at"`
		JobID  int64   `json:"job_id"`
	}](call[string](s.db, tickNow))
	fires := make([]ScheduledFire, len(rows))
	for i, row := range rows {
		fires[i] = ScheduledFire{row.Name, row.Queue, roundUp(row.FireAt), row.JobID}
	}
	return fires, err
}

// Soonest returns the next boundary of all active schedules in Unix seconds, or 0 without an active schedule.
func (s *Scheduler) Soonest() (int64, error) {
	soonest, err := ask[float64](s.db, "SELECT honker_scheduler_soonest()")
	return roundUp(soonest), err
}

// ScheduleRow is a stored schedule.
type ScheduleRow struct {
	Name, Queue string
	// CronExpr is the expression.
	CronExpr string
	// Payload is JSON text.
	Payload  []byte
	Priority int64
	ExpiresS *int64
	// NextFireAt is the next boundary in Unix seconds.
	NextFireAt int64
	// Enabled is false while the schedule is paused.
	Enabled     bool
	MaxAttempts int64
	// TimeZone is nil for the time zone of the process.
	TimeZone                     *string
	Misfire, Overlap, WhenPaused string
	// LastError is the reason for which the last tick skipped the schedule, or nil.
	LastError *string
	// LastJobID is the job of its last firing, or nil.
	LastJobID *int64
}

// List returns the schedules by name.
func (s *Scheduler) List() ([]ScheduleRow, error) {
	rows, err := parsed[[]scheduleRow](ask[string](s.db, "SELECT honker_scheduler_list()"))
	schedules := make([]ScheduleRow, len(rows))
	for i, row := range rows {
		schedules[i] = ScheduleRow{
			row.Name, row.Queue, row.CronExpr, []byte(row.Payload), row.Priority, rounded(row.ExpiresS, roundUp),
			roundUp(row.NextFireAt), row.Enabled, row.MaxAttempts, row.TimeZone, row.Misfire, row.Overlap,
			row.WhenPaused, row.LastError, row.LastJobID,
		}
	}
	return schedules, err
}

type scheduleRow struct {
	Name        string   `json:"name"`
	Queue       string   `json:"queue"`
	CronExpr    string   `json:"cron_expr"`
	Payload     string   `json:"payload"`
	Priority    int64    `json:"priority"`
	ExpiresS    *float64 `json:"expires_s"`
	NextFireAt  float64  `json:"next_fire_at"`
	Enabled     bool     `json:"enabled"`
	MaxAttempts int64    `json:"max_attempts"`
	TimeZone    *string  `json:"time_zone"`
	Misfire     string   `json:"misfire"`
	Overlap     string   `json:"overlap"`
	WhenPaused  string   `json:"when_paused"`
	LastError   *string  `json:"last_error"`
	LastJobID   *int64   `json:"last_job_id"`
}

// ScheduleUpdate has the changes of a schedule. A nil field leaves its value unchanged.
type ScheduleUpdate struct {
	// CronExpr is the new expression; the next boundary is the first one from now.
	CronExpr *string
	// Payload points to the new payload, which may be nil.
	Payload  *any
	Priority *int64
	// ExpiresS points to the new expiry, where nil removes it.
	ExpiresS    **int64
	MaxAttempts *int64
}

// Update changes a schedule, and returns true if it exists and any field was given.
func (s *Scheduler) Update(name string, changes ScheduleUpdate) (bool, error) {
	var payload, expires any
	if changes.Payload != nil {
		text, err := encode(*changes.Payload)
		if err != nil {
			return false, err
		}
		payload = text
	}
	if changes.ExpiresS != nil {
		expires = *changes.ExpiresS
	}
	return call[bool](s.db, "SELECT honker_scheduler_update(?, ?, ?, ?, ?, ?, ?, ?)", name, changes.CronExpr, payload,
		changes.Priority, expires, changes.ExpiresS != nil, changes.MaxAttempts, changes.MaxAttempts != nil)
}
