defmodule Honker.Adapter.P1Sqlite3 do
  @moduledoc """
  The driver `p1_sqlite3` of ProcessOne (Debian: `erlang-p1-sqlite3`), which uses the system's SQLite.

  The driver runs the statements of all connections to one file in one thread of the virtual machine, so SQLite's own
  busy timeout is 0 here.

  With its last connection the driver would be unloaded, and SQLite with it. The extension stays loaded and needs the
  SQLite that loaded it, so a process of its own holds the driver for the life of the virtual machine.
  """

  @behaviour Honker.Adapter

  alias Honker.Error

  @compile {:no_warn_undefined, :sqlite3}

  @impl true
  def available?, do: Code.ensure_loaded?(:sqlite3)

  @impl true
  def busy_timeout_ms, do: 0

  @impl true
  def open(path) do
    :ok = hold_driver()

    case :sqlite3.start_link(:anonymous, file: String.to_charlist(path)) do
      {:ok, conn} -> {:ok, guarded(conn)}
      {:error, reason} -> {:error, Error.new("HONKER_CANTOPEN", text(reason))}
    end
  end

  @impl true
  def load_extension(conn, path) do
    :ok = :sqlite3.enable_load_extension(conn, 1)
    loaded = rows(conn, "SELECT load_extension(?)", [path])
    :ok = :sqlite3.enable_load_extension(conn, 0)
    with {:ok, _} <- loaded, do: :ok
  end

  @impl true
  def rows(conn, sql, args) do
    result(:sqlite3.sql_exec_timeout(conn, sql, Enum.map(args, &bound/1), :infinity))
  end

  @impl true
  def script(conn, sql) do
    # Each statement has an entry in the list; the driver stops at the first error.
    conn
    |> :sqlite3.sql_exec_script_timeout(sql, :infinity)
    |> List.wrap()
    |> Enum.find_value(:ok, fn each -> with {:ok, _} <- result(each), do: nil end)
  end

  @impl true
  def close(conn) do
    :sqlite3.close_timeout(conn, :infinity)
  catch
    :exit, {:noproc, _} -> :ok
  end

  defp hold_driver do
    if Process.whereis(__MODULE__) do
      :ok
    else
      caller = self()
      {_pid, monitor} = spawn_monitor(fn -> hold_driver(caller) end)

      receive do
        {__MODULE__, :held} ->
          Process.demonitor(monitor, [:flush])
          :ok

        {:DOWN, ^monitor, :process, _pid, _reason} ->
          if Process.whereis(__MODULE__), do: :ok, else: {:error, :driver_not_loaded}
      end
    end
  end

  defp is_first? do
    Process.register(self(), __MODULE__)
  rescue
    ArgumentError -> false
  end

  # A driver's process that is killed during a statement leaves its connection open for ever. So it is not linked: when its
  # user is gone, it ends its statement and closes.
  defp guarded(conn) do
    user = self()

    spawn(fn ->
      monitor = Process.monitor(user)
      closed = Process.monitor(conn)

      receive do
        {:DOWN, ^closed, :process, _pid, _reason} -> :ok
        {:DOWN, ^monitor, :process, _pid, _reason} -> close(conn)
      end
    end)

    Process.unlink(conn)
    conn
  end

  # An open database is what the driver counts; this one is in memory, and nothing uses it.
  defp hold_driver(caller) do
    {:ok, _} = :sqlite3.start_link(:anonymous, file: ~c":memory:")

    # Of two that start at once, the second finds the name taken and ends.
    if is_first?() do
      send(caller, {__MODULE__, :held})
      Process.sleep(:infinity)
    end
  end

  defp bound(nil), do: :null
  defp bound(value), do: value

  defp result({:error, code, message}), do: {:error, Error.from_sqlite(code, text(message))}
  defp result({:error, reason}), do: {:error, Error.new("HONKER_SQLITE", inspect(reason))}

  defp result(columns) when is_list(columns) do
    case List.keyfind(columns, :error, 0) do
      nil -> {:ok, columns |> Keyword.get(:rows, []) |> Enum.map(&row/1)}
      failed -> result(failed)
    end
  end

  defp result(_ok_or_rowid), do: {:ok, []}

  defp row(values), do: values |> Tuple.to_list() |> Enum.map(&value/1)

  defp value(:null), do: nil
  defp value(value), do: value

  # SQLite's messages are UTF-8; the driver hands their bytes out as a list.
  defp text(bytes) when is_list(bytes) do
    if Enum.all?(bytes, &(&1 in 0..255)), do: :erlang.list_to_binary(bytes), else: List.to_string(bytes)
  end

  defp text(other) when is_binary(other), do: other
  defp text(other), do: inspect(other)
end
