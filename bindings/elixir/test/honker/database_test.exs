defmodule Honker.DatabaseTest do
  use Honker.Case, async: true

  test "the connection has the documented pragmas", %{db: db} do
    assert one!(db, "PRAGMA journal_mode") == "wal"
    assert one!(db, "PRAGMA synchronous") == 1
    assert one!(db, "PRAGMA foreign_keys") == 1
  end

  test "a file that cannot be opened is a typed error", %{folder: folder} do
    assert {:error, %Error{code: "HONKER_CANTOPEN"}} = Honker.open(Path.join(folder, "nowhere/app.db"))
  end

  test "a file that is no database is a typed error", %{folder: folder} do
    path = Path.join(folder, "text.db")
    File.write!(path, String.duplicate("no database\n", 1000))
    assert {:error, %Error{code: "HONKER_CORRUPT", retryable: false}} = Honker.open(path)
  end

  test "a wrong watcher backend is an error of open", %{path: path} do
    assert {:error, %Error{code: "HONKER_INVALID_ARGUMENT"}} = Honker.open(path, watcher_backend: "telepathy")
  end

  test "a watcher backend that is there is opened with the database", %{path: path} do
    {:ok, db} = Honker.open(path, watcher_backend: "polling", watcher_poll_interval_ms: 5)
    assert is_integer(db.watcher_id)
    assert Honker.wait_for_update(db, 0) == :timeout
    Honker.close(db)
  end

  test "an unknown option raises", %{path: path} do
    assert_raise ArgumentError, fn -> Honker.open(path, colour: 1) end
  end

  test "another library than the loaded one is refused", %{path: path} do
    assert {:error, %Error{code: "HONKER_INVALID_ARGUMENT"}} = Honker.open(path, extension_path: "/tmp/other.so")
  end

  test "closing twice is fine, and calls afterwards say that it is closed", %{db: db} do
    assert Honker.close(db) == :ok
    assert Honker.close(db) == :ok
    assert {:error, %Error{code: "HONKER_CLOSED"}} = Queue.enqueue(db, "q", 1)
    assert {:error, %Error{code: "HONKER_CLOSED"}} = Queue.next_job(db, "q", "w")
    assert {:error, %Error{code: "HONKER_CLOSED"}} = Honker.listen(db, "c")
    assert {:error, %Error{code: "HONKER_CLOSED"}} = Transaction.begin(db)
    assert {:error, %Error{code: "HONKER_CLOSED"}} = Honker.wait_for_update(db, 10)
  end

  test "the last handle may be closed and the file opened again", %{path: path, db: db} do
    Honker.close(db)

    for _ <- 1..20 do
      {:ok, db} = Honker.open(path)
      {:ok, _} = Queue.enqueue(db, "q", 1)
      Honker.close(db)
    end
  end

  test "the driver stays loaded after the last handle, as the extension does", %{folder: folder} do
    program = """
    {:ok, db} = Honker.open(#{inspect(Path.join(folder, "other.db"))})
    :ok = Honker.close(db)
    IO.puts(:erl_ddll.info(~c"sqlite3_drv", :port_count))
    """

    paths = for path <- :code.get_path(), path = to_string(path), path =~ "_build", do: ["-pa", path]

    if Honker.Adapter.find() == {:ok, Honker.Adapter.P1Sqlite3} do
      assert {"1\n", 0} = System.cmd("elixir", List.flatten(paths) ++ ["-e", program], stderr_to_stdout: true)
    end
  end

  test "closing lets go of every descriptor", %{path: path} do
    open = fn -> "/proc/self/fd" |> File.ls!() |> length() end
    before = open.()

    for _ <- 1..30 do
      {:ok, db} = Honker.open(path)
      assert Honker.wait_for_update(db, 0) == :timeout
      Honker.close(db)
    end

    # Other tests run beside this one and open a few.
    assert open.() < before + 30
  end

  test "a connection whose process is killed lets go of its file", %{path: path, folder: folder} do
    open = fn -> Enum.count(open_files(), &String.starts_with?(&1, folder)) end
    before = open.()

    for n <- 1..20 do
      {:ok, db} = Honker.open(path)
      busy = for _ <- 1..3, do: Task.async(fn -> for m <- 1..50, do: Queue.enqueue(db, "q", [n, m]) end)
      for _ <- 1..(n * 50), do: :erlang.yield()
      Process.exit(db.conn, :kill)
      for results <- Task.await_many(busy), do: assert({:error, %Error{code: "HONKER_CLOSED"}} = List.last(results))
    end

    # SQLite keeps a descriptor for its next open while another connection of the process has the file locked.
    eventually(fn -> open.() <= before + 4 end)
  end

  defp open_files do
    for name <- File.ls!("/proc/self/fd"), {:ok, target} <- [File.read_link("/proc/self/fd/" <> name)], do: target
  end

  test "a path may have any characters", %{folder: folder} do
    {:ok, db} = Honker.open(Path.join(folder, "ä €😀 'x'.db"))
    assert {:ok, 1} = Queue.enqueue(db, "q", 1)
    assert {:ok, 1} = Honker.notify(db, "c", 1)
    assert Honker.wait_for_update(db, 0) == :timeout
    Honker.close(db)
  end

  test "a database under a supervisor has a name", %{folder: folder} do
    start_supervised!({Honker, path: Path.join(folder, "named.db"), name: __MODULE__.Named})
    db = Honker.database(__MODULE__.Named)
    assert {:ok, 1} = Queue.enqueue(db, "q", 1)
    stop_supervised!(__MODULE__.Named)
    assert_raise Error, fn -> Honker.database(__MODULE__.Named) end
  end

  test "wait_for_update sees a commit between two calls, and a commit of another handle", %{db: db, path: path} do
    assert Honker.wait_for_update(db, 0) == :timeout
    {:ok, _} = Queue.enqueue(db, "q", 1)
    assert Honker.wait_for_update(db, 5_000) == :changed
    {:ok, other} = Honker.open(path)
    {:ok, _} = Queue.enqueue(other, "q", 1)
    assert Honker.wait_for_update(db, 5_000) == :changed
    Honker.close(other)
  end

  test "values that SQLite does not have are refused", %{db: db} do
    assert {:error, %Error{code: "HONKER_INVALID_ARGUMENT"}} = Connection.one(db, "SELECT ?", [2 ** 63])
    assert {:error, %Error{code: "HONKER_INVALID_ARGUMENT"}} = Connection.one(db, "SELECT ?", [%{}])
    assert one!(db, "SELECT ?", [-(2 ** 63)]) == -(2 ** 63)
  end

  test "an error of SQLite has a code", %{db: db} do
    assert {:error, %Error{code: "HONKER_SQLITE", sqlite_code: 1}} = Connection.one(db, "SELECT nonsense")
    {:ok, _} = Connection.rows(db, "CREATE TABLE t (a UNIQUE)")
    {:ok, _} = Connection.rows(db, "INSERT INTO t VALUES (1)")
    assert {:error, %Error{code: "HONKER_CONSTRAINT"}} = Connection.rows(db, "INSERT INTO t VALUES (?)", [1])
  end

  test "rate limits, results and pruning", %{db: db} do
    assert {:ok, true} = Honker.try_rate_limit(db, "r", 1, 3600)
    assert {:ok, false} = Honker.try_rate_limit(db, "r", 1, 3600)
    assert {:ok, 0} = Honker.sweep_rate_limits(db, 3600)
    assert :ok = Honker.save_result(db, 7, "42", 60)
    assert {:ok, "42"} = Honker.get_result(db, 7)
    assert {:ok, "42"} = Honker.wait_result(db, 7, 0)
    assert {:error, %Error{code: "HONKER_TIMEOUT"}} = Honker.wait_result(db, 8, 20)
    assert {:ok, 0} = Honker.sweep_results(db)
    {:ok, _} = Honker.notify(db, "c", 1)
    assert {:ok, 1} = Honker.prune_notifications(db, nil, max_keep: 0)
  end
end
