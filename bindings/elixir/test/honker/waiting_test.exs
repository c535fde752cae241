defmodule Honker.WaitingTest do
  use Honker.Case, async: true

  defp until_no_change(db) do
    with :changed <- Honker.wait_for_update(db, :infinity), do: until_no_change(db)
  end

  test "next_job ends after its timeout", %{db: db} do
    assert {:ok, nil} = Queue.next_job(db, "q", "w", timeout: 20)
  end

  test "a waiting claim lets others write and takes their job", %{db: db} do
    task = Task.async(fn -> Queue.next_job(db, "q", "w", idle_poll_s: nil) end)
    until_waiting(task.pid)
    {:ok, id} = Queue.enqueue(db, "q", 1)
    assert {:ok, %Job{id: ^id}} = Task.await(task)
  end

  test "close ends every wait with the closed error", %{db: db} do
    {:ok, listener} = Honker.listen(db, "c")
    {:ok, subscription} = Honker.Stream.subscribe(db, "t", "c")

    waits = [
      fn -> Queue.next_job(db, "q", "w", idle_poll_s: nil) end,
      fn -> Honker.wait_result(db, 1) end,
      fn -> until_no_change(db) end,
      fn -> Honker.Listener.next(listener) end,
      fn -> Subscription.next(subscription) end,
      fn -> Scheduler.run(db, "me") end,
      fn -> Outbox.run(Honker.outbox(db, "o", &Function.identity/1), "w") end
    ]

    tasks = Enum.map(waits, &Task.async/1)
    Enum.each(tasks, &until_waiting(&1.pid))
    Honker.close(db)
    for task <- tasks, do: assert({:error, %Error{code: "HONKER_CLOSED"}} = Task.await(task))
  end

  test "a killed wait takes no job", %{db: db} do
    task = Task.async(fn -> Queue.next_job(db, "q", "w") end)
    until_waiting(task.pid)
    assert Task.shutdown(task, :brutal_kill) == nil
    {:ok, _} = Queue.enqueue(db, "q", 1)
    assert {:ok, %Job{attempts: 1}} = Queue.claim_one(db, "q", "w")
  end

  test "a process that is killed while it claims loses no job", %{db: db} do
    db = Honker.configure_queue(db, "q", visibility_timeout_s: 3600)
    {:ok, ids} = Queue.enqueue_many(db, "q", Enum.to_list(1..200))
    table = :ets.new(:claimed, [:public, :duplicate_bag])

    for n <- 1..200 do
      pid =
        spawn(fn ->
          for job <- Queue.claim(db, "q", "w#{n}", timeout: 1_000) do
            :ets.insert(table, {job.id})
            Process.sleep(:infinity)
          end
        end)

      # The kills hit every moment of a claim: the number of reductions until the kill varies.
      for _ <- 1..(:rand.uniform(60) * 20), do: :erlang.yield()
      Process.exit(pid, :kill)
    end

    rest =
      Enum.map(Queue.claim(db, "q", "rest", timeout: 200, idle_poll_s: 0.05), fn job ->
        {:ok, true} = Job.ack(db, job)
        job.id
      end)

    seen = for {id} <- :ets.tab2list(table), do: id
    # A process may also be killed between the receipt of a job and its note in the table.
    assert length(ids -- (rest ++ seen)) <= 2
    assert length(rest) > 20
  end

  test "claims of many processes share the jobs", %{db: db} do
    test = self()

    workers =
      for n <- 1..5 do
        Task.async(fn ->
          for job <- Queue.claim(db, "q", "w#{n}", timeout: 300) do
            {:ok, true} = Job.ack(db, job)
            send(test, {:done, job.id})
          end
        end)
      end

    {:ok, ids} = Queue.enqueue_many(db, "q", Enum.to_list(1..100))
    Task.await_many(workers, 20_000)
    done = for _ <- ids, do: elem(await_message(), 1)
    assert Enum.sort(done) == ids
  end

  test "a commit before arming is a wake at once", %{db: db} do
    alias Honker.Watcher
    {:ok, late} = Watcher.subscribe(db)
    {:ok, early} = Watcher.subscribe(db)
    Watcher.arm(early)
    {:ok, _} = Queue.enqueue(db, "q", 1)
    # The watcher has seen the commit when it wakes the other subscriber.
    assert Watcher.wait(early, 5_000) == :woken
    Watcher.arm(late)
    assert Watcher.wait(late, 5_000) == :woken
    Watcher.arm(late)
    assert Watcher.wait(late, 20) == :timeout
  end

  test "wakes are not kept as messages", %{db: db} do
    assert {:ok, nil} = Queue.next_job(db, "q", "w", timeout: 1)
    {:ok, _} = Queue.enqueue(db, "other", 1)
    assert {:ok, nil} = Queue.next_job(db, "q", "w", timeout: 20)
    assert Process.info(self(), :messages) == {:messages, []}
  end

  test "a file that is replaced ends the wait", %{db: db, path: path} do
    task = Task.async(fn -> Queue.next_job(db, "q", "w") end)
    {:ok, other} = Honker.open(path <> ".new")
    Honker.close(other)
    until_waiting(task.pid)
    File.rename!(path <> ".new", path)
    assert {:error, %Error{code: code}} = Task.await(task, 15_000)
    assert code in ["HONKER_WATCHER", "HONKER_IO", "HONKER_CORRUPT"]
  end
end
