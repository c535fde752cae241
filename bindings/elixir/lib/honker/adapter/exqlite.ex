defmodule Honker.Adapter.Exqlite do
  @moduledoc """
  The driver `exqlite` of Hex.

  Written from the documentation of exqlite 0.36 and **not run by this project's tests**: they run without Hex, on
  `Honker.Adapter.P1Sqlite3`. exqlite returns text and blobs alike as binaries.
  """

  @behaviour Honker.Adapter

  alias Honker.Error

  @compile {:no_warn_undefined, Exqlite.Sqlite3}
  @driver Exqlite.Sqlite3

  @impl true
  def available?, do: Code.ensure_loaded?(@driver)

  @impl true
  def busy_timeout_ms, do: 5_000

  @impl true
  def open(path), do: typed(@driver.open(path))

  @impl true
  def load_extension(conn, path) do
    with :ok <- typed(@driver.enable_load_extension(conn, true)),
         {:ok, _} <- rows(conn, "SELECT load_extension(?)", [path]) do
      typed(@driver.enable_load_extension(conn, false))
    end
  end

  @impl true
  def rows(conn, sql, args) do
    with {:ok, statement} <- typed(@driver.prepare(conn, sql)) do
      try do
        with :ok <- bind(conn, statement, args), do: typed(@driver.fetch_all(conn, statement))
      after
        @driver.release(conn, statement)
      end
    end
  end

  @impl true
  def script(conn, sql), do: typed(@driver.execute(conn, sql))

  @impl true
  def close(conn) do
    @driver.close(conn)
    :ok
  end

  # Older releases take the connection, too. Newer ones raise for a wrong number of values.
  defp bind(conn, statement, args) do
    if function_exported?(@driver, :bind, 2),
      do: typed(apply(@driver, :bind, [statement, args])),
      else: typed(apply(@driver, :bind, [conn, statement, args]))
  rescue
    error -> {:error, Error.new("HONKER_SQLITE", Exception.message(error))}
  end

  defp typed({:error, reason}), do: {:error, Error.from_sqlite(nil, to_string(reason))}
  defp typed(other), do: other
end
