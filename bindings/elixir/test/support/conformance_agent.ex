defmodule Honker.ConformanceAgent do
  @moduledoc """
  The agent of the Elixir package; `conformance/README.md` describes its protocol.

  A call in the background runs in a process; to cancel it is to kill that process. `work` is a `Honker.Worker`, which is
  stopped as its supervisor would.
  """

  alias Honker.{Connection, Error, Job, Listener, Lock, Outbox, Payload, Queue, Scheduler, Subscription, Transaction}

  @objects __MODULE__.Objects

  @doc "Answer the lines of standard input until its end."
  def main do
    Logger.remove_backend(:console)
    :ok = :io.setopts(:standard_io, encoding: :latin1, binary: true)
    :ets.new(@objects, [:named_table, :public])
    agent = self()
    spawn_link(fn -> read(agent) end)
    loop(%{})
  end

  defp read(agent) do
    case IO.binread(:stdio, :line) do
      line when is_binary(line) ->
        send(agent, {:line, line})
        read(agent)

      _end_of_input ->
        send(agent, :eof)
    end
  end

  # `background` has the number of the call by the monitor of its process.
  defp loop(background) do
    receive do
      :eof ->
        System.halt(0)

      {:line, line} ->
        line |> Payload.decode!() |> take(background) |> loop()

      {:DOWN, monitor, :process, _pid, _reason} ->
        {number, background} = Map.pop(background, monitor)
        if number && :ets.take(@objects, {:running, number}) != [], do: answer(number, cancelled(number))
        loop(background)
    end
  end

  defp take(%{"call" => "cancel"} = request, background) do
    number = request["args"]["call"]

    case :ets.lookup(@objects, {:running, number}) do
      [{_, {:worker, pid}}] -> GenServer.stop(pid, :shutdown, :infinity)
      [{_, pid}] -> Process.exit(pid, :kill)
      [] -> :ok
    end

    answer(request["id"], %{value: nil})
    background
  end

  defp take(%{"call" => "work"} = request, background) do
    number = request["id"]
    [db, queue] = Tuple.to_list(object(request["on"])) |> tl()
    :ets.insert(@objects, {{:done, number}, []})
    {:ok, pid} = start_worker(number, db, queue, request["args"]["worker"])
    :ets.insert(@objects, {{:running, number}, {:worker, pid}})
    Map.put(background, Process.monitor(pid), number)
  end

  defp take(%{"background" => true} = request, background) do
    {pid, monitor} =
      spawn_monitor(fn ->
        receive do: (:go -> :ok)
        result = result_of(request)
        if :ets.take(@objects, {:running, request["id"]}) != [], do: answer(request["id"], result)
      end)

    :ets.insert(@objects, {{:running, request["id"]}, pid})
    send(pid, :go)
    Map.put(background, monitor, request["id"])
  end

  defp take(request, background) do
    answer(request["id"], result_of(request))
    background
  end

  defp start_worker(number, db, queue, worker) do
    handler = fn job ->
      {:ok, held} = Job.ack(db, job)
      # One handler runs at a time, so no other process writes the list.
      if held, do: :ets.update_element(@objects, {:done, number}, {2, [job.id | done(number)]})
    end

    {:ok, pid} = Honker.Worker.start_link(db: db, queue: queue, handler: handler, worker_id: worker)
    Process.unlink(pid)
    {:ok, pid}
  end

  defp cancelled(number), do: %{value: done(number), cancelled: true}

  defp done(number) do
    case :ets.lookup(@objects, {:done, number}) do
      [{_, ids}] -> ids
      [] -> nil
    end
  end

  defp result_of(request) do
    made =
      if request["on"],
        do: call(request["call"], object(request["on"]), request["args"]),
        else: call(request["call"], request["args"])

    case made do
      {:ok, value} -> %{value: store(request["as"], value)}
      :ok -> %{value: nil}
      {:error, error} -> failed(error)
    end
  rescue
    error -> failed(error)
  end

  defp failed(%Error{code: "HONKER_TIMEOUT"} = error), do: %{error: %{code: "TIMEOUT", message: error.message}}
  defp failed(%Error{} = error), do: %{error: %{code: error.code, message: error.message}}
  defp failed(other), do: %{error: %{code: "EXCEPTION", message: Exception.message(other)}}

  defp answer(number, answer) do
    line = Map.merge(answer, %{id: number, at: Map.get(answer, :at) || System.os_time(:microsecond)})
    {:ok, text} = Payload.encode(line)
    IO.binwrite(:stdio, [text, "\n"])
  end

  defp object(name), do: :ets.lookup_element(@objects, name, 2)

  defp store(name, values) when is_list(values) do
    for {value, index} <- Enum.with_index(values), name, do: store("#{name}.#{index}", value)
    Enum.map(values, &plain/1)
  end

  defp store(name, value) do
    if name, do: :ets.insert(@objects, {name, value})
    plain(value)
  end

  defp plain({:job, _db, job}), do: job |> Map.take([:id, :queue, :payload, :worker_id, :attempts])
  defp plain(%Honker.StreamEvent{} = event), do: Map.from_struct(event)
  defp plain(%Honker.Notification{} = notification), do: Map.from_struct(notification)
  defp plain(value) when is_tuple(value) or is_struct(value), do: true
  defp plain(value), do: value

  # ---------------------------------------------------------------------------------------------------------- calls

  defp call("open", args), do: with({:ok, db} <- Honker.open(args["path"]), do: {:ok, {:db, db}})

  defp call("close", {:db, db}, _), do: Honker.close(db)
  defp call("sql", {:db, db}, args), do: sql(tx(args) || db, args["sql"])
  defp call("begin", {:db, db}, _), do: with({:ok, tx} <- Transaction.begin(db), do: {:ok, {:tx, tx}})

  defp call("queue", {:db, db}, args) do
    opts = for name <- ["visibility_timeout_s", "max_attempts"], args[name], do: {String.to_atom(name), args[name]}
    {:ok, {:queue, Honker.configure_queue(db, args["name"], opts), args["name"]}}
  end

  defp call("stream", {:db, db}, args), do: {:ok, {:stream, db, args["name"]}}
  defp call("scheduler", {:db, db}, _), do: {:ok, {:scheduler, db}}
  defp call("outbox", {:db, db}, args), do: {:ok, outbox(db, args)}
  defp call("notify", {:db, db}, args), do: Honker.notify(tx(args) || db, args["channel"], args["payload"])
  defp call("listen", {:db, db}, args), do: Honker.listen(db, args["channel"])

  defp call("try_lock", {:db, db}, args) do
    with {:ok, lock} <- Lock.try_acquire(db, args["name"], args["owner"], args["ttl_s"]) do
      {:ok, if(lock, do: {:lock, db, lock}, else: false)}
    end
  end

  defp call("try_rate_limit", {:db, db}, args),
    do: Honker.try_rate_limit(db, args["name"], args["limit"], args["per_s"])

  defp call("save_result", {:db, db}, args), do: Honker.save_result(db, args["job_id"], args["value"], args["ttl_s"])
  defp call("get_result", {:db, db}, args), do: Honker.get_result(db, args["job_id"])

  defp call("wait_result", {:db, db}, args) do
    timeout = if args["timeout_s"], do: ceil(args["timeout_s"] * 1000), else: :infinity
    Honker.wait_result(db, args["job_id"], timeout)
  end

  defp call("execute", {:tx, tx}, args), do: Transaction.execute(tx, args["sql"])
  defp call("commit", {:tx, tx}, _), do: Transaction.commit(tx)
  defp call("rollback", {:tx, tx}, _), do: Transaction.rollback(tx)

  defp call("enqueue", {:queue, db, queue}, args) do
    opts = for name <- ["delay", "run_at", "priority", "expires"], args[name], do: {String.to_atom(name), args[name]}

    case tx(args) do
      nil -> Queue.enqueue(db, queue, args["payload"], opts)
      tx -> Queue.enqueue_tx(tx, queue, args["payload"], opts, db.queue_opts[queue])
    end
  end

  defp call("claim_one", {:queue, db, queue}, args), do: job(db, Queue.claim_one(db, queue, args["worker"]))

  defp call("claim_batch", {:queue, db, queue}, args) do
    with {:ok, jobs} <- Queue.claim_batch(db, queue, args["worker"], args["n"]),
         do: {:ok, Enum.map(jobs, &{:job, db, &1})}
  end

  defp call("next_job", {:queue, db, queue}, args),
    do: job(db, Queue.next_job(db, queue, args["worker"], idle_poll_s: nil))

  defp call("ack_batch", {:queue, db, _}, args), do: Queue.ack_batch(db, args["ids"], args["worker"])
  defp call("cancel_job", {:queue, db, _}, args), do: Queue.cancel(db, args["id"])
  defp call("get_job", {:queue, db, _}, args), do: Queue.get_job(db, args["id"])
  defp call("sweep_expired", {:queue, db, queue}, _), do: Queue.sweep_expired(db, queue)

  defp call("ack", {:job, db, job}, _), do: Job.ack(db, job)
  defp call("retry", {:job, db, job}, args), do: Job.retry(db, job, args["delay_s"], args["error"])
  defp call("fail", {:job, db, job}, args), do: Job.fail(db, job, args["error"])
  defp call("heartbeat", {:job, db, job}, args), do: Job.heartbeat(db, job, args["extend_s"])

  defp call("release", {:lock, db, lock}, _), do: Lock.release(lock, db)
  defp call("heartbeat", {:lock, db, lock}, args), do: Lock.heartbeat(lock, db, args["ttl_s"])

  defp call("publish", {:stream, db, topic}, args) do
    Honker.Stream.publish(tx(args) || db, topic, args["payload"], key: args["key"])
  end

  defp call("read_since", {:stream, db, topic}, args),
    do: Honker.Stream.read_since(db, topic, args["offset"], args["limit"])

  defp call("read_from_consumer", {:stream, db, topic}, args) do
    Honker.Stream.read_from_consumer(db, topic, args["consumer"], args["limit"])
  end

  defp call("save_offset", {:stream, db, topic}, args) do
    Honker.Stream.save_offset(tx(args) || db, args["consumer"], topic, args["offset"])
  end

  defp call("get_offset", {:stream, db, topic}, args), do: Honker.Stream.get_offset(db, args["consumer"], topic)

  defp call("subscribe", {:stream, db, topic}, args) do
    Honker.Stream.subscribe(db, topic, args["consumer"], save_every_n: args["save_every_n"] || 1000)
  end

  defp call("next", %Listener{} = listener, _), do: Listener.next(listener)
  defp call("next", %Subscription{} = subscription, _), do: Subscription.next(subscription)
  defp call("close", %Listener{} = listener, _), do: Listener.close(listener)
  defp call("close", %Subscription{} = subscription, _), do: Subscription.close(subscription)

  defp call("add", {:scheduler, db}, args), do: Scheduler.add(db, keywords(args))
  defp call("remove", {:scheduler, db}, args), do: Scheduler.remove(db, args["name"])
  defp call("pause", {:scheduler, db}, args), do: Scheduler.pause(db, args["name"])
  defp call("resume", {:scheduler, db}, args), do: Scheduler.resume(db, args["name"])

  defp call("update", {:scheduler, db}, args) do
    {name, changes} = Map.pop(args, "name")
    Scheduler.update(db, name, keywords(changes))
  end

  defp call("list", {:scheduler, db}, _), do: Scheduler.list(db)
  defp call("tick", {:scheduler, db}, _), do: with({:ok, fires} <- Scheduler.tick(db), do: {:ok, length(fires)})
  defp call("soonest", {:scheduler, db}, _), do: Scheduler.soonest(db)
  defp call("run", {:scheduler, db}, args), do: Scheduler.run(db, args["owner"])

  defp call("enqueue", {:outbox, outbox, _}, args) do
    case tx(args) do
      nil -> Outbox.enqueue(outbox, args["payload"])
      tx -> Outbox.enqueue_tx(outbox, tx, args["payload"])
    end
  end

  defp call("run", {:outbox, outbox, _}, args), do: Outbox.run(outbox, args["worker"])
  defp call("delivered", {:outbox, _, delivered}, _), do: {:ok, :ets.lookup_element(@objects, delivered, 2)}

  # ------------------------------------------------------------------------------------------------------ internals

  defp outbox(db, args) do
    delivered = make_ref()
    :ets.insert(@objects, {delivered, []})
    opts = for name <- ["max_attempts", "base_backoff_s"], args[name], do: {String.to_atom(name), args[name]}

    delivery = fn
      %{"refuse" => true} ->
        {:error, "refused"}

      payload ->
        :ets.update_element(@objects, delivered, {2, :ets.lookup_element(@objects, delivered, 2) ++ [payload]})
    end

    {:outbox, Honker.outbox(db, args["name"], delivery, opts), delivered}
  end

  defp tx(args) do
    if args["tx"] do
      {:tx, tx} = object(args["tx"])
      tx
    end
  end

  defp job(db, {:ok, %Job{} = job}), do: {:ok, {:job, db, job}}
  defp job(_db, other), do: other

  defp keywords(args), do: Enum.map(args, fn {name, value} -> {String.to_atom(name), value} end)

  defp sql(on, sql) do
    with {:ok, rows} <- Connection.rows(on, sql), do: {:ok, cell(rows)}
  end

  defp cell([]), do: nil
  defp cell([[nil | _] | _]), do: %{type: "null", value: nil}
  defp cell([[value | _] | _]) when is_integer(value), do: %{type: "integer", value: value}
  defp cell([[value | _] | _]) when is_float(value), do: %{type: "real", value: value}
  defp cell([[{:blob, bytes} | _] | _]), do: %{type: "blob", value: Base.encode16(bytes, case: :lower)}
  defp cell([[value | _] | _]), do: %{type: "text", value: value}
end
