defmodule Honker.Connection do
  @moduledoc """
  The process that holds the connection of a database handle.

  It runs the calls one after the other. A transaction has the connection for itself from its BEGIN to its end: calls of
  other processes wait for the end, as long as the busy timeout. The transaction of a process that exits is rolled back.

  Two promises for processes that are killed:

    * Jobs of a claim are handed over: until the claiming process has confirmed them, its exit gives them back.
    * `at_exit/3` runs a statement when a process exits, so that the lock of a killed scheduler is released.
  """

  use GenServer

  alias Honker.{Database, Error, Watcher}

  @busy_timeout_ms 5_000
  # The pauses between two tries for a lock: short at first, since most transactions are.
  @busy_pauses_ms [1, 1, 2, 3, 5, 8, 13, 20]

  @pragmas ~w(synchronous=NORMAL foreign_keys=ON cache_size=-32000 temp_store=MEMORY wal_autocheckpoint=10000 mmap_size=0)

  @release "SELECT honker_release(?, ?, ?)"

  @typep op ::
           {:rows, String.t(), list()}
           | {:script, String.t()}
           | {:claim, String.t(), list()}
           | :begin
           | :commit
           | :rollback

  # -------------------------------------------------------------------------------------------------------- callers

  @doc false
  @spec start(keyword()) :: GenServer.on_start()
  def start(options), do: GenServer.start(__MODULE__, options)

  @doc false
  @spec start_link(keyword(), GenServer.options()) :: GenServer.on_start()
  def start_link(options, server_options), do: GenServer.start_link(__MODULE__, options, server_options)

  @doc "Return the database of a connection."
  @spec database(GenServer.server()) :: {:ok, Database.t()} | {:error, Error.t()}
  def database(conn) do
    with {:ok, {path, watcher_id}} <- call(conn, :opened) do
      {:ok, %Database{conn: conn, path: path, watcher_id: watcher_id}}
    end
  end

  @doc "Run an operation, in the transaction with this reference, or outside of one."
  @spec run(Database.t() | GenServer.server(), reference() | nil, op()) :: {:ok, term()} | :ok | {:error, Error.t()}
  def run(db, tx, op), do: call(db, {:run, tx, op})

  @doc "Run a statement and return the first value of its first row, nil without a row."
  @spec one(Database.t() | Honker.Transaction.t(), String.t(), list()) :: {:ok, term()} | {:error, Error.t()}
  def one(on, sql, args \\ []) do
    with {:ok, rows} <- rows(on, sql, args) do
      {:ok, rows |> List.first([nil]) |> hd()}
    end
  end

  @doc "Run a statement and return its rows, each a list of values."
  @spec rows(Database.t() | Honker.Transaction.t(), String.t(), list()) :: {:ok, [list()]} | {:error, Error.t()}
  def rows(on, sql, args \\ [])
  def rows(%Honker.Transaction{} = tx, sql, args), do: run(tx.conn, tx.ref, {:rows, sql, args})
  def rows(%Database{} = db, sql, args), do: run(db, nil, {:rows, sql, args})

  @doc "Run a claim; the exit of this process before the jobs have reached it gives them back."
  @spec claim(Database.t(), String.t(), list()) :: {:ok, [map()]} | {:error, Error.t()}
  def claim(db, sql, args) do
    with {:ok, {jobs, handover}} <- run(db, nil, {:claim, sql, args}) do
      if handover, do: GenServer.cast(db.conn, {:received, handover})
      {:ok, jobs}
    end
  end

  @doc "Return the watcher of the database, and start it first if there is none."
  @spec watcher(Database.t()) :: {:ok, pid()} | {:error, Error.t()}
  def watcher(db), do: call(db, :watcher)

  @doc "Run a statement when this process exits, unless `forget/2` is called before."
  @spec at_exit(Database.t(), String.t(), list()) :: {:ok, reference()} | {:error, Error.t()}
  def at_exit(db, sql, args), do: call(db, {:at_exit, self(), sql, args})

  @doc "Take back `at_exit/3`."
  @spec forget(Database.t(), reference()) :: :ok
  def forget(db, ref), do: GenServer.cast(db.conn, {:forget, ref})

  @doc "Close the connection. Closing twice is fine."
  @spec close(Database.t()) :: :ok
  def close(db) do
    GenServer.stop(db.conn, :normal, :infinity)
  catch
    :exit, _ -> :ok
  end

  defp call(%Database{conn: conn}, request), do: call(conn, request)

  defp call(conn, request) do
    GenServer.call(conn, request, :infinity)
  catch
    :exit, {_reason, {GenServer, :call, _}} -> {:error, Error.closed()}
  end

  # -------------------------------------------------------------------------------------------------------- opening

  @impl true
  def init(options) do
    # The driver's process is linked; its end must not take the reason away from the caller of `open`.
    Process.flag(:trap_exit, true)

    with {:ok, adapter} <- adapter(options),
         {:ok, library} <- Honker.Extension.path(options[:extension_path]),
         {:ok, conn} <- adapter.open(options[:path]) do
      state = %{
        adapter: adapter,
        conn: conn,
        path: options[:path],
        watching: Keyword.take(options, [:watcher_backend, :watcher_poll_interval_ms]),
        watcher: nil,
        watcher_id: nil,
        tx: nil,
        waiting: [],
        handovers: %{},
        at_exit: %{}
      }

      case prepare(state, library) do
        {:ok, state} ->
          {:ok, state}

        {:error, error} ->
          adapter.close(conn)
          {:stop, error}
      end
    else
      {:error, error} -> {:stop, error}
    end
  end

  defp adapter(options) do
    case options[:adapter] do
      nil -> Honker.Adapter.find()
      adapter -> {:ok, adapter}
    end
  end

  defp prepare(state, library) do
    pragmas = ["busy_timeout=#{state.adapter.busy_timeout_ms()}", "journal_mode=WAL" | @pragmas]

    with :ok <- each(pragmas, &query(state, "PRAGMA " <> &1, [])),
         :ok <- state.adapter.load_extension(state.conn, library),
         {:ok, _} <- query(state, "SELECT honker_bootstrap()", []),
         {:ok, [[file]]} <- query(state, "SELECT file FROM pragma_database_list WHERE name = 'main'", []) do
      state = %{state | path: file}
      # A backend that was asked for by name is tried at once: a wrong one is an error of `open`.
      if Enum.any?(state.watching, fn {_, value} -> value end), do: watch(state), else: {:ok, state}
    end
  end

  defp each(items, run) do
    Enum.find_value(items, :ok, fn item -> with {:ok, _} <- run.(item), do: nil end)
  end

  # ------------------------------------------------------------------------------------------------------- requests

  @impl true
  def handle_call({:run, tx, op}, from, state), do: {:noreply, request(state, tx, op, from)}

  def handle_call(:watcher, _from, %{watcher: nil} = state) do
    case watch(state) do
      {:ok, state} -> {:reply, {:ok, state.watcher}, state}
      error -> {:reply, error, state}
    end
  end

  def handle_call(:watcher, _from, state), do: {:reply, {:ok, state.watcher}, state}

  def handle_call({:at_exit, pid, sql, args}, _from, state) do
    ref = Process.monitor(pid)
    {:reply, {:ok, ref}, put_in(state.at_exit[ref], {sql, args})}
  end

  def handle_call(:opened, _from, state), do: {:reply, {:ok, {state.path, state.watcher_id}}, state}

  @impl true
  def handle_cast({:received, ref}, state) do
    Process.demonitor(ref, [:flush])
    {:noreply, update_in(state.handovers, &Map.delete(&1, ref))}
  end

  def handle_cast({:forget, ref}, state) do
    Process.demonitor(ref, [:flush])
    {:noreply, update_in(state.at_exit, &Map.delete(&1, ref))}
  end

  @impl true
  def handle_info({:DOWN, ref, :process, _pid, _reason}, %{tx: %{monitor: ref}} = state) do
    {:noreply, state |> roll_back() |> serve_waiting()}
  end

  def handle_info({:DOWN, ref, :process, _pid, _reason}, state) do
    {jobs, handovers} = Map.pop(state.handovers, ref, [])
    {statement, at_exit} = Map.pop(state.at_exit, ref)
    state = %{state | handovers: handovers, at_exit: at_exit}
    statements = List.wrap(statement) ++ Enum.map(jobs, &release/1)

    {:noreply,
     Enum.reduce(statements, state, fn {sql, args}, state -> request(state, nil, {:rows, sql, args}, nil) end)}
  end

  def handle_info({:waited, ref}, state) do
    {late, waiting} = Enum.split_with(state.waiting, fn {_op, _from, each} -> each == ref end)
    for {_op, from, _ref} <- late, do: reply(from, {:error, busy()})
    {:noreply, %{state | waiting: waiting}}
  end

  # A watcher that died is closed; the next subscription opens a new one.
  def handle_info({:EXIT, pid, _reason}, %{watcher: pid} = state),
    do: {:noreply, close_watcher(%{state | watcher: nil})}

  def handle_info(_message, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, state) do
    state = if state.tx, do: roll_back(state), else: state
    given_back = state.handovers |> Map.values() |> List.flatten() |> Enum.map(&release/1)
    for {sql, args} <- Map.values(state.at_exit) ++ given_back, do: query(state, sql, args)
    # The port lets go of the descriptor before the subscription closes it.
    if state.watcher, do: Watcher.stop(state.watcher)
    close_watcher(state)
    state.adapter.close(state.conn)
  end

  # --------------------------------------------------------------------------------------------------- transactions

  defp request(%{tx: nil} = state, nil, op, from), do: perform(state, op, from)
  defp request(%{tx: %{ref: ref}} = state, ref, op, from), do: perform(state, op, from)

  defp request(state, tx, _op, from) when tx != nil do
    reply(from, {:error, Error.new("HONKER_TRANSACTION_NOT_STARTED", "the transaction has ended")})
    state
  end

  defp request(%{tx: %{owner: owner}} = state, nil, _op, {owner, _tag} = from) do
    reply(
      from,
      {:error,
       Error.new(
         "HONKER_NESTED_TRANSACTION",
         "this process has a transaction open on the database; pass the transaction to the call, or end it first"
       )}
    )

    state
  end

  defp request(state, nil, op, from) do
    ref = make_ref()
    # A statement without a caller, which gives something back, waits as long as it takes.
    if from, do: Process.send_after(self(), {:waited, ref}, @busy_timeout_ms)
    %{state | waiting: state.waiting ++ [{op, from, ref}]}
  end

  defp serve_waiting(%{tx: nil, waiting: [{op, from, _ref} | rest]} = state) do
    %{state | waiting: rest} |> request(nil, op, from) |> serve_waiting()
  end

  defp serve_waiting(state), do: state

  defp perform(state, {:rows, sql, args}, from) do
    reply(from, query(state, sql, args))
    state
  end

  defp perform(state, {:script, sql}, from) do
    reply(from, patiently(state, fn -> state.adapter.script(state.conn, sql) end))
    state
  end

  defp perform(state, {:claim, sql, args}, {pid, _tag} = from) do
    case query(state, sql, args) do
      {:ok, [["[]"]]} ->
        reply(from, {:ok, {[], nil}})
        state

      {:ok, [[json]]} ->
        jobs = Honker.Payload.decode!(json)
        handover = Process.monitor(pid)
        reply(from, {:ok, {jobs, handover}})
        put_in(state.handovers[handover], jobs)

      error ->
        reply(from, error)
        state
    end
  end

  defp perform(state, :begin, {pid, _tag} = from) do
    case query(state, "BEGIN IMMEDIATE", []) do
      {:ok, _} ->
        tx = %{ref: make_ref(), owner: pid, monitor: Process.monitor(pid)}
        reply(from, {:ok, tx.ref})
        %{state | tx: tx}

      error ->
        reply(from, error)
        state
    end
  end

  defp perform(state, :commit, from) do
    case query(state, "COMMIT", []) do
      {:ok, _} ->
        reply(from, :ok)
        state |> end_tx() |> serve_waiting()

      # The transaction stays open, for another try or a rollback, unless SQLite has rolled it back.
      {:error, error} ->
        reply(from, {:error, error})
        if error.message =~ "no transaction is active", do: state |> end_tx() |> serve_waiting(), else: state
    end
  end

  defp perform(state, :rollback, from) do
    state = roll_back(state)
    reply(from, :ok)
    serve_waiting(state)
  end

  defp roll_back(state) do
    # Fails only if SQLite has rolled the transaction back before.
    query(state, "ROLLBACK", [])
    end_tx(state)
  end

  defp end_tx(state) do
    Process.demonitor(state.tx.monitor, [:flush])
    %{state | tx: nil}
  end

  # ----------------------------------------------------------------------------------------------------- statements

  defp query(state, sql, args) do
    with {:ok, values} <- bindable(args) do
      patiently(state, fn -> state.adapter.rows(state.conn, sql, values) end)
    end
  end

  # A statement that found the file locked has done nothing, so it may be repeated.
  defp patiently(%{adapter: adapter}, run) do
    case run.() do
      {:error, %Error{code: "HONKER_BUSY"}} = busy ->
        if adapter.busy_timeout_ms() == 0,
          do: repeat(run, busy, now_ms() + @busy_timeout_ms, @busy_pauses_ms),
          else: busy

      other ->
        other
    end
  end

  defp repeat(run, busy, deadline, [pause | pauses]) do
    if now_ms() >= deadline do
      busy
    else
      Process.sleep(pause)

      case run.() do
        {:error, %Error{code: "HONKER_BUSY"}} = busy ->
          repeat(run, busy, deadline, if(pauses == [], do: [pause], else: pauses))

        other ->
          other
      end
    end
  end

  defp bindable(args) do
    Enum.reduce_while(args, {:ok, []}, fn arg, {:ok, values} ->
      case bindable_value(arg) do
        {:ok, value} -> {:cont, {:ok, [value | values]}}
        error -> {:halt, error}
      end
    end)
    |> case do
      {:ok, values} -> {:ok, Enum.reverse(values)}
      error -> error
    end
  end

  defp bindable_value(true), do: {:ok, 1}
  defp bindable_value(false), do: {:ok, 0}
  defp bindable_value(nil), do: {:ok, nil}
  defp bindable_value(value) when is_binary(value) or is_float(value), do: {:ok, value}
  defp bindable_value({:blob, bytes} = value) when is_binary(bytes), do: {:ok, value}

  defp bindable_value(value) when is_integer(value) and value >= -0x8000000000000000 and value <= 0x7FFFFFFFFFFFFFFF,
    do: {:ok, value}

  defp bindable_value(%DateTime{} = at), do: {:ok, DateTime.to_unix(at, :microsecond) / 1_000_000}
  defp bindable_value(value) when is_atom(value), do: {:ok, Atom.to_string(value)}

  defp bindable_value(value) do
    {:error, Error.new("HONKER_INVALID_ARGUMENT", "#{inspect(value, limit: 5)} is no value of SQLite")}
  end

  # ------------------------------------------------------------------------------------------------------- watching

  defp watch(state) do
    args = [state.path, state.watching[:watcher_backend], state.watching[:watcher_poll_interval_ms], "pipe"]

    with {:ok, [[id]]} <- query(state, "SELECT honker_update_watcher_open(?, ?, ?, ?)", args),
         {:ok, [[descriptor]]} <- query(state, "SELECT honker_update_watcher_fd(?)", [id]),
         {:ok, watcher} <- Watcher.start_link(descriptor) do
      {:ok, %{state | watcher: watcher, watcher_id: id}}
    end
  end

  defp close_watcher(%{watcher_id: nil} = state), do: state

  defp close_watcher(state) do
    query(state, "SELECT honker_update_watcher_close(?)", [state.watcher_id])
    %{state | watcher_id: nil}
  end

  defp release(job), do: {@release, [job["id"], job["worker_id"], job["attempts"]]}

  defp reply(nil, _answer), do: :ok
  defp reply(from, answer), do: GenServer.reply(from, answer)

  defp busy do
    Error.new(
      "HONKER_BUSY",
      "another process had a transaction open on this handle for more than #{@busy_timeout_ms} ms; " <>
        "end transactions soon, or pass the transaction to the call"
    )
  end

  defp now_ms, do: System.monotonic_time(:millisecond)
end
