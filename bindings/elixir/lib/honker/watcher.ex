defmodule Honker.Watcher do
  @moduledoc """
  Wakes processes after commits to a database, by any connection of any process.

  The engine writes to a pipe after a commit; a port of this process reads it. Nothing polls, and a process that waits
  can be sent messages, or be killed.

  A subscriber arms itself, looks into the database, and then waits:

      Honker.Watcher.subscribed(db, fn subscription ->
        Honker.Watcher.arm(subscription)
        look_into_the_database()
        Honker.Watcher.wait(subscription, 5_000)
      end)

  A commit between the two is a wake, too. An armed subscriber gets one message, `{:honker_wake, ref}`, however many
  commits there are.
  """

  use GenServer

  alias Honker.{Connection, Database, Error}

  @enforce_keys [:pid, :ref]
  defstruct [:pid, :ref]

  @type t :: %__MODULE__{pid: pid(), ref: reference()}

  # Without a descriptor, as on Windows, subscribers are woken so often.
  @blind_ms 1_000

  @doc false
  @spec start_link(integer() | nil) :: GenServer.on_start()
  def start_link(descriptor), do: GenServer.start_link(__MODULE__, descriptor)

  @doc false
  @spec stop(pid()) :: :ok
  def stop(pid) do
    GenServer.stop(pid, :shutdown, :infinity)
  catch
    :exit, _ -> :ok
  end

  @doc "Subscribe this process to the commits of a database. The subscription ends with the process."
  @spec subscribe(Database.t()) :: {:ok, t()} | {:error, Error.t()}
  def subscribe(db) do
    with {:ok, pid} <- Connection.watcher(db) do
      ref = :erlang.monitor(:process, pid, [{:alias, :explicit_unalias}])
      GenServer.cast(pid, {:subscribe, self(), ref})
      {:ok, %__MODULE__{pid: pid, ref: ref}}
    end
  end

  @doc "End a subscription."
  @spec unsubscribe(t()) :: :ok
  def unsubscribe(%__MODULE__{pid: pid, ref: ref}) do
    :erlang.unalias(ref)
    Process.demonitor(ref, [:flush])
    GenServer.cast(pid, {:unsubscribe, ref})
    flush(ref)
  end

  @doc "Subscribe for as long as a function runs. Returns its value."
  @spec subscribed(Database.t(), (t() -> value)) :: value | {:error, Error.t()} when value: term()
  def subscribed(db, run) do
    with {:ok, subscription} <- subscribe(db) do
      try do
        run.(subscription)
      after
        unsubscribe(subscription)
      end
    end
  end

  @doc "Ask for a message after the next commit, or at once after a commit since the last message."
  @spec arm(t()) :: :ok
  def arm(%__MODULE__{pid: pid, ref: ref}), do: GenServer.cast(pid, {:arm, ref})

  @doc "Wait for the message that `arm/1` asked for, at most some milliseconds."
  @spec wait(t(), timeout()) :: :woken | :timeout | {:error, Error.t()}
  def wait(%__MODULE__{ref: ref}, timeout_ms) do
    receive do
      {:honker_wake, ^ref} -> :woken
      {:DOWN, ^ref, :process, _pid, reason} -> {:error, ended(reason)}
    after
      timeout_ms -> :timeout
    end
  end

  @doc "Return the error of a subscription whose watcher ended for this reason."
  @spec ended(term()) :: Error.t()
  def ended({:shutdown, :died}) do
    Error.new("HONKER_WATCHER", "the database file was deleted, moved or replaced; close it and open it again")
  end

  def ended(_reason), do: Error.closed()

  defp flush(ref) do
    receive do
      {:honker_wake, ^ref} -> flush(ref)
    after
      0 -> :ok
    end
  end

  # -------------------------------------------------------------------------------------------------------- process

  @impl true
  def init(nil) do
    :timer.send_interval(@blind_ms, :tick)
    {:ok, %{port: nil, subscribers: %{}}}
  end

  def init(descriptor) do
    Process.flag(:trap_exit, true)
    port = Port.open({:fd, descriptor, descriptor}, [:binary, :in, :eof])
    {:ok, %{port: port, subscribers: %{}}}
  end

  # A subscriber is armed, or idle, or owed: there was a commit since its last message.
  @impl true
  def handle_cast({:subscribe, pid, ref}, state) do
    {:noreply, put_in(state.subscribers[ref], %{is: :idle, monitor: Process.monitor(pid)})}
  end

  def handle_cast({:unsubscribe, ref}, state) do
    {subscriber, subscribers} = Map.pop(state.subscribers, ref)
    if subscriber, do: Process.demonitor(subscriber.monitor, [:flush])
    {:noreply, %{state | subscribers: subscribers}}
  end

  def handle_cast({:arm, ref}, state) do
    case state.subscribers do
      %{^ref => %{is: :owed} = subscriber} ->
        send(ref, {:honker_wake, ref})
        {:noreply, put_in(state.subscribers[ref], %{subscriber | is: :idle})}

      %{^ref => subscriber} ->
        {:noreply, put_in(state.subscribers[ref], %{subscriber | is: :armed})}

      _ ->
        {:noreply, state}
    end
  end

  @impl true
  def handle_info({port, {:data, _bytes}}, %{port: port} = state), do: {:noreply, wake(state)}
  def handle_info(:tick, state), do: {:noreply, wake(state)}
  def handle_info({port, :eof}, %{port: port} = state), do: {:stop, {:shutdown, :died}, state}
  def handle_info({:EXIT, port, _reason}, %{port: port} = state), do: {:stop, {:shutdown, :died}, %{state | port: nil}}
  # The connection ended without closing its watcher.
  def handle_info({:EXIT, _pid, _reason}, state), do: {:stop, :shutdown, state}

  def handle_info({:DOWN, monitor, :process, _pid, _reason}, state) do
    {:noreply, update_in(state.subscribers, &Map.reject(&1, fn {_ref, each} -> each.monitor == monitor end))}
  end

  def handle_info(_message, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, %{port: nil}), do: :ok
  def terminate(_reason, %{port: port}), do: Port.close(port)

  defp wake(state) do
    update_in(state.subscribers, fn subscribers ->
      Map.new(subscribers, fn
        {ref, %{is: :armed} = subscriber} ->
          send(ref, {:honker_wake, ref})
          {ref, %{subscriber | is: :idle}}

        {ref, subscriber} ->
          {ref, %{subscriber | is: :owed}}
      end)
    end)
  end
end
