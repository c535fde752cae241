// Command gorm enqueues jobs in GORM's transactions, on the connections that GORM opens.
package main

import (
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	honker "github.com/russellromney/honker-go"
)

// Order is the application's own table.
type Order struct {
	ID       uint
	Customer string `gorm:"not null"`
}

// Shop has GORM for its tables and honker for its jobs, on one file.
type Shop struct {
	orm      *gorm.DB
	db       *honker.Database
	receipts *honker.Queue
}

func init() {
	sql.Register("sqlite3_honker", &sqlite3.SQLiteDriver{ConnectHook: honker.ConnectHook("")})
}

// OpenShop opens the file for both. Transactions of GORM begin with the write lock, so that they can read first.
func OpenShop(path string) (*Shop, error) {
	db, err := honker.Open(path, "")
	if err != nil {
		return nil, err
	}
	dsn := "file:" + path + "?_txlock=immediate&_busy_timeout=5000&_foreign_keys=on"
	orm, err := gorm.Open(sqlite.Dialector{DriverName: "sqlite3_honker", DSN: dsn}, &gorm.Config{})
	if err == nil {
		err = orm.AutoMigrate(&Order{})
	}
	return &Shop{orm, db, db.Queue("receipts", honker.QueueOptions{})}, err
}

// Buy stores an order and enqueues its receipt. Both commit, or none does.
func (s *Shop) Buy(customer string, check func(tx *gorm.DB) error) error {
	return s.orm.Transaction(func(tx *gorm.DB) error {
		order := Order{Customer: customer}
		if err := tx.Create(&order).Error; err != nil {
			return err
		}
		// tx.Statement.ConnPool is the transaction that GORM has begun.
		if _, err := s.receipts.EnqueueTx(tx.Statement.ConnPool, order, honker.EnqueueOptions{}); err != nil {
			return err
		}
		return check(tx)
	})
}

func main() {
	folder, err := os.MkdirTemp("", "honker")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	shop, err := OpenShop(filepath.Join(folder, "shop.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer shop.db.Close()
	if err := shop.Buy("ann", func(*gorm.DB) error { return nil }); err != nil {
		log.Fatal(err)
	}
	job, err := shop.receipts.ClaimOne("worker-1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("a receipt for %s\n", job.Payload)
	if _, err := job.Ack(); err != nil {
		log.Fatal(err)
	}
}
