defmodule Honker.Reader do
  @moduledoc """
  The process behind a `Honker.Listener` or a `Honker.Subscription`: it holds the position and hands items out one by one.

  It ends with the process that made it. An item that was handed to a process which exited before it had received it goes
  to the next one that asks.
  """

  use GenServer

  alias Honker.{Database, Error, Watcher}

  # The reads are pages; the engine bounds their bytes.
  @page 256
  @idle_poll_ms 5_000

  @typedoc """
  A source of items: `read` gives the items after a position, `position` is that of an item, `start` the first.
  `save`, if there is one, keeps the position of the last item that is done.
  """
  @type source :: %{
          required(:start) => integer(),
          required(:read) => (integer(), pos_integer() -> {:ok, [term()]} | {:error, Error.t()}),
          required(:position) => (term() -> integer()),
          optional(:save) => (integer() -> {:ok, boolean()} | {:error, Error.t()}),
          optional(:save_every_n) => pos_integer(),
          optional(:save_every_ms) => non_neg_integer()
        }

  @doc false
  @spec start(Database.t(), (() -> {:ok, source()} | {:error, Error.t()})) :: {:ok, pid()} | {:error, Error.t()}
  def start(db, source), do: GenServer.start(__MODULE__, {db, source, self()})

  @doc """
  Wait for the next item.

  Returns `{:ok, nil}` after `timeout` milliseconds. With `HONKER_CLOSED` the database or the reader is closed.
  """
  @spec next(pid(), timeout()) :: {:ok, term() | nil} | {:error, Error.t()}
  def next(pid, timeout) do
    ref = :erlang.monitor(:process, pid, [{:alias, :demonitor}])
    GenServer.cast(pid, {:next, self(), ref, ref})

    receive do
      {:honker_item, ^ref, answer} ->
        GenServer.cast(pid, {:received, ref})
        Process.demonitor(ref, [:flush])
        answer

      {:DOWN, ^ref, :process, _pid, reason} ->
        {:error, Watcher.ended(reason)}
    after
      timeout ->
        GenServer.cast(pid, {:withdraw, ref})
        Process.demonitor(ref, [:flush])
        # An item that came in this moment is not confirmed, so the reader keeps it for the next request.
        drop(ref)
        {:ok, nil}
    end
  end

  @doc "Ask for one message `{:honker_item, ref, {:ok, item}}` to a process. Returns the ref."
  @spec request(pid(), pid()) :: reference()
  def request(pid, to) do
    ref = make_ref()
    GenServer.cast(pid, {:next, to, to, ref})
    ref
  end

  @doc "Confirm the item of `request/2`; asking for the next one does so, too."
  @spec received(pid(), reference()) :: :ok
  def received(pid, ref), do: GenServer.cast(pid, {:received, ref})

  @doc "End the reader. The position of the items that are done is saved. Closing twice is fine."
  @spec close(pid()) :: :ok
  def close(pid) do
    GenServer.stop(pid, :normal, :infinity)
  catch
    :exit, _ -> :ok
  end

  @doc "Return the items as an enumerable that waits for each, and closes the reader at its end."
  @spec stream(pid()) :: Enumerable.t()
  def stream(pid) do
    Elixir.Stream.resource(
      fn -> pid end,
      fn pid ->
        case next(pid, :infinity) do
          {:ok, item} -> {[item], pid}
          {:error, error} -> raise error
        end
      end,
      &close/1
    )
  end

  defp drop(ref) do
    receive do
      {:honker_item, ^ref, _answer} -> :ok
    after
      0 -> :ok
    end
  end

  # -------------------------------------------------------------------------------------------------------- process

  @impl true
  def init({db, source, owner}) do
    Process.monitor(owner)

    # Subscribe first, then take the position, so that no commit between the two is missed.
    with {:ok, subscription} <- Watcher.subscribe(db), {:ok, source} <- source.() do
      {:ok,
       %{
         source: source,
         subscription: subscription,
         owner: owner,
         position: source.start,
         items: [],
         asked: :queue.new(),
         handed: %{},
         done: source.start,
         saved: source.start,
         unsaved: 0,
         saved_ms: now_ms(),
         timer: nil
       }}
    else
      {:error, error} -> {:stop, error}
    end
  end

  @impl true
  def handle_cast({:next, pid, to, ref}, state) do
    # Asking for the next item says that the ones before are done.
    state = state |> confirm_all_of(pid) |> save_if_due()
    asked = %{to: to, ref: ref, pid: pid, monitor: Process.monitor(pid)}
    {:noreply, serve(%{state | asked: :queue.in(asked, state.asked)})}
  end

  def handle_cast({:received, ref}, state) do
    {:noreply, update_in(state.handed, &Map.replace_lazy(&1, ref, fn each -> %{each | is_received: true} end))}
  end

  def handle_cast({:withdraw, ref}, state), do: {:noreply, state |> withdraw(&(&1.ref == ref)) |> serve()}

  @impl true
  def handle_info({:honker_wake, ref}, %{subscription: %{ref: ref}} = state), do: {:noreply, serve(state)}

  def handle_info({:DOWN, ref, :process, _pid, reason}, %{subscription: %{ref: ref}} = state) do
    {:stop, if(reason == {:shutdown, :died}, do: reason, else: :normal), %{state | subscription: nil}}
  end

  def handle_info({:DOWN, _ref, :process, owner, _reason}, %{owner: owner} = state), do: {:stop, :normal, state}

  def handle_info({:DOWN, monitor, :process, _pid, _reason}, state) do
    {:noreply, state |> withdraw(&(&1.monitor == monitor)) |> serve()}
  end

  def handle_info(:look, state), do: {:noreply, serve(%{state | timer: nil})}
  def handle_info(_message, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, %{subscription: nil}), do: :ok

  def terminate(_reason, state) do
    save(state)
    Watcher.unsubscribe(state.subscription)
  end

  defp serve(state) do
    case :queue.peek(state.asked) do
      :empty ->
        save_if_due(state)

      {:value, asked} ->
        case fill(state) do
          {:ok, %{items: [item | items]} = state} -> serve(hand(state, asked, item, items))
          {:ok, state} -> look_later(state)
          {:error, error} -> refuse(state, asked, error)
        end
    end
  end

  defp fill(%{items: [_ | _]} = state), do: {:ok, state}

  defp fill(state) do
    Watcher.arm(state.subscription)

    case state.source.read.(state.position, @page) do
      {:ok, []} -> {:ok, state}
      {:ok, items} -> {:ok, %{state | items: items, position: state.source.position.(List.last(items))}}
      {:error, error} -> {:error, error}
    end
  end

  defp hand(state, asked, item, items) do
    send(asked.to, {:honker_item, asked.ref, {:ok, item}})
    handed = Map.put(state.handed, asked.ref, Map.merge(asked, %{item: item, is_received: false}))
    %{state | items: items, asked: :queue.drop(state.asked), handed: handed}
  end

  # The next look is at the next wake; a lock that was not free is tried again soon.
  defp refuse(state, _asked, %Error{code: "HONKER_BUSY"}), do: look_later(state)

  defp refuse(state, asked, error) do
    send(asked.to, {:honker_item, asked.ref, {:error, error}})
    Process.demonitor(asked.monitor, [:flush])
    serve(%{state | asked: :queue.drop(state.asked)})
  end

  defp look_later(%{timer: nil} = state) do
    state = save_if_due(state)
    pause = if state.unsaved > 0, do: state.source.save_every_ms, else: @idle_poll_ms
    %{state | timer: Process.send_after(self(), :look, max(pause, 1))}
  end

  defp look_later(state), do: state

  # The process whose item was not confirmed is gone, or no longer waits: the item is the next one again.
  defp withdraw(state, is_it) do
    asked = :queue.filter(fn each -> not (is_it.(each) and demonitored(each)) end, state.asked)
    {gone, handed} = Enum.split_with(state.handed, fn {_ref, each} -> is_it.(each) end)
    for {_ref, each} <- gone, do: demonitored(each)
    {received, lost} = gone |> Enum.map(&elem(&1, 1)) |> Enum.split_with(& &1.is_received)
    items = Enum.sort_by(Enum.map(lost, & &1.item) ++ state.items, state.source.position)
    %{Enum.reduce(received, state, &done/2) | asked: asked, handed: Map.new(handed), items: items}
  end

  defp confirm_all_of(state, pid) do
    {mine, others} = Enum.split_with(state.handed, fn {_ref, each} -> each.pid == pid end)
    for {_ref, each} <- mine, do: demonitored(each)
    %{Enum.reduce(mine, state, fn {_ref, each}, state -> done(each, state) end) | handed: Map.new(others)}
  end

  defp done(each, state) do
    %{state | done: max(state.done, state.source.position.(each.item)), unsaved: state.unsaved + 1}
  end

  defp demonitored(each), do: Process.demonitor(each.monitor, [:flush])

  defp save_if_due(%{source: %{save: _}, unsaved: unsaved} = state) when unsaved > 0 do
    is_due = unsaved >= state.source.save_every_n or now_ms() - state.saved_ms >= state.source.save_every_ms
    if is_due, do: save(state), else: state
  end

  defp save_if_due(state), do: %{state | unsaved: 0}

  # An offset that could not be saved is saved with the next one; until then events may come twice.
  defp save(%{source: %{save: save}} = state) do
    offset = safe_position(state)

    with true <- offset > state.saved, {:ok, _} <- save.(offset) do
      %{state | saved: offset, unsaved: 0, saved_ms: now_ms()}
    else
      _ -> state
    end
  end

  defp save(state), do: %{state | unsaved: 0}

  # Of several processes, one may be done with an event while another still has the one before.
  defp safe_position(state) do
    open = Enum.map(state.handed, fn {_ref, each} -> each.item end) ++ Enum.take(state.items, 1)
    Enum.reduce(open, state.done, fn item, safe -> min(safe, state.source.position.(item) - 1) end)
  end

  defp now_ms, do: System.monotonic_time(:millisecond)
end
