package main

import (
	"encoding/hex"
	"encoding/json"

	honker "github.com/russellromney/honker-go"
)

// arguments are those of all calls. A pointer is nil if the argument is missing.
type arguments struct {
	Path               string           `json:"path"`
	CallID             int64            `json:"call"`
	SQL                string           `json:"sql"`
	Tx                 string           `json:"tx"`
	Name               string           `json:"name"`
	Queue              string           `json:"queue"`
	Channel            string           `json:"channel"`
	Owner              string           `json:"owner"`
	Worker             string           `json:"worker"`
	Consumer           string           `json:"consumer"`
	Error              string           `json:"error"`
	Value              string           `json:"value"`
	Key                *string          `json:"key"`
	Schedule           *string          `json:"schedule"`
	Payload            *json.RawMessage `json:"payload"`
	VisibilityTimeoutS int              `json:"visibility_timeout_s"`
	MaxAttempts        int              `json:"max_attempts"`
	BaseBackoffS       *int             `json:"base_backoff_s"`
	SaveEveryN         int              `json:"save_every_n"`
	TTLS               int64            `json:"ttl_s"`
	Limit              int64            `json:"limit"`
	PerS               int64            `json:"per_s"`
	JobID              int64            `json:"job_id"`
	TimeoutS           *float64         `json:"timeout_s"`
	Delay              *int64           `json:"delay"`
	RunAt              *int64           `json:"run_at"`
	Priority           *int64           `json:"priority"`
	Expires            *int64           `json:"expires"`
	ExpiresS           *int64           `json:"expires_s"`
	N                  int              `json:"n"`
	IDs                []int64          `json:"ids"`
	ID                 int64            `json:"id"`
	DelayS             int64            `json:"delay_s"`
	ExtendS            int64            `json:"extend_s"`
	Offset             int64            `json:"offset"`
	tx                 *honker.Transaction
}

func (a arguments) payload() any {
	if a.Payload == nil {
		return nil
	}
	return *a.Payload
}

func (a arguments) enqueueOptions() honker.EnqueueOptions {
	options := honker.EnqueueOptions{Delay: a.Delay, RunAt: a.RunAt, Expires: a.Expires}
	if a.Priority != nil {
		options.Priority = *a.Priority
	}
	return options
}

// cell is the first column of a row, with its type.
func cell(value any) map[string]any {
	kind := "null"
	switch typed := value.(type) {
	case int64:
		kind = "integer"
	case float64:
		kind = "real"
	case string:
		kind = "text"
	case []byte:
		kind, value = "blob", hex.EncodeToString(typed)
	}
	return map[string]any{"type": kind, "value": value}
}

func shownJob(job *honker.Job) any {
	if job == nil {
		return nil
	}
	return map[string]any{"id": job.ID, "queue": job.Queue, "payload": json.RawMessage(job.Payload),
		"worker_id": job.WorkerID, "attempts": job.Attempts}
}

func shownRow(row *honker.JobRow) any {
	if row == nil {
		return nil
	}
	return map[string]any{"id": row.ID, "queue": row.Queue, "state": row.State, "priority": row.Priority,
		"attempts": row.Attempts, "max_attempts": row.MaxAttempts, "run_at": row.RunAt}
}

func shownEvent(event honker.StreamEvent) any {
	return map[string]any{"offset": event.Offset, "topic": event.Topic, "key": event.Key,
		"payload": json.RawMessage(event.Payload), "created_at": event.CreatedAt}
}

func shownEvents(events []honker.StreamEvent) any {
	shown := make([]any, len(events))
	for i, event := range events {
		shown[i] = shownEvent(event)
	}
	return shown
}

func shownNotification(sent *honker.Notification) any {
	return map[string]any{"id": sent.ID, "channel": sent.Channel, "payload": json.RawMessage(sent.Payload)}
}

func shownSchedules(rows []honker.ScheduleRow) any {
	shown := make([]any, len(rows))
	for i, row := range rows {
		shown[i] = map[string]any{"name": row.Name, "queue": row.Queue, "cron_expr": row.CronExpr,
			"enabled": row.Enabled}
	}
	return shown
}
