defmodule Honker.Case do
  @moduledoc "A test with a database file of its own, in a folder that is deleted afterwards."

  use ExUnit.CaseTemplate

  using do
    quote do
      import Honker.Case
      alias Honker.{Connection, Error, Job, Lock, Outbox, Queue, Scheduler, Subscription, Transaction}
    end
  end

  setup do
    folder = Path.join(System.tmp_dir!(), "honker-ex-#{System.pid()}-#{System.unique_integer([:positive])}")
    File.mkdir_p!(folder)
    path = Path.join(folder, "app.db")
    {:ok, db} = Honker.open(path)

    on_exit(fn ->
      Honker.close(db)
      File.rm_rf!(folder)
    end)

    %{db: db, path: path, folder: folder}
  end

  @doc "Return the first value of the first row."
  def one!(on, sql, args \\ []) do
    {:ok, value} = Honker.Connection.one(on, sql, args)
    value
  end

  @doc "Return the message as soon as it comes; fail after 5 s."
  def await_message do
    receive do
      message -> message
    after
      5_000 -> ExUnit.Assertions.flunk("no message in 5 s")
    end
  end

  @doc "Repeat a condition until it holds; fail after 5 s."
  def eventually(condition, until \\ System.monotonic_time(:millisecond) + 5_000) do
    cond do
      condition.() ->
        :ok

      System.monotonic_time(:millisecond) > until ->
        ExUnit.Assertions.flunk("the condition did not hold in 5 s")

      true ->
        Process.sleep(2)
        eventually(condition, until)
    end
  end

  @doc "Return when a process waits in a `receive`, as every wait of honker does."
  def until_waiting(pid), do: eventually(fn -> Process.info(pid, :status) in [{:status, :waiting}, nil] end)
end
