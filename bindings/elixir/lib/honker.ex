defmodule Honker do
  @moduledoc """
  Durable job queues, streams, notify/listen, schedules, locks, rate limits and results inside the application's own
  SQLite file.

      {:ok, db} = Honker.open("app.db")
      {:ok, _id} = Honker.Queue.enqueue(db, "emails", %{to: "ann"})
      {:ok, job} = Honker.Queue.claim_one(db, "emails", "worker-1")
      {:ok, true} = Honker.Job.ack(db, job)
      :ok = Honker.close(db)

  Functions return `{:ok, value}` or `{:error, %Honker.Error{}}`, whose `code` is a text such as `"HONKER_BUSY"`. Wrong
  options raise `ArgumentError`.

  Under a supervisor, a database has a name:

      children = [{Honker, path: "app.db", name: MyApp.Honker}]

      db = Honker.database(MyApp.Honker)
  """

  alias Honker.{Connection, Database, Error, Listener, Notification, Outbox, Payload, Reader, Transaction, Watcher}

  @type on :: Database.t() | Transaction.t()
  @type result(value) :: {:ok, value} | {:error, Error.t()}

  @options [:extension_path, :watcher_backend, :watcher_poll_interval_ms, :adapter]

  @doc """
  Open a database file. It is created if there is none.

  Options:

    * `:extension_path` - the library; see `Honker.Extension` for the places where it is looked for
    * `:watcher_backend` - nil for file events; `"polling"`, `"kernel"` or `"shm"` is an error if it cannot work
    * `:watcher_poll_interval_ms` - the interval of polling
    * `:adapter` - a module of the behaviour `Honker.Adapter`

  The connection has `journal_mode=WAL`, `synchronous=NORMAL`, `foreign_keys=ON` and a busy timeout of 5 s. It lives until
  `close/1`, not only as long as the calling process.
  """
  @spec open(String.t(), keyword()) :: result(Database.t())
  def open(path, opts \\ []) when is_binary(path) do
    opts = Keyword.validate!(opts, @options)
    with {:ok, pid} <- Connection.start([path: path] ++ opts), do: Connection.database(pid)
  end

  @doc """
  Start a database under a supervisor, with the options of `open/2`, `:path` and `:name`.

  `Honker.database/1` returns it by that name.
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(opts) do
    opts = Keyword.validate!(opts, [:path, :name] ++ @options)
    Connection.start_link(Keyword.delete(opts, :name), Keyword.take(opts, [:name]))
  end

  @doc false
  def child_spec(opts) do
    %{id: opts[:name] || __MODULE__, start: {__MODULE__, :start_link, [opts]}, shutdown: 10_000}
  end

  @doc "Return the database that was started under a name. Raises `Honker.Error` if there is none."
  @spec database(GenServer.server()) :: Database.t()
  def database(name) do
    case Connection.database(name) do
      {:ok, db} -> db
      {:error, error} -> raise error
    end
  end

  @doc """
  Close a database. Closing twice is fine.

  An open transaction is rolled back. Processes that wait get the error `HONKER_CLOSED`.
  """
  @spec close(Database.t()) :: :ok
  def close(%Database{} = db), do: Connection.close(db)

  @doc """
  Return a database that uses other settings for a queue.

  Options: `:visibility_timeout_s`, the seconds of a lease (300), and `:max_attempts` (3). They hold for calls with the
  returned struct; `Honker.Queue.configure/3` stores settings for all processes.
  """
  @spec configure_queue(Database.t(), String.t(), keyword()) :: Database.t()
  def configure_queue(%Database{} = db, queue, opts) do
    opts = Keyword.validate!(opts, Map.to_list(Database.queue_opts(db, queue)))
    %{db | queue_opts: Map.put(db.queue_opts, queue, Map.new(opts))}
  end

  @doc """
  Send a notification to the listeners of a channel. Returns its id.

  Notifications wake, and are pruned after a while; what must not be lost is a job or an event.
  """
  @spec notify(on(), String.t(), term()) :: result(integer())
  def notify(on, channel, payload) do
    with {:ok, text} <- Payload.encode(payload), do: Connection.one(on, "SELECT notify(?, ?)", [channel, text])
  end

  @doc "Send a notification when a transaction commits."
  @spec notify_tx(Transaction.t(), String.t(), term()) :: result(integer())
  def notify_tx(%Transaction{} = tx, channel, payload), do: notify(tx, channel, payload)

  @doc "Listen to a channel, from now on. See `Honker.Listener`."
  @spec listen(Database.t(), String.t()) :: result(Listener.t())
  def listen(%Database{} = db, channel) do
    source = fn ->
      with {:ok, last} <- Connection.one(db, "SELECT honker_notification_last_id(?)", [channel]) do
        {:ok, %{start: last, read: &notifications(db, channel, &1, &2), position: & &1.id}}
      end
    end

    with {:ok, pid} <- Reader.start(db, source), do: {:ok, %Listener{pid: pid, channel: channel}}
  end

  defp notifications(db, channel, id, limit) do
    with {:ok, json} <- Connection.one(db, "SELECT honker_notification_read_since(?, ?, ?)", [channel, id, limit]) do
      {:ok, json |> Payload.decode!() |> Enum.map(&Notification.from_map/1)}
    end
  end

  @doc "Delete notifications older than some seconds. Returns their number. The option `:max_keep` bounds their number."
  @spec prune_notifications(on(), number() | nil, keyword()) :: result(non_neg_integer())
  def prune_notifications(on, older_than_s, opts \\ []) do
    opts = Keyword.validate!(opts, [:max_keep])
    Connection.one(on, "SELECT honker_notification_prune(?, ?)", [older_than_s, opts[:max_keep]])
  end

  @doc "Count one use of a name, at most `limit` in `per` seconds. Returns `{:ok, false}` if the window is full."
  @spec try_rate_limit(on(), String.t(), integer(), number()) :: result(boolean())
  def try_rate_limit(on, name, limit, per) do
    with {:ok, passes} <- Connection.one(on, "SELECT honker_rate_limit_try(?, ?, ?)", [name, limit, per]),
         do: {:ok, passes == 1}
  end

  @doc "Delete the windows of rate limits that began more than some seconds ago. Returns their number."
  @spec sweep_rate_limits(on(), number()) :: result(non_neg_integer())
  def sweep_rate_limits(on, older_than_s), do: Connection.one(on, "SELECT honker_rate_limit_sweep(?)", [older_than_s])

  @doc "Save a text as the result of a job, for `ttl_s` seconds; 0 or nil keeps it."
  @spec save_result(on(), integer(), String.t(), number() | nil) :: :ok | {:error, Error.t()}
  def save_result(on, job_id, text, ttl_s \\ nil) do
    with {:ok, _} <- Connection.one(on, "SELECT honker_result_save(?, ?, ?)", [job_id, text, ttl_s || 0]), do: :ok
  end

  @doc "Return the result of a job, or nil."
  @spec get_result(on(), integer()) :: result(String.t() | nil)
  def get_result(on, job_id), do: Connection.one(on, "SELECT honker_result_get(?)", [job_id])

  @doc "Wait for the result of a job. After `timeout` milliseconds the error is `HONKER_TIMEOUT`."
  @spec wait_result(Database.t(), integer(), timeout()) :: result(String.t())
  def wait_result(db, job_id, timeout \\ :infinity) do
    until = if timeout == :infinity, do: :infinity, else: now_ms() + timeout
    Watcher.subscribed(db, &await_result(db, job_id, until, &1))
  end

  defp await_result(db, job_id, until, subscription) do
    Watcher.arm(subscription)

    with {:ok, nil} <- get_result(db, job_id) do
      left = if until == :infinity, do: 5_000, else: min(until - now_ms(), 5_000)

      cond do
        left <= 0 -> {:error, Error.timeout("job #{job_id} has no result in time")}
        match?({:error, _}, woken = Watcher.wait(subscription, left)) -> woken
        true -> await_result(db, job_id, until, subscription)
      end
    end
  end

  @doc "Delete the results that have expired. Returns their number."
  @spec sweep_results(on()) :: result(non_neg_integer())
  def sweep_results(on), do: Connection.one(on, "SELECT honker_result_sweep()")

  @doc """
  Make an outbox. See `Honker.Outbox`.

  Options: `:visibility_timeout_s` (60), `:max_attempts` (5), `:base_backoff_s` (5).
  """
  @spec outbox(Database.t(), String.t(), Outbox.delivery(), keyword()) :: Outbox.t()
  def outbox(%Database{} = db, name, delivery, opts \\ []) when is_function(delivery, 1) or is_function(delivery, 2) do
    opts = Keyword.validate!(opts, visibility_timeout_s: 60, max_attempts: 5, base_backoff_s: 5)
    queue = "_outbox:#{name}"
    db = configure_queue(db, queue, Keyword.take(opts, [:visibility_timeout_s, :max_attempts]))
    %Outbox{db: db, name: name, queue: queue, delivery: delivery, base_backoff_s: opts[:base_backoff_s]}
  end

  @doc """
  Wait for a commit to the file, of any process, at most some milliseconds.

  A commit between two calls of a process is a wake of the second one. Returns `:changed` or `:timeout`.
  """
  @spec wait_for_update(Database.t(), timeout()) :: :changed | :timeout | {:error, Error.t()}
  def wait_for_update(%Database{} = db, timeout_ms) do
    with {:ok, subscription} <- own_subscription(db) do
      case Watcher.wait(subscription, timeout_ms) do
        :woken ->
          Watcher.arm(subscription)
          :changed

        :timeout ->
          :timeout

        error ->
          Process.delete({__MODULE__, db.conn})
          error
      end
    end
  end

  # The subscription lives as long as the process, so that no commit between two calls is missed.
  defp own_subscription(db) do
    case Process.get({__MODULE__, db.conn}) do
      nil ->
        with {:ok, subscription} <- Watcher.subscribe(db) do
          Process.put({__MODULE__, db.conn}, subscription)
          Watcher.arm(subscription)
          {:ok, subscription}
        end

      subscription ->
        {:ok, subscription}
    end
  end

  defp now_ms, do: System.monotonic_time(:millisecond)
end
