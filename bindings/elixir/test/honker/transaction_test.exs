defmodule Honker.TransactionTest do
  use Honker.Case, async: true

  setup %{db: db} do
    {:ok, _} = Connection.rows(db, "CREATE TABLE orders (n INTEGER UNIQUE)")
    :ok
  end

  defp orders(db), do: one!(db, "SELECT count(*) FROM orders")

  test "returns the function's value and commits", %{db: db} do
    value =
      Transaction.transaction(db, fn tx ->
        :ok = Transaction.execute(tx, "INSERT INTO orders VALUES (?)", [1])
        {:ok, [1]} = Transaction.query_row(tx, "SELECT n FROM orders")
        {:ok, nil} = Transaction.query_row(tx, "SELECT n FROM orders WHERE n = ?", [2])
        {:ok, id} = Queue.enqueue_tx(tx, "emails", %{order: 1})
        {:ok, _} = Honker.notify_tx(tx, "orders", 1)
        {:ok, _} = Honker.Stream.publish_tx(tx, "orders", 1)
        {:ok, true} = Honker.Stream.save_offset_tx(tx, "c", "orders", 1)
        id
      end)

    assert value == 1
    assert orders(db) == 1
    assert {:ok, %Job{payload: %{"order" => 1}}} = Queue.claim_one(db, "emails", "w")
  end

  test "an error value rolls back and is returned", %{db: db} do
    result =
      Transaction.transaction(db, fn tx ->
        {:ok, _} = Queue.enqueue_tx(tx, "emails", 1)
        {:error, :changed_my_mind}
      end)

    assert result == {:error, :changed_my_mind}
    assert {:ok, nil} = Queue.claim_one(db, "emails", "w")
  end

  test "an exception rolls back and is raised", %{db: db} do
    assert_raise RuntimeError, "no", fn ->
      Transaction.transaction(db, fn tx ->
        :ok = Transaction.execute(tx, "INSERT INTO orders VALUES (1)")
        raise "no"
      end)
    end

    assert catch_throw(Transaction.transaction(db, fn _ -> throw(:away) end)) == :away
    assert orders(db) == 0
  end

  test "a failed statement leaves the transaction usable", %{db: db} do
    Transaction.transaction(db, fn tx ->
      :ok = Transaction.execute(tx, "INSERT INTO orders VALUES (1)")
      assert {:error, %Error{code: "HONKER_CONSTRAINT"}} = Transaction.execute(tx, "INSERT INTO orders VALUES (1)")

      assert {:error, %Error{code: "HONKER_INVALID_ARGUMENT"}} =
               Queue.enqueue_tx(tx, "q", 1, priority: 9_007_199_254_740_992)

      :ok = Transaction.execute(tx, "INSERT INTO orders VALUES (2)")
    end)

    assert orders(db) == 2
  end

  test "execute runs every statement of a script", %{db: db} do
    Transaction.transaction(db, fn tx ->
      :ok = Transaction.execute(tx, "INSERT INTO orders VALUES (1); INSERT INTO orders VALUES (2);")

      assert {:error, %Error{}} =
               Transaction.execute(tx, "INSERT INTO orders VALUES (3); INSERT INTO nowhere VALUES (4)")

      :ok
    end)

    assert orders(db) == 3
  end

  test "a COMMIT that fails is the error of the transaction", %{db: db} do
    {:ok, _} = Connection.rows(db, "CREATE TABLE items (o REFERENCES orders(n) DEFERRABLE INITIALLY DEFERRED)")

    assert {:error, %Error{code: "HONKER_CONSTRAINT"}} =
             Transaction.transaction(db, fn tx -> Transaction.execute(tx, "INSERT INTO items VALUES (99)") end)

    assert one!(db, "SELECT count(*) FROM items") == 0
  end

  test "a call without the transaction in the same process is an error at once", %{db: db} do
    {:ok, tx} = Transaction.begin(db)
    assert {:error, %Error{code: "HONKER_NESTED_TRANSACTION"}} = Queue.enqueue(db, "q", 1)
    assert {:error, %Error{code: "HONKER_NESTED_TRANSACTION"}} = Queue.claim_one(db, "q", "w")
    assert {:error, %Error{code: "HONKER_NESTED_TRANSACTION"}} = Transaction.begin(db)
    assert {:ok, 1} = Queue.enqueue(db, "q", 1, tx: tx)
    assert :ok = Transaction.commit(tx)
    assert {:ok, %Job{id: 1}} = Queue.claim_one(db, "q", "w")
  end

  test "an ended transaction is an error", %{db: db} do
    {:ok, tx} = Transaction.begin(db)
    :ok = Transaction.rollback(tx)
    assert {:error, %Error{code: "HONKER_TRANSACTION_NOT_STARTED"}} = Transaction.execute(tx, "SELECT 1")
    assert {:error, %Error{code: "HONKER_TRANSACTION_NOT_STARTED"}} = Transaction.commit(tx)
    assert {:error, %Error{code: "HONKER_TRANSACTION_NOT_STARTED"}} = Queue.enqueue_tx(tx, "q", 1)
  end

  test "calls of other processes wait for the end", %{db: db} do
    {:ok, tx} = Transaction.begin(db)
    others = for n <- 1..5, do: Task.async(fn -> Queue.enqueue(db, "q", n) end)
    {:ok, _} = Queue.enqueue_tx(tx, "q", 0)
    assert Enum.all?(others, &(Task.yield(&1, 0) == nil))
    :ok = Transaction.commit(tx)
    assert others |> Task.await_many() |> Enum.all?(&match?({:ok, _}, &1))
    assert one!(db, "SELECT count(*) FROM _honker_live") == 6
  end

  test "the transaction of a process that ends is rolled back", %{db: db} do
    test = self()

    pid =
      spawn(fn ->
        {:ok, tx} = Transaction.begin(db)
        :ok = Transaction.execute(tx, "INSERT INTO orders VALUES (1)")
        send(test, :inserted)
        Process.sleep(:infinity)
      end)

    assert_receive :inserted, 5_000
    Process.exit(pid, :kill)
    assert orders(db) == 0
    assert {:ok, _} = Queue.enqueue(db, "q", 1)
  end

  test "two handles in one program wait for each other's transactions", %{db: db, path: path} do
    {:ok, other} = Honker.open(path)
    {:ok, tx} = Transaction.begin(other)
    waiting = Task.async(fn -> Queue.enqueue(db, "q", 1) end)
    assert Task.yield(waiting, 50) == nil
    :ok = Transaction.commit(tx)
    assert {:ok, _} = Task.await(waiting)
    Honker.close(other)
  end

  test "close rolls an open transaction back", %{db: db, path: path} do
    {:ok, tx} = Transaction.begin(db)
    :ok = Transaction.execute(tx, "INSERT INTO orders VALUES (1)")
    :ok = Honker.close(db)
    {:ok, again} = Honker.open(path)
    assert orders(again) == 0
    Honker.close(again)
  end
end
