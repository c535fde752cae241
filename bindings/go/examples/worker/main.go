// Command worker works on the jobs of a queue until it is interrupted, several at a time.
//
//	worker app.db emails 4
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	honker "github.com/russellromney/honker-go"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: worker PATH QUEUE GOROUTINES")
	}
	goroutines, err := strconv.Atoi(os.Args[3])
	if err == nil {
		err = run(os.Args[1], os.Args[2], goroutines)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(path, name string, goroutines int) error {
	db, err := honker.Open(path, "")
	if err != nil {
		return err
	}
	defer db.Close()
	queue := db.Queue(name, honker.QueueOptions{VisibilityTimeoutS: 60})

	// The first signal ends the context: handlers that return an error then give their jobs back, uncharged.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	errs := make([]error, goroutines)
	var group sync.WaitGroup
	for i := range goroutines {
		group.Add(1)
		go func() {
			defer group.Done()
			errs[i] = loop(ctx, queue, fmt.Sprintf("%d-%d", os.Getpid(), i))
		}()
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// loop is Queue.Work by hand, for programs that settle jobs in their own way.
func loop(ctx context.Context, queue *honker.Queue, worker string) error {
	for job, err := range queue.Jobs(ctx, worker) {
		if err != nil {
			return err
		}
		if failure := handle(job); failure != nil {
			_, err = job.Retry(30, failure.Error())
		} else {
			_, err = job.Ack()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func handle(job *honker.Job) error {
	fmt.Printf("job %d, attempt %d: %s\n", job.ID, job.Attempts, job.Payload)
	return nil
}
