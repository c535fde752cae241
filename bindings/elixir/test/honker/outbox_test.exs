defmodule Honker.OutboxTest do
  use Honker.Case, async: true

  test "delivers what was committed, with the transaction in either place", %{db: db} do
    test = self()
    outbox = Honker.outbox(db, "mail", fn payload, %Job{} -> send(test, {:mail, payload}) end)

    Transaction.transaction(db, fn tx ->
      {:ok, _} = Outbox.enqueue_tx(outbox, tx, 1)
      {:ok, _} = Outbox.enqueue_tx(tx, outbox, 2)
    end)

    Transaction.transaction(db, fn tx ->
      {:ok, _} = Outbox.enqueue(outbox, 3, tx: tx)
      {:error, :no}
    end)

    assert {:ok, true} = Outbox.run_once(outbox, "w")
    assert {:ok, true} = Outbox.run_once(outbox, "w")
    assert {:ok, false} = Outbox.run_once(outbox, "w")
    assert_received {:mail, 1}
    assert_received {:mail, 2}
  end

  test "false values, errors and exceptions are retried", %{db: db} do
    for {value, text} <- [{false, "false"}, {nil, "nil"}, {:error, ":error"}, {{:error, "down"}, "down"}] do
      outbox = Honker.outbox(db, "o", fn _ -> value end, max_attempts: 1)
      {:ok, id} = Outbox.enqueue(outbox, 1)
      assert {:ok, true} = Outbox.run_once(outbox, "w")
      assert one!(db, "SELECT last_error FROM _honker_dead WHERE id = ?", [id]) =~ text
    end

    outbox = Honker.outbox(db, "o", fn _ -> raise "refused" end, base_backoff_s: 100)
    {:ok, id} = Outbox.enqueue(outbox, 1)
    assert {:ok, true} = Outbox.run_once(outbox, "w")
    assert {:ok, %{"state" => "pending", "run_at" => at, "max_attempts" => 5}} = Queue.get_job(db, id)
    assert_in_delta at, System.os_time(:second) + 105, 10
  end

  test "a delivery whose process is killed is given back uncharged", %{db: db} do
    test = self()

    outbox =
      Honker.outbox(db, "o", fn payload ->
        send(test, {:began, payload})
        Process.sleep(:infinity)
      end)

    pid = spawn(fn -> Outbox.run(outbox, "w") end)
    {:ok, _} = Outbox.enqueue(outbox, 1)
    assert await_message() == {:began, 1}
    Process.exit(pid, :kill)
    assert {:ok, %Job{attempts: 1}} = Queue.next_job(db, "_outbox:o", "w", timeout: 5_000)
  end

  test "runs under a supervisor", %{db: db} do
    test = self()
    outbox = Honker.outbox(db, "o", fn payload -> send(test, payload) end)
    start_supervised!({Outbox, outbox: outbox, worker_id: "w"})
    {:ok, _} = Outbox.enqueue(outbox, "hello")
    assert await_message() == "hello"
  end
end
