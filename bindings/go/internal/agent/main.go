// Command agent is the agent of the conformance suite: it makes the calls that it reads, see conformance/README.md.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	honker "github.com/russellromney/honker-go"
)

const maxLineBytes = 16 << 20

type request struct {
	ID         int64           `json:"id"`
	Call       string          `json:"call"`
	On         *string         `json:"on"`
	As         string          `json:"as"`
	Args       json.RawMessage `json:"args"`
	Background bool            `json:"background"`
}

// agent has the stored objects, and the calls that wait.
type agent struct {
	mu      sync.Mutex
	objects map[string]any
	cancels map[int64]context.CancelFunc
	output  sync.Mutex
	waiting sync.WaitGroup
}

// cancelled is the answer of a call that was cancelled.
type cancelled struct{ value any }

// object is an answer that is stored, and shown as value.
type object struct{ stored, value any }

func main() {
	made := &agent{objects: map[string]any{}, cancels: map[int64]context.CancelFunc{}}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		made.handle(asked)
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, cancel := range made.cancels {
		cancel()
	}
	made.waiting.Wait()
}

func (a *agent) handle(asked request) {
	if !asked.Background {
		a.answer(asked, context.Background())
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.mu.Lock()
	a.cancels[asked.ID] = cancel
	a.mu.Unlock()
	a.waiting.Add(1)
	go func() {
		defer a.waiting.Done()
		defer cancel()
		a.answer(asked, ctx)
	}()
}

// answer makes the call and writes its answer.
func (a *agent) answer(asked request, ctx context.Context) {
	value, err := a.make(ctx, asked)
	answer := map[string]any{"id": asked.ID, "at": time.Now().UnixMicro()}
	if err != nil {
		answer["error"] = described(err)
	} else {
		if ended, is := value.(cancelled); is {
			answer["cancelled"], value = true, ended.value
		}
		if made, is := value.(object); is {
			a.store(asked.As, made.stored)
			value = made.value
		}
		answer["value"] = value
	}
	line, err := json.Marshal(answer)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	a.output.Lock()
	defer a.output.Unlock()
	if _, err := os.Stdout.Write(append(line, '\n')); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (a *agent) store(name string, made any) {
	if name == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects[name] = made
	if jobs, is := made.([]*honker.Job); is {
		for i, job := range jobs {
			a.objects[fmt.Sprintf("%s.%d", name, i)] = job
		}
	}
}

func (a *agent) object(name string) any {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.objects[name]
}

func (a *agent) cancel(id int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cancels[id]()
}

func described(err error) map[string]string {
	code := "ERROR"
	var known *honker.Error
	switch {
	case errors.As(err, &known):
		code = known.Code
	case errors.Is(err, context.DeadlineExceeded):
		code = "TIMEOUT"
	}
	return map[string]string{"code": code, "message": err.Error()}
}

// make makes the call on the object that it names.
func (a *agent) make(ctx context.Context, asked request) (any, error) {
	var args arguments
	if err := json.Unmarshal(asked.Args, &args); err != nil {
		return nil, err
	}
	if args.Tx != "" {
		args.tx, _ = a.object(args.Tx).(*honker.Transaction)
	}
	if asked.On == nil {
		return a.onNothing(asked.Call, args)
	}
	switch on := a.object(*asked.On).(type) {
	case *honker.Database:
		return onDatabase(ctx, on, asked.Call, args)
	case *honker.Transaction:
		return onTransaction(on, asked.Call, args)
	case *honker.Queue:
		return onQueue(ctx, on, asked.Call, args)
	case *honker.Job:
		return onJob(on, asked.Call, args)
	case *honker.Lock:
		return onLock(on, asked.Call, args)
	case *honker.Stream:
		return onStream(on, asked.Call, args)
	case *honker.Subscription:
		return onSubscription(ctx, on, asked.Call)
	case *honker.Listener:
		return onListener(ctx, on, asked.Call)
	case *honker.Scheduler:
		return onScheduler(ctx, on, asked.Call, args)
	case *outbox:
		return onOutbox(ctx, on, asked.Call, args)
	}
	return unknown(asked.Call)
}

func unknown(call string) (any, error) {
	return nil, fmt.Errorf("there is no call %q of this object", call)
}

func (a *agent) onNothing(call string, args arguments) (any, error) {
	switch call {
	case "open":
		db, err := honker.Open(args.Path, "")
		return object{db, true}, err
	case "cancel":
		a.cancel(args.CallID)
		return nil, nil
	}
	return unknown(call)
}
