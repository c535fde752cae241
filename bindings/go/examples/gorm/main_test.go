package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"gorm.io/gorm"

	honker "github.com/russellromney/honker-go"
)

func openShop(t *testing.T) *Shop {
	t.Helper()
	shop, err := OpenShop(filepath.Join(t.TempDir(), "shop.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool, err := shop.orm.DB()
		if err = errors.Join(err, pool.Close(), shop.db.Close()); err != nil {
			t.Error(err)
		}
	})
	return shop
}

func TestAnOrderAndItsJobCommitTogetherAndWakeAWorker(t *testing.T) {
	shop := openShop(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	claimed := make(chan *honker.Job, 1)
	go func() {
		job, err := shop.receipts.ClaimWaker().Next(ctx, "w")
		if err != nil {
			t.Error(err)
		}
		claimed <- job
	}()
	if err := shop.Buy("ann", func(*gorm.DB) error { return nil }); err != nil {
		t.Fatal(err)
	}
	job := <-claimed
	var order Order
	if job == nil || job.UnmarshalPayload(&order) != nil || order.Customer != "ann" {
		t.Fatalf("claimed %v", job)
	}
	if err := shop.orm.First(&order, order.ID).Error; err != nil {
		t.Fatal(err)
	}
}

func TestARollbackOfGORMTakesTheJobBack(t *testing.T) {
	shop := openShop(t)
	declined := errors.New("declined")
	if err := shop.Buy("bob", func(*gorm.DB) error { return declined }); !errors.Is(err, declined) {
		t.Fatalf("got %v", err)
	}
	if job, err := shop.receipts.ClaimOne("w"); job != nil || err != nil {
		t.Fatalf("got %v, %v", job, err)
	}
	var number int64
	if err := shop.orm.Model(&Order{}).Count(&number).Error; number != 0 || err != nil {
		t.Fatalf("%d orders, %v", number, err)
	}
}

func TestASavepointOfGORMTakesItsJobBack(t *testing.T) {
	shop := openShop(t)
	declined := errors.New("declined")
	err := shop.Buy("ann", func(tx *gorm.DB) error {
		inner := tx.Transaction(func(inner *gorm.DB) error {
			_, err := shop.receipts.EnqueueTx(inner.Statement.ConnPool, "undone", honker.EnqueueOptions{})
			return errors.Join(err, declined)
		})
		if !errors.Is(inner, declined) {
			return inner
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := shop.receipts.ClaimBatch("w", 10)
	if len(jobs) != 1 || err != nil {
		t.Fatalf("got %d jobs, %v", len(jobs), err)
	}
}

func TestGORMWithoutATransactionIsRefused(t *testing.T) {
	shop := openShop(t)
	_, err := shop.receipts.EnqueueTx(shop.orm.Statement.ConnPool, 1, honker.EnqueueOptions{})
	if !errors.Is(err, honker.ErrInvalidArgument) {
		t.Fatalf("got %v", err)
	}
}
