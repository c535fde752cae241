// Command started is the getting-started program of the README.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	honker "github.com/russellromney/honker-go"
)

type email struct {
	To string `json:"to"`
}

func main() {
	db, err := honker.Open("app.db", "")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	emails := db.Queue("emails", honker.QueueOptions{})

	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	go func() { // usually another process
		err := emails.Work(ctx, "worker-1", func(ctx context.Context, job *honker.Job) error {
			var message email
			if err := job.UnmarshalPayload(&message); err != nil {
				return err
			}
			result, err := json.Marshal("sent to " + message.To)
			if err != nil {
				return err
			}
			return db.SaveResult(job.ID, string(result), 60)
		})
		if err != nil {
			log.Print(err)
		}
	}()

	id, err := emails.Enqueue(email{To: "ann@example.com"}, honker.EnqueueOptions{})
	if err != nil {
		log.Fatal(err)
	}
	result, err := db.WaitResult(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("job %d: %s\n", id, result) // job 1: "sent to ann@example.com"
}
