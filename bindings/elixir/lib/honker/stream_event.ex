defmodule Honker.StreamEvent do
  @moduledoc "An event: `offset`, `topic`, `key` or nil, decoded `payload`, `created_at` in Unix seconds."

  @enforce_keys [:offset, :topic, :payload]
  defstruct [:offset, :topic, :key, :payload, :created_at]

  @type t :: %__MODULE__{
          offset: integer(),
          topic: String.t(),
          key: String.t() | nil,
          payload: term(),
          created_at: number()
        }

  @doc false
  @spec from_map(map()) :: t()
  def from_map(map) do
    %__MODULE__{
      offset: map["offset"],
      topic: map["topic"],
      key: map["key"],
      payload: Honker.Payload.decode(map["payload"]),
      created_at: map["created_at"]
    }
  end
end
