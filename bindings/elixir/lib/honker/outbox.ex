defmodule Honker.Outbox do
  @moduledoc """
  An outbox: what is enqueued in a transaction is delivered after its commit, at least once.

      outbox = Honker.outbox(db, "mail", fn payload -> Mailer.send(payload["to"]) end)

      Honker.Transaction.transaction(db, fn tx ->
        :ok = Honker.Transaction.execute(tx, "INSERT INTO orders (id) VALUES (?)", [42])
        Honker.Outbox.enqueue_tx(outbox, tx, %{to: "ann"})
      end)

  The delivery takes the payload, or the payload and the job. `:ok`, `{:ok, value}` and every other true value
  acknowledge; `{:error, reason}`, `:error`, false, nil and an exception are retried, after 5 s, 10 s, 20 s ... unless the
  options of `Honker.outbox/4` say otherwise. After the last attempt the payload is a dead letter.

  Under a supervisor: `{Honker.Outbox, outbox: outbox, worker_id: "node-a"}`.
  """

  alias Honker.{Connection, Database, Error, Job, Queue, Transaction}

  @enforce_keys [:db, :name, :queue, :delivery]
  defstruct [:db, :name, :queue, :delivery, base_backoff_s: 5]

  @type delivery :: (term() -> term()) | (term(), Job.t() -> term())
  @type t :: %__MODULE__{
          db: Database.t(),
          name: String.t(),
          queue: String.t(),
          delivery: delivery(),
          base_backoff_s: number()
        }

  @max_backoff_s 3600
  # Retries of payloads that failed together come apart.
  @spread 0.1

  @doc "Record a payload to deliver. Takes the options of `Honker.Queue.enqueue/4`, and `:tx`."
  @spec enqueue(t(), term(), keyword()) :: {:ok, integer()} | {:error, Error.t()}
  def enqueue(%__MODULE__{} = outbox, payload, opts \\ []), do: Queue.enqueue(outbox.db, outbox.queue, payload, opts)

  @doc "Record a payload in a transaction. The outbox and the transaction may stand in either order."
  @spec enqueue_tx(t() | Transaction.t(), Transaction.t() | t(), term(), keyword()) ::
          {:ok, integer()} | {:error, Error.t()}
  def enqueue_tx(outbox, tx, payload, opts \\ [])
  def enqueue_tx(%Transaction{} = tx, %__MODULE__{} = outbox, payload, opts), do: enqueue_tx(outbox, tx, payload, opts)

  def enqueue_tx(%__MODULE__{} = outbox, %Transaction{} = tx, payload, opts) do
    Queue.enqueue_tx(tx, outbox.queue, payload, opts, Database.queue_opts(outbox.db, outbox.queue))
  end

  @doc "Deliver one payload, if one is due. Returns `{:ok, true}` if there was one."
  @spec run_once(t(), String.t()) :: {:ok, boolean()} | {:error, Error.t()}
  def run_once(%__MODULE__{} = outbox, worker_id) do
    case Queue.claim_one(outbox.db, outbox.queue, worker_id) do
      {:ok, nil} -> {:ok, false}
      {:ok, job} -> with {:ok, _held} <- deliver(outbox, job), do: {:ok, true}
      error -> error
    end
  end

  @doc """
  Deliver payloads until the process ends. Returns the error that ended it, such as `HONKER_CLOSED`.

  To stop it, end the process: a delivery under way is given back, uncharged.
  """
  @spec run(t(), String.t()) :: {:error, Error.t()}
  def run(%__MODULE__{} = outbox, worker_id) do
    with {:ok, job} <- Queue.next_job(outbox.db, outbox.queue, worker_id),
         {:ok, ref} <-
           Connection.at_exit(outbox.db, "SELECT honker_release(?, ?, ?)", [job.id, worker_id, job.attempts]),
         settled = deliver(outbox, job),
         :ok <- Connection.forget(outbox.db, ref),
         {:ok, _held} <- settled do
      run(outbox, worker_id)
    end
  end

  @doc "Start a process that delivers. Options: `:outbox`, `:worker_id` and, optional, `:name`."
  @spec start_link(keyword()) :: {:ok, pid()}
  def start_link(opts) do
    opts = Keyword.validate!(opts, [:outbox, :worker_id, :name])

    Task.start_link(fn ->
      if opts[:name], do: Process.register(self(), opts[:name])
      {:error, error} = run(opts[:outbox], opts[:worker_id])
      raise error
    end)
  end

  @doc false
  def child_spec(opts) do
    %{id: opts[:name] || {__MODULE__, opts[:outbox].name}, start: {__MODULE__, :start_link, [opts]}}
  end

  defp deliver(outbox, %Job{payload: {:invalid_json, _}} = job) do
    Job.fail(outbox.db, job, "the payload is not JSON")
  end

  defp deliver(outbox, job) do
    case Honker.Outcome.of(fn -> call(outbox.delivery, job) end) do
      {:raised, text} ->
        retry(outbox, job, text)

      {:returned, {:error, reason}} ->
        retry(outbox, job, Honker.Outcome.text(reason))

      {:returned, value} when value in [:error, false, nil] ->
        retry(outbox, job, "the delivery returned #{inspect(value)}")

      {:returned, _} ->
        Job.ack(outbox.db, job)
    end
  end

  defp call(delivery, job) when is_function(delivery, 2), do: delivery.(job.payload, job)
  defp call(delivery, job), do: delivery.(job.payload)

  defp retry(outbox, job, error), do: Job.retry(outbox.db, job, backoff_s(outbox.base_backoff_s, job.attempts), error)

  # The bound never shortens the delay that the caller chose.
  defp backoff_s(base_s, attempt) do
    delay = min(base_s * Integer.pow(2, min(attempt - 1, 60)), max(@max_backoff_s, base_s))
    delay * (1 + @spread * :rand.uniform())
  end
end
