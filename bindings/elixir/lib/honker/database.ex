defmodule Honker.Database do
  @moduledoc """
  An open database, made by `Honker.open/2`.

  Any number of processes may use it; the calls run one after the other on one connection. Waiting does not hold the
  connection.
  """

  @enforce_keys [:conn, :path]
  defstruct [:conn, :path, :watcher_id, queue_opts: %{}]

  @typedoc """
  `conn` is the process that holds the connection, or its name. `queue_opts` has the settings of `Honker.configure_queue/3` by queue.
  `watcher_id` is the subscription to commits, if it was opened with the database.
  """
  @type t :: %__MODULE__{
          conn: GenServer.server(),
          path: String.t(),
          watcher_id: integer() | nil,
          queue_opts: %{optional(String.t()) => map()}
        }

  @defaults %{visibility_timeout_s: 300, max_attempts: 3}

  @doc false
  @spec queue_opts(t(), String.t()) :: map()
  def queue_opts(%__MODULE__{queue_opts: known}, queue), do: Map.get(known, queue, @defaults)

  @doc false
  @spec queue_defaults() :: map()
  def queue_defaults, do: @defaults
end
