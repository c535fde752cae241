// Command atomic enqueues a job in the transaction of the order that causes it: both commit, or none does.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	honker "github.com/russellromney/honker-go"
)

var errDeclined = errors.New("the card was declined")

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	folder, err := os.MkdirTemp("", "honker")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	db, err := honker.Open(filepath.Join(folder, "shop.db"), "")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Raw().Exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT)"); err != nil {
		return err
	}
	receipts := db.Queue("receipts", honker.QueueOptions{})
	if err := order(db, receipts, "ann", true); err != nil {
		return err
	}
	if err := order(db, receipts, "bob", false); !errors.Is(err, errDeclined) {
		return err
	}
	for {
		job, err := receipts.ClaimOne("worker-1")
		if err != nil || job == nil {
			return err
		}
		fmt.Printf("a receipt for %s\n", job.Payload)
		if _, err := job.Ack(); err != nil {
			return err
		}
	}
}

func order(db *honker.Database, receipts *honker.Queue, customer string, isPaid bool) error {
	return db.InTransaction(context.Background(), func(tx *honker.Transaction) error {
		if _, err := tx.Exec("INSERT INTO orders (customer) VALUES (?)", customer); err != nil {
			return err
		}
		if _, err := receipts.EnqueueTx(tx, map[string]string{"to": customer}, honker.EnqueueOptions{}); err != nil {
			return err
		}
		if !isPaid {
			return errDeclined
		}
		return nil
	})
}
