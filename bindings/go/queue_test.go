package honker_test

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	honker "github.com/russellromney/honker-go"
)

func TestAJobIsClaimedOnceAndAcknowledged(t *testing.T) {
	q := open(t).Queue("emails", honker.QueueOptions{})
	id := must(q.Enqueue(map[string]string{"to": "ann"}, honker.EnqueueOptions{}))(t)
	job := must(q.ClaimOne("w"))(t)
	equal(t, job.ID, id)
	equal(t, job.Queue, "emails")
	equal(t, string(job.Payload), `{"to":"ann"}`)
	equal(t, job.WorkerID, "w")
	equal(t, job.Attempts, 1)
	equal(t, must(q.ClaimOne("other"))(t), nil)
	equal(t, must(job.Ack())(t), true)
	equal(t, must(job.Ack())(t), false)
	equal(t, must(q.GetJob(id))(t), nil)
}

func TestPayloadsOfEveryTypeComeBack(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	type order struct {
		ID    int64             `json:"id"`
		Notes map[string]string `json:"notes"`
		Tags  []string          `json:"tags"`
		Price *float64          `json:"price"`
	}
	sent := order{math.MaxInt64, map[string]string{"": "ä€😀\x00\"\\ <&>\u2028"}, []string{}, nil}
	must(q.Enqueue(sent, honker.EnqueueOptions{}))(t)
	job := must(q.ClaimOne("w"))(t)
	var got order
	ok(t, job.UnmarshalPayload(&got))
	equal(t, got.ID, sent.ID)
	equal(t, got.Notes[""], sent.Notes[""])
	equal(t, len(got.Tags), 0)
	equal(t, got.Price, nil)
	if !strings.Contains(string(job.Payload), "<&>") {
		t.Fatalf("%s does not keep <&>", job.Payload)
	}
}

func TestAPayloadOfAMegabyteComesBack(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	sent := strings.Repeat("0123456789abcde\x00", 1<<16)
	must(q.Enqueue(sent, honker.EnqueueOptions{}))(t)
	var got string
	ok(t, must(q.ClaimOne("w"))(t).UnmarshalPayload(&got))
	equal(t, got, sent)
}

func TestARawPayloadIsStoredAsItIs(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	must(q.Enqueue(json.RawMessage(`{"b":1,"a":2.50}`), honker.EnqueueOptions{}))(t)
	equal(t, string(must(q.ClaimOne("w"))(t).Payload), `{"b":1,"a":2.50}`)
}

func TestATaskCallIsTheEnvelopeOfPython(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	must(q.Enqueue(honker.TaskCall{Task: "send", Args: []any{"ann", 2}}, honker.EnqueueOptions{}))(t)
	equal(t, string(must(q.ClaimOne("w"))(t).Payload),
		`{"__honker_task__":{"args":["ann",2],"kwargs":{},"task":"send"}}`)
}

func TestAPayloadWithoutJSONIsRefused(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	for _, payload := range []any{math.NaN(), func() {}, make(chan int), json.RawMessage("{")} {
		_, err := q.Enqueue(payload, honker.EnqueueOptions{})
		fails(t, err, honker.ErrInvalidArgument)
	}
	equal(t, must(q.ClaimOne("w"))(t), nil)
}

func TestAPayloadThatDoesNotFitIsAnError(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	must(q.Enqueue("text", honker.EnqueueOptions{}))(t)
	var number int
	err := must(q.ClaimOne("w"))(t).UnmarshalPayload(&number)
	if err == nil || !strings.Contains(err.Error(), "*int") {
		t.Fatalf("got %v", err)
	}
}

func TestOptionsDelayPrioritizeAndExpire(t *testing.T) {
	db := open(t)
	advance := stopClock(t, db)
	q := db.Queue("q", honker.QueueOptions{MaxAttempts: 7, VisibilityTimeoutS: 30})
	must(q.Enqueue("delayed", honker.EnqueueOptions{Delay: honker.Seconds(time.Minute)}))(t)
	must(q.Enqueue("low", honker.EnqueueOptions{}))(t)
	must(q.Enqueue("high", honker.EnqueueOptions{Priority: 5}))(t)
	must(q.Enqueue("later", honker.EnqueueOptions{RunAt: honker.At(time.Unix(1000000100, 1))}))(t)
	expires := honker.EnqueueOptions{Delay: honker.Seconds(9e9), Expires: honker.Seconds(8.5e9)}
	expiring := must(q.Enqueue("expires", expires))(t)
	row := must(q.GetJob(expiring))(t)
	equal(t, *row.ExpiresAt, 1000000009)
	equal(t, row.RunAt, 1000000009)
	equal(t, row.MaxAttempts, 7)
	jobs := must(q.ClaimBatch("w", 10))(t)
	equal(t, len(jobs), 2)
	equal(t, string(jobs[0].Payload), `"high"`)
	equal(t, jobs[0].ClaimExpiresAt.Unix(), 1000000030)
	equal(t, must(q.AckBatch([]int64{2, 3}, "w"))(t), 2)
	advance(61)
	equal(t, string(must(q.ClaimOne("w"))(t).Payload), `"delayed"`)
	equal(t, must(q.GetJob(4))(t).RunAt, 1000000101)
	equal(t, must(q.Cancel(4))(t), true)
	equal(t, must(q.Cancel(4))(t), false)
	advance(40)
	equal(t, must(q.ClaimOne("w"))(t).Attempts, 2) // the lease has expired
}

