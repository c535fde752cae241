defmodule Honker.Notification do
  @moduledoc "A notification: `id`, `channel`, decoded `payload`, `created_at` in Unix seconds."

  @enforce_keys [:id, :channel, :payload]
  defstruct [:id, :channel, :payload, :created_at]

  @type t :: %__MODULE__{id: integer(), channel: String.t(), payload: term(), created_at: number()}

  @doc false
  @spec from_map(map()) :: t()
  def from_map(map) do
    %__MODULE__{
      id: map["id"],
      channel: map["channel"],
      payload: Honker.Payload.decode(map["payload"]),
      created_at: map["created_at"]
    }
  end
end
