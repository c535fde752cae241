defmodule Honker.Transaction do
  @moduledoc """
  A transaction: application rows and honker's jobs, events and notifications commit together or not at all.

      Honker.Transaction.transaction(db, fn tx ->
        :ok = Honker.Transaction.execute(tx, "INSERT INTO orders (id) VALUES (?)", [42])
        Honker.Queue.enqueue_tx(tx, "emails", %{order: 42})
      end)

  It begins with BEGIN IMMEDIATE, so it holds the write lock of the file: keep it short. Other calls on the handle wait
  for its end. A call without the transaction, by the process that has it open, is the error
  `HONKER_NESTED_TRANSACTION` at once. The exit of that process rolls back.
  """

  alias Honker.{Connection, Database, Error}

  @enforce_keys [:conn, :ref]
  defstruct [:conn, :ref, :db]

  @type t :: %__MODULE__{conn: GenServer.server(), ref: reference(), db: Database.t()}

  @doc "Begin a transaction. End it with `commit/1` or `rollback/1`."
  @spec begin(Database.t()) :: {:ok, t()} | {:error, Error.t()}
  def begin(%Database{} = db) do
    with {:ok, ref} <- Connection.run(db, nil, :begin) do
      {:ok, %__MODULE__{conn: db.conn, ref: ref, db: db}}
    end
  end

  @doc """
  Run a statement of the application.

  Without parameters, `sql` may hold several statements.
  """
  @spec execute(t(), String.t(), [term()]) :: :ok | {:error, Error.t()}
  def execute(tx, sql, params \\ [])
  def execute(%__MODULE__{} = tx, sql, []), do: Connection.run(tx.conn, tx.ref, {:script, sql})

  def execute(%__MODULE__{} = tx, sql, params) do
    with {:ok, _rows} <- Connection.rows(tx, sql, params), do: :ok
  end

  @doc "Run a query and return its first row as a list of values, nil without a row."
  @spec query_row(t(), String.t(), [term()]) :: {:ok, [term()] | nil} | {:error, Error.t()}
  def query_row(%__MODULE__{} = tx, sql, params \\ []) do
    with {:ok, rows} <- Connection.rows(tx, sql, params), do: {:ok, List.first(rows)}
  end

  @doc "Run a query and return all rows."
  @spec query(t(), String.t(), [term()]) :: {:ok, [[term()]]} | {:error, Error.t()}
  def query(%__MODULE__{} = tx, sql, params \\ []), do: Connection.rows(tx, sql, params)

  @doc "Commit. After an error the transaction is still open: try again, or roll back."
  @spec commit(t()) :: :ok | {:error, Error.t()}
  def commit(%__MODULE__{} = tx), do: Connection.run(tx.conn, tx.ref, :commit)

  @doc "Roll back."
  @spec rollback(t()) :: :ok | {:error, Error.t()}
  def rollback(%__MODULE__{} = tx), do: Connection.run(tx.conn, tx.ref, :rollback)

  @doc """
  Run a function in a transaction and commit. Returns the function's value.

  Rolls back if the function raises, throws or exits, if it returns `:error` or an `{:error, reason}`, or if the COMMIT
  fails, whose error is then returned.
  """
  @spec transaction(Database.t(), (t() -> value)) :: value | {:error, Error.t()} when value: term()
  def transaction(%Database{} = db, run) when is_function(run, 1) do
    with {:ok, tx} <- begin(db) do
      tx |> guarded(run) |> finish(tx)
    end
  end

  defp guarded(tx, run) do
    run.(tx)
  catch
    kind, reason ->
      rollback(tx)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  defp finish(failed, tx) when failed == :error or (is_tuple(failed) and elem(failed, 0) == :error) do
    rollback(tx)
    failed
  end

  defp finish(value, tx) do
    with {:error, error} <- commit(tx) do
      rollback(tx)
      {:error, error}
    else
      :ok -> value
    end
  end
end