func TestARetryWaitsAndTheLastOneIsADeadLetter(t *testing.T) {
	db := open(t)
	advance := stopClock(t, db)
	q := db.Queue("q", honker.QueueOptions{MaxAttempts: 2})
	id := must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	equal(t, must(must(q.ClaimOne("w"))(t).Retry(30, "busy"))(t), true)
	equal(t, must(q.ClaimOne("w"))(t), nil)
	advance(31)
	job := must(q.ClaimOne("w"))(t)
	equal(t, job.LastError, "busy")
	equal(t, job.Attempts, 2)
	equal(t, must(job.Retry(0, "broken"))(t), true)
	equal(t, must(q.ClaimOne("w"))(t), nil)
	equal(t, must(q.Requeue(id))(t), true)
	equal(t, must(must(q.ClaimOne("w"))(t).Fail("never"))(t), true)
	equal(t, must(q.Requeue(id+1))(t), false)
}

func TestAStaleJobOfTheSameWorkerSettlesNothing(t *testing.T) {
	db := open(t)
	advance := stopClock(t, db)
	q := db.Queue("q", honker.QueueOptions{VisibilityTimeoutS: 10})
	must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	stale := must(q.ClaimOne("w"))(t)
	advance(12)
	job := must(q.ClaimOne("w"))(t)
	equal(t, must(stale.Ack())(t), false)
	equal(t, must(stale.Heartbeat(10))(t), false)
	equal(t, must(stale.Fail(""))(t), false)
	equal(t, must(job.Heartbeat(100))(t), true)
	advance(50)
	equal(t, must(job.Ack())(t), true)
}

func TestReleaseAndSnoozeChargeNothing(t *testing.T) {
	db := open(t)
	advance := stopClock(t, db)
	q := db.Queue("q", honker.QueueOptions{})
	must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	equal(t, must(must(q.ClaimOne("w"))(t).Release())(t), true)
	equal(t, must(must(q.ClaimOne("w"))(t).Snooze(5))(t), true)
	equal(t, must(q.ClaimOne("w"))(t), nil)
	advance(6)
	equal(t, must(q.ClaimOne("w"))(t).Attempts, 1)
}

func TestABatchIsAcknowledgedAsFarAsItIsHeld(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	for range 3 {
		must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	}
	equal(t, len(must(q.ClaimBatch("w", 2))(t)), 2)
	equal(t, must(q.AckBatch([]int64{1, 2, 3, 99}, "w"))(t), 2)
	equal(t, must(q.AckBatch(nil, "w"))(t), 0)
}

func TestExpiredJobsAreSwept(t *testing.T) {
	db := open(t)
	advance := stopClock(t, db)
	q := db.Queue("q", honker.QueueOptions{})
	must(q.Enqueue(1, honker.EnqueueOptions{Expires: honker.Seconds(30 * time.Second)}))(t)
	must(q.Enqueue(2, honker.EnqueueOptions{}))(t)
	advance(31)
	equal(t, must(q.SweepExpired())(t), 1)
	equal(t, string(must(q.ClaimOne("w"))(t).Payload), "2")
}

func TestAUniqueKeyGivesTheJobThatIsThere(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	id := must(q.Enqueue(1, honker.EnqueueOptions{UniqueKey: "k"}))(t)
	equal(t, must(q.Enqueue(2, honker.EnqueueOptions{UniqueKey: "k"}))(t), id)
	_, err := q.Enqueue(3, honker.EnqueueOptions{UniqueKey: "k", OnConflict: "raise"})
	fails(t, err, honker.ErrUniqueKeyTaken)
}

func TestAUniqueKeyIsFreeWhenItsOptionsSaySo(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	started := honker.EnqueueOptions{UniqueKey: "a", UniqueUntil: "started"}
	first := must(q.Enqueue(1, started))(t)
	must(q.ClaimOne("w"))(t)
	equal(t, must(q.Enqueue(2, started))(t) > first, true)
	must(q.ClaimOne("w"))(t)
	kept := honker.EnqueueOptions{UniqueKey: "b", UniqueForS: honker.Seconds(time.Hour)}
	id := must(q.Enqueue(3, kept))(t)
	must(must(q.ClaimOne("w"))(t).Ack())(t)
	equal(t, must(q.Enqueue(4, kept))(t), id)
	_, err := q.Enqueue(5, honker.EnqueueOptions{UniqueUntil: "started"})
	fails(t, err, honker.ErrInvalidArgument)
}

