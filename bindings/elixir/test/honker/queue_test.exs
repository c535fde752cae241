defmodule Honker.QueueTest do
  use Honker.Case, async: true

  @payloads [
    nil,
    true,
    0,
    -9_007_199_254_740_993,
    0.5,
    "",
    "a\0b",
    "ä€😀\"\\\n",
    [],
    [1, [nil]],
    %{},
    %{"a" => %{"" => [1.25, "x"]}},
    String.duplicate("€", 400_000)
  ]

  test "payloads of every JSON type come back", %{db: db} do
    for payload <- @payloads do
      {:ok, id} = Queue.enqueue(db, "q", payload)
      assert {:ok, %Job{id: ^id, payload: ^payload, attempts: 1, max_attempts: 3} = job} = Queue.claim_one(db, "q", "w")
      assert {:ok, true} = Job.ack(db, job)
    end
  end

  test "atoms and dates are text, a struct without a JSON form is an error", %{db: db} do
    {:ok, _} = Queue.enqueue(db, "q", %{at: ~U[2026-01-02 03:04:05Z], kind: :mail, n: nil})
    assert {:ok, %Job{payload: payload}} = Queue.claim_one(db, "q", "w")
    assert payload == %{"at" => "2026-01-02T03:04:05Z", "kind" => "mail", "n" => nil}
    assert {:error, %Error{code: "HONKER_INVALID_ARGUMENT"}} = Queue.enqueue(db, "q", {:a, 1})
    assert {:error, %Error{code: "HONKER_INVALID_ARGUMENT"}} = Queue.enqueue(db, "q", self())
    assert {:error, %Error{code: "HONKER_INVALID_ARGUMENT"}} = Queue.enqueue(db, "q", <<255>>)
  end

  test "a payload that is not JSON is marked and not lost", %{db: db} do
    one!(db, "SELECT honker_enqueue('q', 'plain text', NULL, NULL, 0, 3, NULL)")
    assert {:ok, %Job{payload: {:invalid_json, "plain text"}} = job} = Queue.claim_one(db, "q", "w")
    assert {:ok, true} = Job.ack(db, job)
  end

  test "run_at may be a DateTime, and delay a fraction", %{db: db} do
    {:ok, _} = Queue.enqueue(db, "q", 1, run_at: DateTime.add(DateTime.utc_now(), 3600))
    {:ok, _} = Queue.enqueue(db, "q", 2, delay: 0.01)
    assert {:ok, %Job{payload: 2} = job} = Queue.next_job(db, "q", "w", timeout: 5_000)
    assert {:ok, true} = Job.ack(db, job)
    assert {:ok, nil} = Queue.claim_one(db, "q", "w")
    assert {:ok, at} = Queue.next_claim_at(db, "q")
    assert_in_delta at, System.os_time(:second) + 3600, 60
  end

  test "an unknown option raises", %{db: db} do
    assert_raise ArgumentError, fn -> Queue.enqueue(db, "q", 1, prioirty: 3) end
  end

  test "the settings of configure_queue are used", %{db: db} do
    db = Honker.configure_queue(db, "q", max_attempts: 1, visibility_timeout_s: 1000)
    {:ok, id} = Queue.enqueue(db, "q", 1)
    assert {:ok, %{"max_attempts" => 1, "state" => "pending"}} = Queue.get_job(db, id)
    {:ok, job} = Queue.claim_one(db, "q", "w")
    assert_in_delta job.claim_expires_at, System.os_time(:second) + 1000, 60
    assert_raise ArgumentError, fn -> Honker.configure_queue(db, "q", colour: 1) end
  end

  test "unique keys, keys and dependencies", %{db: db} do
    {:ok, first} = Queue.enqueue(db, "q", 1, unique_key: "u")
    assert {:ok, ^first} = Queue.enqueue(db, "q", 2, unique_key: "u")

    assert {:error, %Error{code: "HONKER_UNIQUE_KEY_TAKEN"}} =
             Queue.enqueue(db, "q", 2, unique_key: "u", on_conflict: "raise")

    {:ok, child} = Queue.enqueue(db, "q", 3, after: [first])
    assert {:ok, [job]} = Queue.claim_batch(db, "q", "w", 10)
    assert job.id == first
    {:ok, true} = Job.ack(db, job)
    assert {:ok, %Job{id: ^child}} = Queue.claim_one(db, "q", "w")
    {:ok, _} = Queue.enqueue(db, "k", 4, key: "customer 7")
    assert {:ok, %Job{key: "customer 7"}} = Queue.claim_one(db, "k", "w")
  end

  test "enqueue_many adds all or none", %{db: db} do
    assert {:ok, [1, 2, 3]} = Queue.enqueue_many(db, "q", [%{n: 1}, nil, "x"], priority: 2)
    assert {:error, %Error{}} = Queue.enqueue_many(db, "q", [1, {:no}])
    assert {:ok, %{"ready" => 3}} = Queue.stats(db, "q")
    {:ok, [_, _]} = Queue.enqueue_many(db, "k", [1, 2], key: "customer 7", max_attempts: 9)
    assert {:ok, [%Job{key: "customer 7"}, %Job{key: "customer 7"}]} = Queue.claim_batch(db, "k", "w", 9)
    assert_raise ArgumentError, fn -> Queue.enqueue_many(db, "k", [1], colour: 1) end
  end

  test "a job is settled once", %{db: db} do
    {:ok, _} = Queue.enqueue_many(db, "q", [1, 2, 3, 4, 5])
    {:ok, [a, b, c, d, e]} = Queue.claim_batch(db, "q", "w", 5)
    assert {:ok, true} = Job.ack(db, a)
    assert {:ok, false} = Job.ack(db, a)
    assert {:ok, true} = Job.retry(db, b, 3600, nil)
    assert {:ok, true} = Job.fail(db, c, nil)
    assert {:ok, true} = Job.heartbeat(db, d, 500)
    assert {:ok, true} = Job.snooze(db, d, 3600)
    assert {:ok, true} = Job.release(db, e)
    assert {:ok, true} = Queue.requeue(db, c.id)
    assert {:ok, false} = Queue.requeue(db, c.id)
    assert {:ok, %Job{id: id, attempts: 1}} = Queue.claim_one(db, "q", "w")
    assert id in [c.id, e.id]
  end

  test "settings of a queue hold for all handles", %{db: db} do
    assert {:ok, %{"concurrency" => 1}} = Queue.configure(db, "q", concurrency: 1)
    {:ok, _} = Queue.enqueue_many(db, "q", [1, 2])
    assert {:ok, [job]} = Queue.claim_batch(db, "q", "w", 2)
    waiting = Task.async(fn -> Queue.next_job(db, "q", "w", timeout: 5_000) end)
    {:ok, true} = Job.ack(db, job)
    assert {:ok, %Job{payload: 2}} = Task.await(waiting)
  end

  test "a paused queue wakes its workers when it is resumed", %{db: db} do
    assert {:ok, true} = Queue.pause(db, "q", reason: "maintenance")
    assert {:ok, false} = Queue.pause(db, "q")
    {:ok, _} = Queue.enqueue(db, "q", 1)
    waiting = Task.async(fn -> Queue.next_job(db, "q", "w", idle_poll_s: nil) end)
    assert Task.yield(waiting, 50) == nil
    assert {:ok, true} = Queue.resume(db, "q")
    assert {:ok, %Job{payload: 1}} = Task.await(waiting)
    assert {:ok, false} = Queue.resume(db, "q")
  end
end
