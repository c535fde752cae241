package honker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	honker "github.com/russellromney/honker-go"
)

// newFile opens a file of its own for an example.
func newFile() (*honker.Database, func()) {
	folder, err := os.MkdirTemp("", "honker")
	if err != nil {
		log.Fatal(err)
	}
	db, err := honker.Open(filepath.Join(folder, "app.db"), "")
	if err != nil {
		log.Fatal(err)
	}
	return db, func() {
		if err := errors.Join(db.Close(), os.RemoveAll(folder)); err != nil {
			log.Fatal(err)
		}
	}
}

func Example() {
	db, end := newFile()
	defer end()
	emails := db.Queue("emails", honker.QueueOptions{})
	if _, err := emails.Enqueue(map[string]string{"to": "ann"}, honker.EnqueueOptions{}); err != nil {
		log.Fatal(err)
	}
	job, err := emails.ClaimOne("worker-1")
	if err != nil {
		log.Fatal(err)
	}
	var message struct{ To string }
	if err := job.UnmarshalPayload(&message); err != nil {
		log.Fatal(err)
	}
	isMine, err := job.Ack()
	fmt.Println(message.To, isMine, err)
	// Output: ann true <nil>
}

func ExampleDatabase_InTransaction() {
	db, end := newFile()
	defer end()
	receipts := db.Queue("receipts", honker.QueueOptions{})
	errDeclined := errors.New("the card was declined")
	err := db.InTransaction(context.Background(), func(tx *honker.Transaction) error {
		if _, err := receipts.EnqueueTx(tx, "order 1", honker.EnqueueOptions{}); err != nil {
			return err
		}
		return errDeclined
	})
	job, _ := receipts.ClaimOne("worker-1")
	fmt.Println(err, job)
	// Output: the card was declined <nil>
}

func ExampleClaimWaker_Next() {
	db, end := newFile()
	defer end()
	queue := db.Queue("emails", honker.QueueOptions{})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		for n := range 3 {
			if _, err := queue.Enqueue(n, honker.EnqueueOptions{}); err != nil {
				log.Fatal(err)
			}
		}
	}()
	waker := queue.ClaimWaker()
	defer waker.Close()
	for {
		job, err := waker.Next(ctx, "worker-1")
		if err != nil {
			log.Fatal(err)
		}
		if job == nil { // the context has ended
			return
		}
		fmt.Printf("%s\n", job.Payload)
		if _, err := job.Ack(); err != nil {
			log.Fatal(err)
		}
		if job.ID == 3 {
			stop()
		}
	}
	// Output:
	// 0
	// 1
	// 2
}

func ExampleStream_Subscribe() {
	db, end := newFile()
	defer end()
	orders := db.Stream("orders")
	for _, state := range []string{"placed", "paid"} {
		if _, err := orders.PublishWithKey("order-1", state); err != nil {
			log.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	events := orders.Subscribe(ctx, "dashboard")
	for range 2 {
		event := <-events
		fmt.Printf("%s %s\n", *event.Key, event.Payload)
	}
	// Output:
	// order-1 "placed"
	// order-1 "paid"
}

func ExampleDatabase_Listen() {
	db, end := newFile()
	defer end()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	changes := db.Listen(ctx, "prices")
	if _, err := db.Notify("prices", map[string]int{"apple": 3}); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", (<-changes).Payload)
	// Output: {"apple":3}
}

func ExampleScheduler_Run() {
	db, end := newFile()
	defer end()
	scheduler := db.Scheduler()
	err := scheduler.Add(honker.ScheduledTask{Name: "often", Queue: "chores", Schedule: "@every 1s", Payload: "sweep"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- scheduler.Run(ctx, "host-1") }()
	job, err := db.Queue("chores", honker.QueueOptions{}).ClaimWaker().Next(ctx, "worker-1")
	stop()
	fmt.Printf("%s %v %v\n", job.Payload, err, <-ended)
	// Output: "sweep" <nil> <nil>
}

func ExampleDatabase_Outbox() {
	db, end := newFile()
	defer end()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	outbox := db.Outbox("webhooks", func(_ context.Context, payload json.RawMessage) error {
		fmt.Printf("delivered %s\n", payload)
		stop()
		return nil
	}, honker.OutboxOptions{})
	if _, err := outbox.Enqueue("paid", honker.EnqueueOptions{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(outbox.RunWorker(ctx, "worker-1"))
	// Output:
	// delivered "paid"
	// <nil>
}

func ExampleError() {
	db, end := newFile()
	defer end()
	_, err := db.TryRateLimit("api", 0, 60)
	var known *honker.Error
	fmt.Println(errors.Is(err, honker.ErrInvalidArgument), errors.As(err, &known) && known.Retryable())
	// Output: true false
}