func TestADebouncedJobWaitsAndHasTheLatestPayload(t *testing.T) {
	db := open(t)
	advance := stopClock(t, db)
	q := db.Queue("q", honker.QueueOptions{})
	soon := honker.EnqueueOptions{UniqueKey: "k", DebounceS: honker.Seconds(10 * time.Second),
		DebounceMaxS: honker.Seconds(15 * time.Second)}
	id := must(q.Enqueue(1, soon))(t)
	advance(9)
	equal(t, must(q.Enqueue(2, soon))(t), id)
	advance(5)
	equal(t, must(q.ClaimOne("w"))(t), nil)
	advance(2)
	equal(t, string(must(q.ClaimOne("w"))(t).Payload), "2")
}

func TestTheAttemptsOfAJobOverrideThoseOfTheQueue(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	equal(t, must(q.GetJob(must(q.Enqueue(1, honker.EnqueueOptions{MaxAttempts: 7}))(t)))(t).MaxAttempts, 7)
	options := honker.EnqueueOptions{MaxAttempts: 8, Key: "k"}
	equal(t, must(q.GetJob(must(q.Enqueue(1, options))(t)))(t).MaxAttempts, 8)
}

func TestManyJobsAreAddedAllOrNone(t *testing.T) {
	db := open(t)
	q := db.Queue("q", honker.QueueOptions{})
	options := honker.EnqueueOptions{Priority: 5, Key: "k"}
	ids := must(q.EnqueueMany([]any{1, map[string]int{"a": 2}}, options))(t)
	equal(t, string(must(q.GetJob(ids[1]))(t).Payload), `{"a":2}`)
	equal(t, must(q.GetJob(ids[1]))(t).Priority, 5)
	_, err := q.EnqueueMany([]any{1, make(chan int)}, honker.EnqueueOptions{})
	fails(t, err, honker.ErrInvalidArgument)
	tx := must(db.BeginImmediate(context.Background()))(t)
	must(q.EnqueueManyTx(tx, []any{3}, honker.EnqueueOptions{}))(t)
	ok(t, tx.Rollback())
	equal(t, len(must(q.ClaimBatch("w", 9))(t)), 2)
	equal(t, len(must(q.EnqueueMany(nil, honker.EnqueueOptions{}))(t)), 0)
}

func TestAJobRunsAfterAnother(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	parent := must(q.Enqueue("parent", honker.EnqueueOptions{}))(t)
	must(q.Enqueue("child", honker.EnqueueOptions{After: []int64{parent}}))(t)
	job := must(q.ClaimOne("w"))(t)
	equal(t, must(q.ClaimOne("w"))(t), nil)
	must(job.Ack())(t)
	equal(t, string(must(q.ClaimOne("w"))(t).Payload), `"child"`)
	_, err := q.Enqueue("orphan", honker.EnqueueOptions{After: []int64{404}})
	fails(t, err, honker.ErrUnknownParent)
}

func TestAQueueObeysItsSettings(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	ok(t, q.Configure(map[string]any{"concurrency": 1}))
	for range 2 {
		must(q.Enqueue(1, honker.EnqueueOptions{}))(t)
	}
	equal(t, len(must(q.ClaimBatch("w", 2))(t)), 1)
	equal(t, must(q.Pause())(t), true)
	equal(t, must(q.Resume())(t), true)
	fails(t, q.Configure(map[string]any{"concurrency": -1}), honker.ErrInvalidArgument)
	equal(t, must(q.Settings())(t)["concurrency"], any(1.0))
}

func TestStatsCountTheJobsByState(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	must(q.EnqueueMany([]any{1, 2, 3}, honker.EnqueueOptions{}))(t)
	must(q.Enqueue(4, honker.EnqueueOptions{Delay: honker.Seconds(time.Hour)}))(t)
	must(must(q.ClaimOne("w"))(t).Fail("no"))(t)
	must(q.ClaimOne("w"))(t)
	must(q.Pause())(t)
	stats := must(q.Stats())(t)
	equal(t, [4]int64{stats.Ready, stats.Delayed, stats.Processing, stats.Dead}, [4]int64{1, 1, 1, 1})
	equal(t, stats.IsExact, true)
	equal(t, stats.PausedAt != nil && stats.NextDueAt != nil && stats.OldestReadyAgeS != nil, true)
}

func TestGoroutinesShareAHandleAndNoJobIsClaimedTwice(t *testing.T) {
	q := open(t).Queue("q", honker.QueueOptions{})
	const workers, each = 8, 50
	var done sync.Map
	var group sync.WaitGroup
	for range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			for range each {
				if _, err := q.Enqueue(1, honker.EnqueueOptions{}); err != nil {
					t.Error(err)
				}
				job, err := q.ClaimOne("w")
				if err != nil {
					t.Error(err)
					return
				}
				if job == nil {
					continue
				}
				if _, isTwice := done.LoadOrStore(job.ID, true); isTwice {
					t.Errorf("job %d was claimed twice", job.ID)
				}
				if held, err := job.Ack(); err != nil || !held {
					t.Errorf("ack: %v %v", held, err)
				}
			}
		}()
	}
	group.Wait()
	left := must(q.ClaimBatch("w", 10000))(t)
	number := len(left)
	done.Range(func(any, any) bool { number++; return true })
	equal(t, number, workers*each)
}
