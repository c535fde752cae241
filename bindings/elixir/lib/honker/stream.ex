defmodule Honker.Stream do
  @moduledoc """
  A stream: a log of events by topic, with an offset for each consumer.

      {:ok, offset} = Honker.Stream.publish(db, "orders", %{id: 42}, key: "customer 7")
      {:ok, events} = Honker.Stream.read_since(db, "orders", 0, 100)

  Offsets grow over all topics together, so those of one topic have gaps.
  """

  alias Honker.{Connection, Database, Error, Payload, Reader, StreamEvent, Subscription, Transaction}

  @type on :: Database.t() | Transaction.t()
  @type result(value) :: {:ok, value} | {:error, Error.t()}

  @doc "Append an event. Returns its offset. The option `:key` gives it a key."
  @spec publish(on(), String.t(), term(), keyword()) :: result(integer())
  def publish(on, topic, payload, opts \\ []) do
    opts = Keyword.validate!(opts, [:key])

    with {:ok, text} <- Payload.encode(payload),
         do: Connection.one(on, "SELECT honker_stream_publish(?, ?, ?)", [topic, opts[:key], text])
  end

  @doc "Append an event in a transaction."
  @spec publish_tx(Transaction.t(), String.t(), term(), keyword()) :: result(integer())
  def publish_tx(%Transaction{} = tx, topic, payload, opts \\ []), do: publish(tx, topic, payload, opts)

  @doc "Read up to `limit` events after an offset, in order."
  @spec read_since(on(), String.t(), integer(), pos_integer()) :: result([StreamEvent.t()])
  def read_since(on, topic, offset, limit \\ 1000) do
    with {:ok, json} <- Connection.one(on, "SELECT honker_stream_read_since(?, ?, ?)", [topic, offset, limit]) do
      {:ok, json |> Payload.decode!() |> Enum.map(&StreamEvent.from_map/1)}
    end
  end

  @doc "Read up to `limit` events after the saved offset of a consumer."
  @spec read_from_consumer(on(), String.t(), String.t(), pos_integer()) :: result([StreamEvent.t()])
  def read_from_consumer(on, topic, consumer, limit \\ 1000) do
    with {:ok, offset} <- get_offset(on, consumer, topic), do: read_since(on, topic, offset, limit)
  end

  @doc "Save the offset of a consumer. Returns `{:ok, false}` if it has a greater one already."
  @spec save_offset(on(), String.t(), String.t(), integer()) :: result(boolean())
  def save_offset(on, consumer, topic, offset) do
    with {:ok, rose} <- Connection.one(on, "SELECT honker_stream_save_offset(?, ?, ?)", [consumer, topic, offset]),
         do: {:ok, rose == 1}
  end

  @doc "Save the offset of a consumer in a transaction."
  @spec save_offset_tx(Transaction.t(), String.t(), String.t(), integer()) :: result(boolean())
  def save_offset_tx(%Transaction{} = tx, consumer, topic, offset), do: save_offset(tx, consumer, topic, offset)

  @doc "Return the offset of a consumer, 0 if none was saved."
  @spec get_offset(on(), String.t(), String.t()) :: result(integer())
  def get_offset(on, consumer, topic) do
    Connection.one(on, "SELECT honker_stream_get_offset(?, ?)", [consumer, topic])
  end

  @doc """
  Subscribe a consumer to a topic, from its saved offset on.

  Options:

    * `:from_offset` - start after this offset instead
    * `:save_every_n` - save the offset after so many events; 1000
    * `:save_every_s` - save the offset after so many seconds; 1
  """
  @spec subscribe(Database.t(), String.t(), String.t(), keyword()) :: result(Subscription.t())
  def subscribe(%Database{} = db, topic, consumer, opts \\ []) do
    opts = Keyword.validate!(opts, from_offset: nil, save_every_n: 1000, save_every_s: 1)

    source = fn ->
      with {:ok, start} <- start(db, topic, consumer, opts[:from_offset]) do
        {:ok,
         %{
           start: start,
           read: &read_since(db, topic, &1, &2),
           position: & &1.offset,
           save: &save_offset(db, consumer, topic, &1),
           save_every_n: opts[:save_every_n],
           save_every_ms: ceil(opts[:save_every_s] * 1000)
         }}
      end
    end

    with {:ok, pid} <- Reader.start(db, source) do
      {:ok, %Subscription{pid: pid, topic: topic, consumer: consumer}}
    end
  end

  defp start(db, topic, consumer, nil), do: get_offset(db, consumer, topic)
  defp start(_db, _topic, _consumer, offset), do: {:ok, offset}
end
