defmodule Honker.SchedulerTest do
  use Honker.Case, async: true

  test "schedule and cron are the same option, and update changes only what is given", %{db: db} do
    assert :ok = Scheduler.add(db, name: "a", queue: "q", schedule: "0 3 * * *", payload: %{n: 1})
    assert :ok = Scheduler.add(db, name: "b", queue: "q", cron: "@every 30s", payload: nil, time_zone: "UTC")
    assert {:ok, true} = Scheduler.update(db, "a", priority: 4, expires_s: 60)
    assert {:ok, true} = Scheduler.update(db, "a", cron: "@daily", expires_s: nil)
    assert {:ok, [a, b]} = Scheduler.list(db)
    assert %{"cron_expr" => "@daily", "priority" => 4, "payload" => %{"n" => 1}, "expires_s" => nil} = a
    assert %{"time_zone" => "UTC"} = b
    assert {:ok, false} = Scheduler.update(db, "nowhere", priority: 1)
    assert {:error, %Error{code: "HONKER_INVALID_ARGUMENT"}} = Scheduler.add(db, name: "c", queue: "q", schedule: "x")
    assert_raise ArgumentError, fn -> Scheduler.add(db, nmae: "c") end
  end

  test "tick fires what is due", %{db: db} do
    assert {:ok, nil} = Scheduler.soonest(db)
    :ok = Scheduler.add(db, name: "a", queue: "q", schedule: "@every 30s", payload: 7)
    {:ok, at} = Scheduler.soonest(db)
    assert {:ok, []} = Scheduler.tick(db)
    assert {:ok, [%{"name" => "a", "queue" => "q"}]} = Scheduler.tick(db, at + 1)
    assert {:ok, %Job{payload: 7}} = Queue.claim_one(db, "q", "w")
  end

  test "run ends by its stop function and releases the leadership", %{db: db} do
    stop = :atomics.new(1, [])
    :ok = Scheduler.add(db, name: "a", queue: "q", schedule: "@every 1s", payload: 1)
    task = Task.async(fn -> Scheduler.run(db, "a", fn -> :atomics.get(stop, 1) == 1 end) end)
    assert {:ok, %Job{payload: 1}} = Queue.next_job(db, "q", "w", timeout: 10_000)
    :atomics.put(stop, 1, 1)
    assert Task.await(task) == :ok
    assert {:ok, %Lock{}} = Lock.try_acquire(db, "honker-scheduler", "other", 60)
  end

  test "a killed leader hands over at once", %{db: db} do
    :ok = Scheduler.add(db, name: "a", queue: "q", schedule: "@every 1s", payload: 1)
    first = Task.async(fn -> Scheduler.run(db, "a") end)
    eventually(fn -> one!(db, "SELECT honker_lock_token('honker-scheduler', 'a')") end)
    second = Task.async(fn -> Scheduler.run(db, "b") end)
    until_waiting(second.pid)
    assert Task.shutdown(first, :brutal_kill) == nil
    eventually(fn -> one!(db, "SELECT honker_lock_token('honker-scheduler', 'b')") end)
    Task.shutdown(second, :brutal_kill)
  end

  test "a standby does not write while others commit", %{db: db} do
    {:ok, lock} = Lock.try_acquire(db, "honker-scheduler", "other", 60)
    task = Task.async(fn -> Scheduler.run(db, "me") end)
    until_waiting(task.pid)
    before = one!(db, "SELECT total_changes()")
    for n <- 1..20, do: {:ok, _} = Honker.notify(db, "c", n)
    assert one!(db, "SELECT total_changes()") - before < 60
    {:ok, true} = Lock.release(lock, db)
    eventually(fn -> one!(db, "SELECT honker_lock_token('honker-scheduler', 'me')") end)
    Task.shutdown(task, :brutal_kill)
  end

  test "runs under a supervisor", %{db: db} do
    :ok = Scheduler.add(db, name: "a", queue: "q", schedule: "@every 1s", payload: 1)
    start_supervised!({Scheduler, db: db, owner: "node"})
    assert {:ok, %Job{}} = Queue.next_job(db, "q", "w", timeout: 10_000)
  end

  test "locks have one owner", %{db: db} do
    assert {:ok, %Lock{} = lock} = Lock.try_acquire(db, "l", "a", 60)
    assert {:ok, nil} = Lock.try_acquire(db, "l", "b", 60)
    assert {:ok, true} = Lock.heartbeat(lock, db, 90)
    assert {:ok, true} = Lock.release(lock, db)
    assert {:ok, false} = Lock.release(lock, db)
    assert {:ok, false} = Lock.heartbeat(lock, db, 90)
  end
end
