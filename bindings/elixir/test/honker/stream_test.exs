defmodule Honker.StreamTest do
  use Honker.Case, async: true

  alias Honker.{Listener, Notification, StreamEvent}

  test "publish, read and offsets", %{db: db} do
    assert {:ok, 1} = Honker.Stream.publish(db, "t", %{n: 1})
    assert {:ok, 2} = Honker.Stream.publish(db, "t", [2], key: "k")
    assert {:ok, [%StreamEvent{offset: 1, key: nil}, event]} = Honker.Stream.read_since(db, "t", 0, 10)
    assert %StreamEvent{offset: 2, topic: "t", key: "k", payload: [2]} = event
    assert {:ok, true} = Honker.Stream.save_offset(db, "c", "t", 1)
    assert {:ok, [%StreamEvent{offset: 2}]} = Honker.Stream.read_from_consumer(db, "t", "c", 10)
    assert {:ok, false} = Honker.Stream.save_offset(db, "c", "t", 1)
    assert {:ok, 1} = Honker.Stream.get_offset(db, "c", "t")
  end

  test "a subscription saves the offsets of the events that are done", %{db: db} do
    for n <- 1..5, do: {:ok, ^n} = Honker.Stream.publish(db, "t", n)
    {:ok, subscription} = Honker.Stream.subscribe(db, "t", "c", save_every_n: 2, save_every_s: 3600)
    for n <- 1..4, do: assert({:ok, %StreamEvent{payload: ^n}} = Subscription.next(subscription))
    assert {:ok, 2} = Honker.Stream.get_offset(db, "c", "t")
    # The fourth is not done: its process has not asked for another.
    Subscription.close(subscription)
    Subscription.close(subscription)
    assert {:ok, 3} = Honker.Stream.get_offset(db, "c", "t")
    assert {:error, %Error{code: "HONKER_CLOSED"}} = Subscription.next(subscription)
    {:ok, subscription} = Honker.Stream.subscribe(db, "t", "c")
    assert {:ok, %StreamEvent{payload: 4}} = Subscription.next(subscription)
  end

  test "an idle subscription saves its offset after save_every_s", %{db: db} do
    {:ok, _} = Honker.Stream.publish(db, "t", 1)
    {:ok, subscription} = Honker.Stream.subscribe(db, "t", "c", save_every_s: 0.02)
    assert {:ok, %StreamEvent{}} = Subscription.next(subscription)
    assert {:ok, nil} = Subscription.next(subscription, 10)
    eventually(fn -> Honker.Stream.get_offset(db, "c", "t") == {:ok, 1} end)
  end

  test "an enumerable of events closes its subscription", %{db: db} do
    for n <- 1..600, do: {:ok, _} = Honker.Stream.publish(db, "t", n)
    {:ok, subscription} = Honker.Stream.subscribe(db, "t", "c")
    events = subscription |> Subscription.stream() |> Enum.take(600)
    assert Enum.map(events, & &1.payload) == Enum.to_list(1..600)
    assert {:error, %Error{code: "HONKER_CLOSED"}} = Subscription.next(subscription)
    assert {:ok, 599} = Honker.Stream.get_offset(db, "c", "t")
  end

  test "a listener gets what is sent after it began", %{db: db} do
    {:ok, _} = Honker.notify(db, "c", "before")
    {:ok, listener} = Honker.listen(db, "c")
    assert {:ok, nil} = Listener.next(listener, 10)
    task = Task.async(fn -> Listener.next(listener) end)
    {:ok, _} = Honker.notify(db, "other", 0)
    {:ok, id} = Honker.notify(db, "c", %{n: 1})
    assert {:ok, %Notification{id: ^id, channel: "c", payload: %{"n" => 1}}} = Task.await(task)
  end

  test "a listener sends messages that are asked for", %{db: db} do
    {:ok, listener} = Honker.listen(db, "c")
    ref = Listener.request(listener)
    {:ok, _} = Honker.notify(db, "c", 1)
    {:ok, _} = Honker.notify(db, "c", 2)
    assert_receive {:honker_item, ^ref, {:ok, %Notification{payload: 1}}}, 5_000
    refute_received {:honker_item, _, _}
    ref = Listener.request(listener)
    assert_receive {:honker_item, ^ref, {:ok, %Notification{payload: 2}}}, 5_000
  end

  test "a listener ends with the process that made it", %{db: db} do
    {:ok, listener} = Task.await(Task.async(fn -> Honker.listen(db, "c") end))
    eventually(fn -> not Process.alive?(listener.pid) end)
    assert {:error, %Error{code: "HONKER_CLOSED"}} = Listener.next(listener)
  end

  test "a killed process takes no notification with it", %{db: db} do
    {:ok, listener} = Honker.listen(db, "c")
    for n <- 1..50, do: {:ok, _} = Honker.notify(db, "c", n)
    test = self()

    for _ <- 1..50 do
      pid = spawn(fn -> send(test, {:got, Listener.next(listener)}) end)
      for _ <- 1..:rand.uniform(40), do: :erlang.yield()
      Process.exit(pid, :kill)
    end

    rest = Elixir.Stream.repeatedly(fn -> Listener.next(listener, 100) end) |> Enum.take_while(&(&1 != {:ok, nil}))
    assert {:messages, got} = Process.info(self(), :messages)
    # A process may be killed between the receipt and its message to the test.
    assert (length(got) + length(rest)) in 47..50
    payloads = for {:ok, notification} <- rest, do: notification.payload
    assert payloads == Enum.uniq(payloads)
  end
end
