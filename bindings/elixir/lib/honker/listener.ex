defmodule Honker.Listener do
  @moduledoc """
  A subscription to a channel, made by `Honker.listen/2`.

      {:ok, listener} = Honker.listen(db, "orders")
      {:ok, %Honker.Notification{payload: payload}} = Honker.Listener.next(listener)

  It gets what is sent after `Honker.listen/2` has returned. It belongs to the process that made it and ends with it.
  """

  alias Honker.{Error, Notification, Reader}

  @enforce_keys [:pid, :channel]
  defstruct [:pid, :channel]

  @type t :: %__MODULE__{pid: pid(), channel: String.t()}

  @doc "Wait for the next notification, at most `timeout` milliseconds; then the result is `{:ok, nil}`."
  @spec next(t(), timeout()) :: {:ok, Notification.t() | nil} | {:error, Error.t()}
  def next(%__MODULE__{pid: pid}, timeout \\ :infinity), do: Reader.next(pid, timeout)

  @doc """
  Ask for the next notification as one message, `{:honker_item, ref, {:ok, notification}}`, to this process or another.

  Returns the ref. As with a socket in mode `active: :once`, ask again for the one after it.
  """
  @spec request(t(), pid()) :: reference()
  def request(%__MODULE__{pid: pid}, to \\ self()), do: Reader.request(pid, to)

  @doc "Return the notifications as an enumerable that waits for each, and closes the listener at its end."
  @spec stream(t()) :: Enumerable.t()
  def stream(%__MODULE__{pid: pid}), do: Reader.stream(pid)

  @doc "End the listener. A process that waits gets the error `HONKER_CLOSED`. Closing twice is fine."
  @spec close(t()) :: :ok
  def close(%__MODULE__{pid: pid}), do: Reader.close(pid)
end
