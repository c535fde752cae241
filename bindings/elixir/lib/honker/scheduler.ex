defmodule Honker.Scheduler do
  @moduledoc """
  Schedules: each fire of one enqueues a job.

      :ok = Honker.Scheduler.add(db, name: "nightly", queue: "reports", schedule: "0 3 * * *", payload: %{})

  `run/4` fires them. Any number of processes may run it: one leads, the others stand by. Under a supervisor:

      children = [{Honker.Scheduler, db: db, owner: "node-a"}]
  """

  alias Honker.{Connection, Database, Error, Payload, Watcher}

  @lock "honker-scheduler"
  @ttl_s 60
  @renew_ms 20_000
  # The longest sleep: clocks are set, and a leader may end without a commit that others could see.
  @idle_poll_ms 15_000
  # A stop function is asked so often. The database is not.
  @stop_poll_ms 100
  @busy_pause_ms 100

  @policies [:time_zone, :misfire, :overlap, :when_paused]

  @type result(value) :: {:ok, value} | {:error, Error.t()}

  @doc """
  Store a schedule, replacing an earlier one of the same name.

  Options: `:name`, `:queue`, `:schedule` (or `:cron`; a crontab line, `@daily` or `@every 30s`), `:payload`,
  `:priority` (0), `:expires_s` (never), `:max_attempts` (3), `:time_zone`, `:misfire`, `:overlap`, `:when_paused`.
  """
  @spec add(Database.t() | Honker.Transaction.t(), keyword()) :: :ok | {:error, Error.t()}
  def add(on, opts) do
    opts =
      Keyword.validate!(
        opts,
        [:name, :queue, :schedule, :cron, :payload, :expires_s, priority: 0, max_attempts: 3] ++ @policies
      )

    with {:ok, payload} <- Payload.encode(opts[:payload]),
         args = [opts[:name], opts[:queue], expression(opts), payload, opts[:priority], opts[:expires_s]],
         {:ok, _} <- register(on, args ++ [opts[:max_attempts]], Enum.map(@policies, &opts[&1])),
         do: :ok
  end

  defp register(on, args, [nil, nil, nil, nil]) do
    Connection.one(on, "SELECT honker_scheduler_register(?, ?, ?, ?, ?, ?, ?)", args)
  end

  defp register(on, args, policies) do
    Connection.one(on, "SELECT honker_scheduler_register(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", args ++ policies)
  end

  @doc "Remove a schedule. Returns `{:ok, false}` if there is none."
  @spec remove(Database.t(), String.t()) :: result(boolean())
  def remove(on, name), do: boolean(on, "SELECT honker_scheduler_unregister(?)", [name])

  @doc "Pause a schedule. Returns `{:ok, false}` if it was paused, or there is none."
  @spec pause(Database.t(), String.t()) :: result(boolean())
  def pause(on, name), do: boolean(on, "SELECT honker_scheduler_pause(?)", [name])

  @doc "Let a paused schedule fire again."
  @spec resume(Database.t(), String.t()) :: result(boolean())
  def resume(on, name), do: boolean(on, "SELECT honker_scheduler_resume(?)", [name])

  @doc """
  List the schedules, as maps with text keys (`"name"`, `"queue"`, `"cron_expr"`, `"payload"`, `"enabled"`,
  `"next_fire_at"` and more).
  """
  @spec list(Database.t()) :: result([map()])
  def list(on) do
    with {:ok, json} <- Connection.one(on, "SELECT honker_scheduler_list()") do
      {:ok, json |> Payload.decode!() |> Enum.map(fn each -> Map.update!(each, "payload", &Payload.decode/1) end)}
    end
  end

  @doc """
  Change properties of a schedule: those that are among the options. `expires_s: nil` removes the expiry.

  Returns `{:ok, false}` if there is no such schedule.
  """
  @spec update(Database.t(), String.t(), keyword()) :: result(boolean())
  def update(on, name, opts) do
    opts = Keyword.validate!(opts, [:schedule, :cron, :payload, :priority, :expires_s, :max_attempts] ++ @policies)

    with {:ok, payload} <- if(Keyword.has_key?(opts, :payload), do: Payload.encode(opts[:payload]), else: {:ok, nil}) do
      args = [
        name,
        expression(opts),
        payload,
        opts[:priority],
        opts[:expires_s],
        Keyword.has_key?(opts, :expires_s),
        opts[:max_attempts],
        Keyword.has_key?(opts, :max_attempts)
      ]

      boolean(
        on,
        "SELECT honker_scheduler_update(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        args ++ Enum.map(@policies, &opts[&1])
      )
    end
  end

  @doc "Fire what is due. Returns the fires, as maps with `\"name\"`, `\"queue\"`, `\"fire_at\"` and `\"job_id\"`."
  @spec tick(Database.t()) :: result([map()])
  def tick(on) do
    with {:ok, json} <- Connection.one(on, "SELECT honker_scheduler_tick(honker_clock())"),
         do: {:ok, Payload.decode!(json)}
  end

  @doc "Fire what is due at an instant, in Unix seconds."
  @spec tick(Database.t(), number()) :: result([map()])
  def tick(on, now) do
    with {:ok, json} <- Connection.one(on, "SELECT honker_scheduler_tick(?)", [now]), do: {:ok, Payload.decode!(json)}
  end

  @doc "Return the instant of the next fire, in Unix seconds; nil without a schedule."
  @spec soonest(Database.t()) :: result(number() | nil)
  def soonest(on), do: Connection.one(on, "SELECT nullif(honker_scheduler_soonest(), 0)")

  @doc """
  Fire schedules until `stop` returns true, or the process ends.

  Returns `:ok` after `stop`, and an error such as `HONKER_CLOSED`. The leadership is the lock `honker-scheduler`; it is
  renewed, and released when this returns or the process exits, so that another takes over at once. Without a `stop`
  function, end the process (`Task.shutdown/2`, `Process.exit/2`).
  """
  @spec run(Database.t(), String.t(), (() -> boolean()) | nil) :: :ok | {:error, Error.t()}
  def run(db, owner, stop \\ nil) do
    with {:ok, ref} <- Connection.at_exit(db, "SELECT honker_lock_release(?, ?)", [@lock, owner]) do
      try do
        Watcher.subscribed(
          db,
          &lead(%{db: db, owner: owner, stop: stop || fn -> false end, polls: stop != nil}, &1, :new)
        )
      after
        Connection.one(db, "SELECT honker_lock_release(?, ?)", [@lock, owner])
        Connection.forget(db, ref)
      end
    end
  end

  @doc "Start a process that runs the schedules. Options: `:db`, `:owner` and, optional, `:name`."
  @spec start_link(keyword()) :: {:ok, pid()}
  def start_link(opts) do
    opts = Keyword.validate!(opts, [:db, :owner, :name])

    Task.start_link(fn ->
      if opts[:name], do: Process.register(self(), opts[:name])
      {:error, error} = run(opts[:db], opts[:owner] || "#{node()}-#{inspect(self())}")
      raise error
    end)
  end

  @doc false
  def child_spec(opts), do: %{id: opts[:name] || __MODULE__, start: {__MODULE__, :start_link, [opts]}}

  # ------------------------------------------------------------------------------------------------------ internals

  # `renewed_ms` is the time of the last renewal while this process leads; `:new` before its first try, nil while it
  # stands by. Most wakes find nothing to do: they must cost a read, and no write lock.
  defp lead(run, subscription, renewed_ms) do
    Watcher.arm(subscription)

    if run.stop.() do
      :ok
    else
      with {:ok, renewed_ms} <- keep_lock(run, renewed_ms), {:ok, longest_ms} <- fire(run, renewed_ms) do
        pause(run, subscription, renewed_ms, longest_ms)
      else
        # A file that is locked will be free; other errors end the run.
        {:error, %Error{code: "HONKER_BUSY"}} -> pause(run, subscription, renewed_ms, @busy_pause_ms)
        {:error, error} -> {:error, error}
      end
    end
  end

  defp keep_lock(run, nil) do
    case left_ms(run, "SELECT honker_lock_expires_at(?) - honker_clock()", [@lock]) do
      {:ok, left} when is_integer(left) and left > 0 -> {:ok, nil}
      {:ok, _} -> acquire(run)
      error -> error
    end
  end

  defp keep_lock(run, renewed_ms) do
    if renewed_ms != :new and now_ms() - renewed_ms < @renew_ms, do: {:ok, renewed_ms}, else: acquire(run)
  end

  defp acquire(run) do
    now = now_ms()

    with {:ok, held} <- Connection.one(run.db, "SELECT honker_lock_acquire(?, ?, ?)", [@lock, run.owner, @ttl_s]) do
      {:ok, if(held == 1, do: now)}
    end
  end

  # Returns the time until the next fire of the leader, or until the lock of another one ends.
  defp fire(run, nil), do: left_ms(run, "SELECT honker_lock_expires_at(?) - honker_clock()", [@lock])

  defp fire(run, renewed_ms) do
    case left_ms(run, "SELECT nullif(honker_scheduler_soonest(), 0) - honker_clock()", []) do
      {:ok, left} when is_integer(left) and left <= 0 ->
        with {:ok, fires} <- tick(run.db) do
          # A boundary that is due and does not fire has an error; it is tried at the next wake.
          if fires == [], do: {:ok, @idle_poll_ms}, else: fire(run, renewed_ms)
        end

      other ->
        other
    end
  end

  defp pause(run, subscription, renewed_ms, longest_ms) do
    until_renewal = if is_integer(renewed_ms), do: renewed_ms + @renew_ms - now_ms(), else: @idle_poll_ms
    pause_ms = [longest_ms, until_renewal, @idle_poll_ms] |> Enum.min() |> max(0)
    sleep(run, subscription, renewed_ms, now_ms() + pause_ms)
  end

  defp sleep(run, subscription, renewed_ms, until) do
    left = max(until - now_ms(), 0)
    slice = if run.polls, do: min(left, @stop_poll_ms), else: left

    case Watcher.wait(subscription, slice) do
      {:error, error} -> {:error, error}
      :timeout when slice < left -> if run.stop.(), do: :ok, else: sleep(run, subscription, renewed_ms, until)
      _ -> lead(run, subscription, renewed_ms)
    end
  end

  # Returns milliseconds, or :infinity for NULL, which is greater than every number.
  defp left_ms(run, sql, args) do
    case Connection.one(run.db, sql, args) do
      {:ok, nil} -> {:ok, :infinity}
      {:ok, seconds} -> {:ok, ceil(seconds * 1000)}
      error -> error
    end
  end

  defp expression(opts), do: opts[:schedule] || opts[:cron]

  defp boolean(on, sql, args) do
    with {:ok, value} <- Connection.one(on, sql, args), do: {:ok, value == 1}
  end

  defp now_ms, do: System.monotonic_time(:millisecond)
end
