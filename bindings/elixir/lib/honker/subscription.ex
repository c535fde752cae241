defmodule Honker.Subscription do
  @moduledoc """
  The place of a consumer in a stream, made by `Honker.Stream.subscribe/4`.

      {:ok, subscription} = Honker.Stream.subscribe(db, "orders", "mailer")

      for event <- Honker.Subscription.stream(subscription) do
        send_mail(event.payload)
      end

  Asking for the next event says that the one before is done; the offset of the last one that is done is saved now and
  then, and when the subscription is closed. After a crash the events since the saved offset come again. Several
  processes may share a subscription. It belongs to the process that made it and ends with it.
  """

  alias Honker.{Error, Reader, StreamEvent}

  @enforce_keys [:pid, :topic, :consumer]
  defstruct [:pid, :topic, :consumer]

  @type t :: %__MODULE__{pid: pid(), topic: String.t(), consumer: String.t()}

  @doc "Wait for the next event, at most `timeout` milliseconds; then the result is `{:ok, nil}`."
  @spec next(t(), timeout()) :: {:ok, StreamEvent.t() | nil} | {:error, Error.t()}
  def next(%__MODULE__{pid: pid}, timeout \\ :infinity), do: Reader.next(pid, timeout)

  @doc """
  Ask for the next event as one message, `{:honker_item, ref, {:ok, event}}`, to this process or another.

  Returns the ref. As with a socket in mode `active: :once`, ask again when the event is done.
  """
  @spec request(t(), pid()) :: reference()
  def request(%__MODULE__{pid: pid}, to \\ self()), do: Reader.request(pid, to)

  @doc "Return the events as an enumerable that waits for each, and closes the subscription at its end."
  @spec stream(t()) :: Enumerable.t()
  def stream(%__MODULE__{pid: pid}), do: Reader.stream(pid)

  @doc "End the subscription and save the offset. A process that waits gets `HONKER_CLOSED`. Closing twice is fine."
  @spec close(t()) :: :ok
  def close(%__MODULE__{pid: pid}), do: Reader.close(pid)
end
