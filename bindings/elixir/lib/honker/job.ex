defmodule Honker.Job do
  @moduledoc """
  A claimed job.

  Fields:

    * `id`, `queue`, `worker_id`
    * `payload` - decoded, with text keys; `{:invalid_json, text}` if it was stored as something else
    * `attempts` - the number of this attempt, from 1
    * `max_attempts`
    * `claim_expires_at` - the end of the lease, Unix seconds
    * `priority`, `run_at`, `created_at`, `expires_at`
    * `last_error` - of the attempt before, or nil

  The functions return `{:ok, false}` if the lease expired and the job is another worker's, or was settled before.
  """

  alias Honker.{Connection, Database, Error, Payload}

  @enforce_keys [:id, :queue, :payload, :worker_id, :attempts]
  defstruct [
    :id,
    :queue,
    :payload,
    :worker_id,
    :attempts,
    :max_attempts,
    :claim_expires_at,
    :priority,
    :run_at,
    :created_at,
    :expires_at,
    :last_error,
    :key
  ]

  @type t :: %__MODULE__{
          id: integer(),
          queue: String.t(),
          payload: term(),
          worker_id: String.t(),
          attempts: pos_integer(),
          max_attempts: pos_integer(),
          claim_expires_at: number(),
          priority: integer(),
          run_at: number(),
          created_at: number(),
          expires_at: number() | nil,
          last_error: String.t() | nil,
          key: String.t() | nil
        }

  @typedoc "The database, or a transaction of it."
  @type on :: Database.t() | Honker.Transaction.t()
  @type held :: {:ok, boolean()} | {:error, Error.t()}

  @doc "Acknowledge a successful job, and delete it."
  @spec ack(on(), t()) :: held()
  def ack(on, job), do: boolean(on, "SELECT honker_ack(?, ?, ?)", identity(job))

  @doc "Put a failed job back; after its last attempt it becomes a dead letter. The delay is in seconds."
  @spec retry(on(), t(), number(), String.t() | nil) :: held()
  def retry(on, job, delay_s \\ 60, error \\ "") do
    args = [job.id, job.worker_id, delay_s, error || "", job.attempts]
    boolean(on, "SELECT honker_retry(?, ?, ?, ?, ?)", args)
  end

  @doc "Make a job a dead letter, even if it has attempts left."
  @spec fail(on(), t(), String.t() | nil) :: held()
  def fail(on, job, error \\ "") do
    boolean(on, "SELECT honker_fail(?, ?, ?, ?)", [job.id, job.worker_id, error || "", job.attempts])
  end

  @doc "Let the lease end in `extend_s` seconds from now."
  @spec heartbeat(on(), t(), number()) :: held()
  def heartbeat(on, job, extend_s) do
    boolean(on, "SELECT honker_heartbeat(?, ?, ?, ?)", [job.id, job.worker_id, extend_s, job.attempts])
  end

  @doc "Give a job back. The attempt is not charged, and the job waits at its old place."
  @spec release(on(), t()) :: held()
  def release(on, job), do: boolean(on, "SELECT honker_release(?, ?, ?)", identity(job))

  @doc "Put a job off for some seconds. The attempt is not charged."
  @spec snooze(on(), t(), number()) :: held()
  def snooze(on, job, delay_s) do
    boolean(on, "SELECT honker_snooze(?, ?, ?, ?)", [job.id, job.worker_id, delay_s, job.attempts])
  end

  @doc false
  @spec from_map(map()) :: t()
  def from_map(map) do
    %__MODULE__{
      id: map["id"],
      queue: map["queue"],
      payload: Payload.decode(map["payload"]),
      worker_id: map["worker_id"],
      attempts: map["attempts"],
      max_attempts: map["max_attempts"],
      claim_expires_at: map["claim_expires_at"],
      priority: map["priority"],
      run_at: map["run_at"],
      created_at: map["created_at"],
      expires_at: map["expires_at"],
      last_error: map["last_error"],
      key: map["key"]
    }
  end

  defp identity(job), do: [job.id, job.worker_id, job.attempts]

  defp boolean(on, sql, args) do
    with {:ok, value} <- Connection.one(on, sql, args), do: {:ok, value == 1}
  end
end
