defmodule Honker.Worker do
  @moduledoc """
  A supervised worker: it claims jobs, runs a handler for each in a process of its own, and settles them.

      children = [
        {Honker, path: "app.db", name: MyApp.Honker},
        {Honker.Worker, db: MyApp.Honker, queue: "emails", handler: &MyApp.Mailer.deliver/1, concurrency: 4}
      ]

  ## Options

    * `:db` - the database, or the name of a supervised one
    * `:queue`
    * `:handler` - a function of the `Honker.Job`
    * `:worker_id` - its name in claims; unique by default
    * `:concurrency` - handlers at the same time; 1
    * `:retry_delay_s` - seconds, or a function of the attempt; 60
    * `:grace_ms` - milliseconds for running handlers when the worker is stopped; 15,000
    * `:idle_poll_s` - seconds after which it looks without a wake, as a safety; 5
    * `:name` - a name of the process

  ## The value of the handler

    * `{:error, reason}` or `:error`, an exception or an exit: the job is retried after `:retry_delay_s`, and a dead
      letter after its last attempt
    * `{:retry, delay_s}`: retried after this delay
    * `{:fail, reason}`: a dead letter at once
    * `{:snooze, delay_s}`: put off, without a charge
    * everything else: acknowledged

  Leases are renewed while handlers run. When the supervisor stops the worker, it claims no more, running handlers have
  `:grace_ms`, and the jobs of the others are given back without a charge. A job that is settled by its handler in a
  transaction (`Honker.Job.ack/2` with the transaction) is left alone.
  """

  use GenServer

  require Logger

  alias Honker.{Connection, Database, Error, Job, Outcome, Payload, Queue, Watcher}

  @busy_pause_ms 100
  @held_back_ms 50

  @defaults [
    concurrency: 1,
    retry_delay_s: 60,
    grace_ms: 15_000,
    idle_poll_s: 5
  ]

  @doc "Start a worker; see the options above."
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(opts) do
    opts = Keyword.validate!(opts, [:db, :queue, :handler, :worker_id, :name] ++ @defaults)
    GenServer.start_link(__MODULE__, opts, Keyword.take(opts, [:name]))
  end

  @doc false
  def child_spec(opts) do
    grace_ms = Keyword.get(opts, :grace_ms, @defaults[:grace_ms])

    %{
      id: opts[:name] || {__MODULE__, opts[:queue]},
      start: {__MODULE__, :start_link, [opts]},
      # The settlements come after the grace.
      shutdown: grace_ms + 10_000
    }
  end

  @impl true
  def init(opts) do
    Process.flag(:trap_exit, true)

    with {:ok, db} <- database(opts[:db]), {:ok, subscription} <- Watcher.subscribe(db) do
      {:ok, tasks} = Task.Supervisor.start_link()
      lease_s = Database.queue_opts(db, opts[:queue]).visibility_timeout_s
      heartbeat_ms = max(ceil(lease_s * 1000 / 3), 100)
      Process.send_after(self(), :heartbeat, heartbeat_ms)

      state = %{
        db: db,
        subscription: subscription,
        tasks: tasks,
        queue: opts[:queue],
        handler: opts[:handler],
        worker_id: opts[:worker_id] || unique_id(),
        concurrency: opts[:concurrency],
        retry_delay_s: opts[:retry_delay_s],
        grace_ms: opts[:grace_ms],
        idle_ms: ceil(opts[:idle_poll_s] * 1000),
        lease_s: lease_s,
        heartbeat_ms: heartbeat_ms,
        running: %{},
        timer: nil
      }

      {:ok, state, {:continue, :look}}
    else
      {:error, error} -> {:stop, error}
    end
  end

  @impl true
  def handle_continue(:look, state), do: look(state)

  @impl true
  def handle_info({:honker_wake, ref}, %{subscription: %{ref: ref}} = state), do: look(state)
  def handle_info(:look, state), do: look(%{state | timer: nil})

  def handle_info({:DOWN, ref, :process, _pid, reason}, %{subscription: %{ref: ref}} = state) do
    {:stop, {:shutdown, Watcher.ended(reason)}, state}
  end

  def handle_info({ref, outcome}, state) when is_map_key(state.running, ref) do
    Process.demonitor(ref, [:flush])
    state |> ended(ref, outcome) |> look()
  end

  def handle_info({:DOWN, ref, :process, _pid, reason}, state) when is_map_key(state.running, ref) do
    state |> ended(ref, {:raised, Outcome.text({:exit, reason})}) |> look()
  end

  def handle_info(:heartbeat, state) do
    heartbeat(state)
    Process.send_after(self(), :heartbeat, state.heartbeat_ms)
    {:noreply, state}
  end

  def handle_info({:EXIT, pid, reason}, %{tasks: pid} = state), do: {:stop, reason, state}
  def handle_info({:EXIT, _pid, :normal}, state), do: {:noreply, state}
  def handle_info({:EXIT, _pid, reason}, state), do: {:stop, reason, state}
  def handle_info(_message, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, state) do
    state = finish(state, now_ms() + state.grace_ms)

    for {_ref, %{job: job, pid: pid}} <- state.running do
      Task.Supervisor.terminate_child(state.tasks, pid)
      Job.release(state.db, job)
    end
  end

  defp look(state) do
    case state.concurrency - map_size(state.running) do
      0 ->
        {:noreply, state}

      free ->
        Watcher.arm(state.subscription)

        case Queue.claim_batch(state.db, state.queue, state.worker_id, free) do
          {:ok, jobs} when length(jobs) == free -> {:noreply, Enum.reduce(jobs, state, &start/2)}
          {:ok, jobs} -> {:noreply, jobs |> Enum.reduce(state, &start/2) |> look_at_due()}
          {:error, %Error{code: "HONKER_BUSY"}} -> {:noreply, look_in(state, @busy_pause_ms)}
          {:error, error} -> {:stop, {:shutdown, error}, state}
        end
    end
  end

  defp look_at_due(state) do
    sql = "SELECT at - honker_clock() FROM (SELECT nullif(honker_queue_next_claim_at(?), 0) AS at)"

    case Connection.one(state.db, sql, [state.queue]) do
      {:ok, seconds} when is_number(seconds) and seconds > 0 -> look_in(state, ceil(seconds * 1000))
      {:ok, seconds} when is_number(seconds) -> look_in(state, @held_back_ms)
      _ -> look_in(state, state.idle_ms)
    end
  end

  defp look_in(state, pause_ms) do
    if state.timer, do: Process.cancel_timer(state.timer)
    %{state | timer: Process.send_after(self(), :look, min(pause_ms, state.idle_ms))}
  end

  defp start(%Job{payload: {:invalid_json, _}} = job, state) do
    log_lost(Job.fail(state.db, job, "the payload is not JSON"), job)
    state
  end

  defp start(job, state) do
    handler = state.handler
    task = Task.Supervisor.async_nolink(state.tasks, fn -> Outcome.of(fn -> handler.(job) end) end)
    put_in(state.running[task.ref], %{job: job, pid: task.pid})
  end

  defp ended(state, ref, outcome) do
    {%{job: job}, running} = Map.pop(state.running, ref)
    log_lost(settle(state, job, outcome), job)
    %{state | running: running}
  end

  defp settle(state, job, {:raised, text}), do: retry(state, job, text)
  defp settle(state, job, {:returned, :error}), do: retry(state, job, "the handler returned :error")
  defp settle(state, job, {:returned, {:error, reason}}), do: retry(state, job, Outcome.text(reason))

  defp settle(state, job, {:returned, {:retry, delay_s}}) when is_number(delay_s),
    do: Job.retry(state.db, job, delay_s, "the handler asked for a retry")

  defp settle(state, job, {:returned, {:fail, reason}}), do: Job.fail(state.db, job, Outcome.text(reason))

  defp settle(state, job, {:returned, {:snooze, delay_s}}) when is_number(delay_s),
    do: Job.snooze(state.db, job, delay_s)

  defp settle(state, job, {:returned, _value}) do
    # False for a job that the handler has settled itself.
    with {:ok, _held} <- Job.ack(state.db, job), do: {:ok, true}
  end

  defp retry(state, job, text) do
    Logger.warning("job #{job.id} of #{job.queue}, attempt #{job.attempts}, failed: #{text}")
    delay_s = if is_function(state.retry_delay_s, 1), do: state.retry_delay_s.(job.attempts), else: state.retry_delay_s
    Job.retry(state.db, job, delay_s, text)
  end

  defp log_lost({:ok, true}, _job), do: :ok

  defp log_lost({:ok, false}, job) do
    Logger.warning("the lease of job #{job.id} of #{job.queue} had expired before it was settled")
  end

  defp log_lost({:error, error}, job) do
    Logger.error("job #{job.id} of #{job.queue} could not be settled: #{Exception.message(error)}")
  end

  defp heartbeat(%{running: running}) when running == %{}, do: :ok

  defp heartbeat(state) do
    claims = for {_ref, %{job: job}} <- state.running, do: [job.id, job.attempts]

    with {:ok, json} <- Payload.encode(claims),
         {:error, error} <-
           Connection.one(state.db, "SELECT honker_heartbeat_batch(?, ?, ?)", [json, state.worker_id, state.lease_s]) do
      Logger.warning("leases were not renewed: #{Exception.message(error)}")
    end
  end

  defp finish(%{running: running} = state, _deadline) when running == %{}, do: state

  defp finish(state, deadline) do
    receive do
      {ref, outcome} when is_map_key(state.running, ref) ->
        Process.demonitor(ref, [:flush])
        state |> ended(ref, outcome) |> finish(deadline)

      {:DOWN, ref, :process, _pid, reason} when is_map_key(state.running, ref) ->
        state |> ended(ref, {:raised, Outcome.text({:exit, reason})}) |> finish(deadline)

      :heartbeat ->
        {:noreply, state} = handle_info(:heartbeat, state)
        finish(state, deadline)
    after
      max(deadline - now_ms(), 0) -> state
    end
  end

  defp database(%Database{} = db), do: {:ok, db}
  defp database(name), do: Connection.database(name)

  defp unique_id, do: "#{node()}-#{System.pid()}-#{System.unique_integer([:positive])}"

  defp now_ms, do: System.monotonic_time(:millisecond)
end
