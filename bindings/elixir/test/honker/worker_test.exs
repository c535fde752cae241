defmodule Honker.WorkerTest do
  use Honker.Case, async: true

  import ExUnit.CaptureLog

  @moduletag :capture_log

  defp worker(db, handler, opts \\ []) do
    start_supervised!({Honker.Worker, [db: db, queue: "q", handler: handler] ++ opts})
  end

  defp empty?(db), do: one!(db, "SELECT count(*) FROM _honker_live") == 0

  test "acknowledges what the handler has done", %{db: db} do
    test = self()
    worker(db, fn job -> send(test, {:done, job.payload}) end, concurrency: 3)
    {:ok, _} = Queue.enqueue_many(db, "q", Enum.to_list(1..50))
    done = for _ <- 1..50, do: elem(await_message(), 1)
    assert Enum.sort(done) == Enum.to_list(1..50)
    eventually(fn -> empty?(db) end)
  end

  test "runs so many handlers at the same time", %{db: db} do
    test = self()

    worker(
      db,
      fn _ ->
        send(test, {:began, self()})
        receive do: (:go -> :ok)
      end,
      concurrency: 3
    )

    {:ok, _} = Queue.enqueue_many(db, "q", [1, 2, 3, 4])
    pids = for _ <- 1..3, do: elem(await_message(), 1)
    refute_receive {:began, _}, 50
    Enum.each(pids, &send(&1, :go))
    {:began, last} = await_message()
    send(last, :go)
    eventually(fn -> empty?(db) end)
  end

  test "retries errors, exceptions, exits and kills, and then makes a dead letter", %{db: db} do
    db = Honker.configure_queue(db, "q", max_attempts: 5)

    handler = fn job ->
      case job.attempts do
        1 -> {:error, :first}
        2 -> raise "second"
        3 -> exit(:third)
        4 -> Process.exit(self(), :kill)
        5 -> throw(:fifth)
      end
    end

    log =
      capture_log(fn ->
        worker(db, handler, retry_delay_s: fn _attempt -> 0 end)
        {:ok, _} = Queue.enqueue(db, "q", 1)
        eventually(fn -> one!(db, "SELECT count(*) FROM _honker_dead") == 1 end)
      end)

    for text <- [":first", "second", ":third", "killed", ":fifth"], do: assert(log =~ text)
    assert one!(db, "SELECT last_error FROM _honker_dead") =~ "fifth"
  end

  test "settles as the handler asks", %{db: db} do
    worker(db, fn
      %Job{payload: "fail"} -> {:fail, "never again"}
      %Job{payload: "snooze"} -> {:snooze, 3600}
      %Job{payload: "retry"} -> {:retry, 3600}
      job -> Transaction.transaction(db, fn tx -> Job.ack(tx, job) end)
    end)

    {:ok, ids} = Queue.enqueue_many(db, "q", ["own", "snooze", "retry", "fail"])
    eventually(fn -> one!(db, "SELECT last_error FROM _honker_dead") == "never again" end)
    assert {:ok, nil} = Queue.get_job(db, Enum.at(ids, 0))
    assert {:ok, %{"state" => "pending", "attempts" => 0}} = Queue.get_job(db, Enum.at(ids, 1))
    assert {:ok, %{"state" => "pending", "attempts" => 1}} = Queue.get_job(db, Enum.at(ids, 2))
  end

  test "a payload that is not JSON is a dead letter", %{db: db} do
    worker(db, fn _ -> flunk("called") end)
    one!(db, "SELECT honker_enqueue('q', 'plain', NULL, NULL, 0, 3, NULL)")
    eventually(fn -> one!(db, "SELECT last_error FROM _honker_dead") == "the payload is not JSON" end)
  end

  test "renews the leases of long handlers", %{db: db} do
    db = Honker.configure_queue(db, "q", visibility_timeout_s: 1)
    test = self()

    worker(db, fn job ->
      send(test, {:began, job})
      receive do: (:go -> :ok), after: (2_500 -> :ok)
    end)

    {:ok, _} = Queue.enqueue(db, "q", 1)
    {:began, job} = await_message()
    assert {:ok, nil} = Queue.next_job(db, "q", "other", timeout: 2_200)
    eventually(fn -> empty?(db) end)
    assert job.attempts == 1
  end

  test "stopped, it gives back what does not end in time", %{db: db} do
    test = self()

    worker(
      db,
      fn job ->
        send(test, {:began, job.payload})
        if job.payload == "long", do: Process.sleep(:infinity), else: receive(do: (_ -> :ok), after: (20 -> :ok))
      end,
      concurrency: 2,
      grace_ms: 200
    )

    {:ok, _} = Queue.enqueue_many(db, "q", ["long", "short"])
    assert {:began, _} = await_message()
    assert {:began, _} = await_message()
    stop_supervised!({Honker.Worker, "q"})
    assert {:ok, %Job{payload: "long", attempts: 1}} = Queue.claim_one(db, "q", "w")
    assert {:ok, nil} = Queue.claim_one(db, "q", "w")
  end

  test "works for a database with a name and comes back with it", %{folder: folder} do
    test = self()
    name = __MODULE__.Db

    children = [
      {Honker, path: Path.join(folder, "named.db"), name: name},
      {Honker.Worker, db: name, queue: "q", handler: fn job -> send(test, {:done, job.payload}) end}
    ]

    start_supervised!(%{
      id: :tree,
      start: {Supervisor, :start_link, [children, [strategy: :rest_for_one]]},
      type: :supervisor
    })

    {:ok, _} = Queue.enqueue(Honker.database(name), "q", 1)
    assert await_message() == {:done, 1}
    old = Process.whereis(name)
    GenServer.stop(old, :shutdown)
    eventually(fn -> Process.whereis(name) not in [nil, old] end)
    {:ok, _} = Queue.enqueue(Honker.database(name), "q", 2)
    assert await_message() == {:done, 2}
  end
end
