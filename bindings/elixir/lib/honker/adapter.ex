defmodule Honker.Adapter do
  @moduledoc """
  A driver of SQLite, as far as honker needs it.

  `Honker.Adapter.Exqlite` and `Honker.Adapter.P1Sqlite3` are here. `Honker.open/2` takes the first of them whose driver
  is loaded, or the module of its option `:adapter`. A program must not open honker through two drivers: each has a
  SQLite library of its own, and the extension refuses the second with `HONKER_TWO_SQLITES`.

  One process calls an adapter at a time.
  """

  alias Honker.Error

  @typedoc "A value of SQLite: nil, an integer of 64 bits, a float, text, or a blob."
  @type value :: nil | integer() | float() | String.t() | {:blob, binary()}
  @type conn :: term()

  @doc "True if the driver can be loaded."
  @callback available?() :: boolean()

  @doc "Open a database file, and create it if there is none."
  @callback open(path :: String.t()) :: {:ok, conn()} | {:error, Error.t()}

  @doc "Load an extension from a file."
  @callback load_extension(conn(), path :: String.t()) :: :ok | {:error, Error.t()}

  @doc "Run one statement with bound values and return all rows."
  @callback rows(conn(), sql :: String.t(), [value()]) :: {:ok, [[value()]]} | {:error, Error.t()}

  @doc "Run any number of statements, and drop their rows."
  @callback script(conn(), sql :: String.t()) :: :ok | {:error, Error.t()}

  @doc "Close the connection."
  @callback close(conn()) :: :ok

  @doc """
  The milliseconds that SQLite waits for a lock.

  With 0, `Honker.Connection` repeats the statement instead: the driver runs the statements of all connections to a file
  in one thread, where a statement that waits would stop the COMMIT that it waits for.
  """
  @callback busy_timeout_ms() :: non_neg_integer()

  @doc "Return the first adapter whose driver is loaded."
  @spec find() :: {:ok, module()} | {:error, Error.t()}
  def find do
    case Enum.find([Honker.Adapter.Exqlite, Honker.Adapter.P1Sqlite3], & &1.available?()) do
      nil ->
        {:error,
         Error.new("HONKER_CANTOPEN", "no driver of SQLite is loaded; add {:exqlite, \"~> 0.27\"} to the dependencies")}

      adapter ->
        {:ok, adapter}
    end
  end
end
