package honker

import (
	"context"
	"fmt"
)

// SaveResult saves a text, JSON by convention, as the result of a job, replacing an earlier one. It is kept for ttl
// seconds; 0 and less mean that it stays.
func (db *Database) SaveResult(id int64, value string, ttl int64) error {
	_, err := call[int64](db, "SELECT honker_result_save(?, ?, ?)", id, value, ttl)
	return err
}

// SaveResultTx saves a result if and only if the transaction commits.
func (db *Database) SaveResultTx(tx Tx, id int64, value string, ttl int64) error {
	_, err := callIn[int64](db, tx, "honker_result_save(?, ?, ?)", id, value, ttl)
	return err
}

// GetResult returns the result of a job, or nil if it has none or the result has expired.
func (db *Database) GetResult(id int64) (*string, error) {
	return ask[*string](db, "SELECT honker_result_get(?)", id)
}

// WaitResult waits for the result of a job, without polling. An id that no job has had yet is waited for.
//
// It fails with the error of the context, with [ErrJobFailed] if the job is a dead letter, with [ErrResultGone] if it
// has ended without a result, and with [ErrClosed].
func (db *Database) WaitResult(ctx context.Context, id int64) (string, error) {
	news, err := db.subscribe()
	if err != nil {
		return "", err
	}
	defer news.close()
	for {
		result, err := db.lookForResult(id)
		if err != nil {
			return "", err
		}
		if result != nil {
			return *result, nil
		}
		if err := news.wait(ctx, fallbackPoll); err != nil {
			return "", err
		}
	}
}

// lookForResult returns nil if the result may still come. It reads the outcome first: a result that is saved before the
// job ends is then seen.
func (db *Database) lookForResult(id int64) (*string, error) {
	outcome, err := parsed[struct {
		State string
		Error *string
	}](ask[string](db, "SELECT honker_job_outcome(?)", id))
	if err != nil {
		return nil, err
	}
	result, err := db.GetResult(id)
	if result != nil || err != nil {
		return result, err
	}
	switch outcome.State {
	case "dead":
		message := ""
		if outcome.Error != nil {
			message = *outcome.Error
		}
		return nil, &Error{Code: CodeJobFailed, Message: fmt.Sprintf("job %d is dead: %s", id, message)}
	case "gone", "cancelled":
		message := fmt.Sprintf("job %d is %s and left no result", id, outcome.State)
		return nil, &Error{Code: CodeResultGone, Message: message}
	}
	return nil, nil
}

// SweepResults deletes every expired result, and returns their number.
func (db *Database) SweepResults() (int64, error) {
	return call[int64](db, "SELECT honker_result_sweep()")
}
