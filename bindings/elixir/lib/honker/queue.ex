defmodule Honker.Queue do
  @moduledoc """
  A queue of durable jobs, by its name.

      {:ok, id} = Honker.Queue.enqueue(db, "emails", %{to: "ann"})

      db
      |> Honker.Queue.claim("emails", "worker-1")
      |> Enum.each(fn job ->
        deliver(job.payload)
        {:ok, true} = Honker.Job.ack(db, job)
      end)

  A claim leases a job for the visibility timeout of the queue (300 s unless `Honker.configure_queue/3` changed it). A
  job whose lease expires runs again, so handlers must tolerate repeats. `Honker.Worker` runs a handler under a
  supervisor, renews the leases and settles.

  ## Options of enqueue

    * `:delay` - seconds until the first claim
    * `:run_at` - the instant of the first claim: Unix seconds or a `DateTime`
    * `:priority` - higher ones are claimed first; 0
    * `:expires` - seconds after which the job is not claimed any more
    * `:max_attempts` - instead of the queue's
    * `:key` - jobs of one key share the limits per key of the queue
    * `:unique_key` - one job of this key may exist in the queue, with `:on_conflict`, `:unique_until`, `:unique_for_s`,
      `:debounce_s`, `:debounce_max_s`
    * `:after` - ids of jobs for whose end this one waits, with `:on_parent_failure`
  """

  alias Honker.{Connection, Database, Error, Job, Payload, Transaction, Watcher}

  @flow [
    :key,
    :unique_key,
    :on_conflict,
    :unique_until,
    :unique_for_s,
    :debounce_s,
    :debounce_max_s,
    :after,
    :on_parent_failure
  ]
  @plain [:delay, :run_at, :priority, :expires, :max_attempts]
  # A look now and then, for a commit whose file event was lost and for clocks that were set.
  @idle_poll_ms 5_000
  # A job that is due and cannot be claimed, as at a limit of its queue, is looked at so often.
  @held_back_ms 50

  @type enqueue_opts :: keyword()
  @type result(value) :: {:ok, value} | {:error, Error.t()}

  @doc "Add a job. Returns its id. The payload is any value with a JSON form."
  @spec enqueue(Database.t(), String.t(), term(), enqueue_opts()) :: result(integer())
  def enqueue(%Database{} = db, queue, payload, opts \\ []) do
    {tx, opts} = Keyword.pop(opts, :tx)
    add(tx || db, queue, payload, opts, Database.queue_opts(db, queue))
  end

  @doc """
  Add a job in a transaction. It exists if the transaction commits.

  `queue_opts` are those of `Honker.configure_queue/3`, which apply otherwise.
  """
  @spec enqueue_tx(Transaction.t(), String.t(), term(), enqueue_opts(), keyword() | map() | nil) :: result(integer())
  def enqueue_tx(%Transaction{} = tx, queue, payload, opts \\ [], queue_opts \\ nil) do
    add(tx, queue, payload, opts, Map.merge(Database.queue_opts(tx.db, queue), Map.new(queue_opts || [])))
  end

  @doc "Add several jobs with the same options, all or none. Returns their ids."
  @spec enqueue_many(Database.t() | Transaction.t(), String.t(), [term()], enqueue_opts()) :: result([integer()])
  def enqueue_many(on, queue, payloads, opts \\ []) do
    opts = Keyword.validate!(opts, @plain ++ @flow)

    with {:ok, texts} <- Payload.encode(payloads),
         {:ok, flow} <- opts |> Keyword.take(@flow) |> Map.new() |> Payload.encode(),
         args = [queue, texts | plain_args(opts, Database.queue_opts(database(on), queue))] ++ [flow],
         {:ok, ids} <- Connection.one(on, "SELECT honker_enqueue_many(?, ?, ?, ?, ?, ?, ?, ?)", args) do
      {:ok, Payload.decode!(ids)}
    end
  end

  @doc "Claim the first due job. Returns `{:ok, nil}` if there is none."
  @spec claim_one(Database.t(), String.t(), String.t()) :: result(Job.t() | nil)
  def claim_one(db, queue, worker_id) do
    with {:ok, jobs} <- claim_batch(db, queue, worker_id, 1), do: {:ok, List.first(jobs)}
  end

  @doc "Claim up to `n` due jobs, highest priority first."
  @spec claim_batch(Database.t(), String.t(), String.t(), pos_integer()) :: result([Job.t()])
  def claim_batch(%Database{} = db, queue, worker_id, n) do
    %{visibility_timeout_s: lease_s} = Database.queue_opts(db, queue)

    with {:ok, jobs} <-
           Connection.claim(db, "SELECT honker_claim_batch(?, ?, ?, ?, 1)", [queue, worker_id, n, lease_s]) do
      {:ok, Enum.map(jobs, &Job.from_map/1)}
    end
  end

  @doc """
  Wait for a job and claim it.

  The process waits in a `receive`: nothing polls, and the connection is free for others. A commit of any process wakes
  it; delayed jobs and expired leases are claimed when they are due. To cancel, end the process (`Task.shutdown/2`,
  `Process.exit/2`): a job that was claimed in that moment is given back.

  Options:

    * `:timeout` - milliseconds, or `:infinity`; after it the result is `{:ok, nil}`
    * `:idle_poll_s` - seconds after which it looks without a wake, as a safety; 5, nil for never

  Closing the database ends the wait with the error `HONKER_CLOSED`.
  """
  @spec next_job(Database.t(), String.t(), String.t(), keyword()) :: result(Job.t() | nil)
  def next_job(db, queue, worker_id, opts \\ []) do
    opts = Keyword.validate!(opts, timeout: :infinity, idle_poll_s: @idle_poll_ms / 1000)

    wait = %{
      db: db,
      queue: queue,
      worker_id: worker_id,
      until: deadline(opts[:timeout]),
      idle: idle(opts[:idle_poll_s])
    }

    Watcher.subscribed(db, &await(wait, &1))
  end

  @doc """
  Claim jobs for ever, as an enumerable that waits for each.

  Takes the options of `next_job/4`; with a `:timeout` it ends when no job comes in that time. Raises `Honker.Error`,
  such as `HONKER_CLOSED` when the database is closed.
  """
  @spec claim(Database.t(), String.t(), String.t(), keyword()) :: Enumerable.t()
  def claim(db, queue, worker_id, opts \\ []) do
    Elixir.Stream.repeatedly(fn -> next_job(db, queue, worker_id, opts) end)
    |> Elixir.Stream.map(fn
      {:ok, job} -> job
      {:error, error} -> raise error
    end)
    |> Elixir.Stream.take_while(& &1)
  end

  @doc "Acknowledge several jobs. Returns the number of those that the worker still held."
  @spec ack_batch(Job.on(), [integer()], String.t()) :: result(non_neg_integer())
  def ack_batch(on, ids, worker_id) do
    with {:ok, json} <- Payload.encode(ids),
         do: Connection.one(on, "SELECT honker_ack_batch(?, ?)", [json, worker_id])
  end

  @doc "Make the expired jobs of a queue dead letters. Returns their number."
  @spec sweep_expired(Job.on(), String.t()) :: result(non_neg_integer())
  def sweep_expired(on, queue), do: Connection.one(on, "SELECT honker_sweep_expired(?)", [queue])

  @doc "Remove a job. Returns `{:ok, false}` if there is none."
  @spec cancel(Job.on(), integer()) :: result(boolean())
  def cancel(on, job_id) do
    with {:ok, removed} <- Connection.one(on, "SELECT honker_cancel(?)", [job_id]), do: {:ok, removed == 1}
  end

  @doc """
  Return a job that waits or runs, as a map with text keys (`"id"`, `"queue"`, `"payload"`, `"state"`, `"priority"`,
  `"attempts"`, `"max_attempts"` and more), or nil.
  """
  @spec get_job(Job.on(), integer()) :: result(map() | nil)
  def get_job(on, job_id) do
    case Connection.one(on, "SELECT honker_get_job(?)", [job_id]) do
      {:ok, ""} -> {:ok, nil}
      {:ok, json} -> {:ok, json |> Payload.decode!() |> Map.update!("payload", &Payload.decode/1)}
      error -> error
    end
  end

  @doc "Put a dead letter back, with all its attempts. Returns `{:ok, false}` if there is none."
  @spec requeue(Job.on(), integer()) :: result(boolean())
  def requeue(on, job_id) do
    with {:ok, found} <- Connection.one(on, "SELECT honker_requeue(?)", [job_id]), do: {:ok, found == 1}
  end

  @doc "Return the earliest instant at which a claim could find a job, in Unix seconds, or nil."
  @spec next_claim_at(Job.on(), String.t()) :: result(number() | nil)
  def next_claim_at(on, queue), do: Connection.one(on, "SELECT nullif(honker_queue_next_claim_at(?), 0)", [queue])

  @doc """
  Stop claims from a queue, in all processes, until `resume/2`. Enqueueing and settling go on.

  Options: `:until`, an instant at which it ends by itself, and `:reason`, a remark. Returns `{:ok, false}` if the queue
  was paused already.
  """
  @spec pause(Job.on(), String.t(), keyword()) :: result(boolean())
  def pause(on, queue, opts \\ []) do
    opts = Keyword.validate!(opts, [:until, :reason])
    args = [queue, unix(opts[:until]), opts[:reason]]
    with {:ok, paused} <- Connection.one(on, "SELECT honker_queue_pause(?, ?, ?)", args), do: {:ok, paused == 1}
  end

  @doc "Allow claims from a paused queue again. Returns `{:ok, false}` if it was not paused."
  @spec resume(Job.on(), String.t()) :: result(boolean())
  def resume(on, queue) do
    with {:ok, resumed} <- Connection.one(on, "SELECT honker_queue_resume(?)", [queue]), do: {:ok, resumed == 1}
  end

  @doc """
  Change settings of a queue that hold for all processes, as `%{concurrency: 4}`. Returns all settings.

  The settings are those of the SQL function `honker_queue_configure`.
  """
  @spec configure(Job.on(), String.t(), map() | keyword()) :: result(map())
  def configure(on, queue, settings) do
    with {:ok, json} <- Payload.encode(Map.new(settings)),
         {:ok, all} <- Connection.one(on, "SELECT honker_queue_configure(?, ?)", [queue, json]) do
      {:ok, Payload.decode!(all)}
    end
  end

  @doc "Count the jobs of a queue by state, as a map with text keys."
  @spec stats(Job.on(), String.t()) :: result(map())
  def stats(on, queue) do
    with {:ok, json} <- Connection.one(on, "SELECT honker_queue_stats(?)", [queue]), do: {:ok, Payload.decode!(json)}
  end

  # ------------------------------------------------------------------------------------------------------ internals

  defp add(on, queue, payload, opts, queue_opts) do
    opts = Keyword.validate!(opts, @plain ++ @flow)

    with {:ok, text} <- Payload.encode(payload) do
      if Enum.any?(@flow, &Keyword.has_key?(opts, &1)),
        do: add_related(on, queue, text, opts, queue_opts),
        else: add_plain(on, queue, text, opts, queue_opts)
    end
  end

  defp add_plain(on, queue, text, opts, queue_opts) do
    args = [queue, text | plain_args(opts, queue_opts)]
    Connection.one(on, "SELECT honker_enqueue(?, ?, ?, ?, ?, ?, ?)", args)
  end

  defp add_related(on, queue, text, opts, queue_opts) do
    options = opts |> Map.new() |> Map.put_new(:max_attempts, queue_opts.max_attempts)
    options = Map.replace_lazy(options, :run_at, &unix/1)

    with {:ok, json} <- Payload.encode(options) do
      Connection.one(on, "SELECT honker_enqueue(?, ?, ?)", [queue, text, json])
    end
  end

  defp plain_args(opts, queue_opts) do
    attempts = opts[:max_attempts] || queue_opts.max_attempts
    [unix(opts[:run_at]), opts[:delay], opts[:priority] || 0, attempts, opts[:expires]]
  end

  defp unix(%DateTime{} = at), do: DateTime.to_unix(at, :microsecond) / 1_000_000
  defp unix(other), do: other

  defp database(%Database{} = db), do: db
  defp database(%Transaction{db: db}), do: db

  defp await(wait, subscription) do
    Watcher.arm(subscription)

    case claim_one(wait.db, wait.queue, wait.worker_id) do
      {:ok, nil} -> await_news(wait, subscription)
      # Another process held the file; its commit is a wake.
      {:error, %Error{code: "HONKER_BUSY"}} -> await_news(wait, subscription)
      other -> other
    end
  end

  defp await_news(wait, subscription) do
    case left_ms(wait.until) do
      0 ->
        {:ok, nil}

      left ->
        pause = Enum.min([left, wait.idle, until_due_ms(wait)])

        case Watcher.wait(subscription, pause_ms(pause)) do
          {:error, error} -> {:error, error}
          _ -> await(wait, subscription)
        end
    end
  end

  # Atoms are greater than numbers, so :infinity is the longest pause.
  defp until_due_ms(wait) do
    sql = "SELECT at - honker_clock() FROM (SELECT nullif(honker_queue_next_claim_at(?), 0) AS at)"

    case Connection.one(wait.db, sql, [wait.queue]) do
      {:ok, nil} -> :infinity
      {:ok, seconds} when seconds > 0 -> ceil(seconds * 1000)
      _ -> @held_back_ms
    end
  end

  # The longest time of a `receive` is 2^32 - 1 ms.
  defp pause_ms(:infinity), do: :infinity
  defp pause_ms(pause), do: min(pause, 0xFFFFFFFF)

  defp deadline(:infinity), do: :infinity
  defp deadline(timeout_ms), do: now_ms() + timeout_ms

  defp left_ms(:infinity), do: :infinity
  defp left_ms(until), do: max(until - now_ms(), 0)

  defp idle(nil), do: :infinity
  defp idle(seconds), do: ceil(seconds * 1000)

  defp now_ms, do: System.monotonic_time(:millisecond)
end
