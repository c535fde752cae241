defmodule Honker.Error do
  @moduledoc """
  An error of honker or of SQLite, as `{:error, %Honker.Error{}}` or raised.

  Match on `code`:

      case Honker.Queue.enqueue(db, "emails", payload) do
        {:ok, id} -> id
        {:error, %Honker.Error{code: "HONKER_BUSY"}} -> :try_later
      end

  Fields:

    * `code` - text such as `"HONKER_INVALID_ARGUMENT"`; the list is in the README
    * `message` - names the argument, the value seen and the range allowed
    * `retryable` - true if the same call may succeed later
    * `sqlite_code` - SQLite's result code where the driver has it, else nil
  """

  defexception [:code, :message, retryable: false, sqlite_code: nil]

  @type t :: %__MODULE__{
          code: String.t(),
          message: String.t(),
          retryable: boolean(),
          sqlite_code: integer() | nil
        }

  @retryable ~w(HONKER_BUSY HONKER_FULL HONKER_IO HONKER_INTERRUPTED HONKER_TIMEOUT)

  # SQLite's primary result codes.
  @sqlite %{
    5 => "HONKER_BUSY",
    6 => "HONKER_BUSY",
    8 => "HONKER_READ_ONLY",
    9 => "HONKER_INTERRUPTED",
    10 => "HONKER_IO",
    11 => "HONKER_CORRUPT",
    13 => "HONKER_FULL",
    14 => "HONKER_CANTOPEN",
    19 => "HONKER_CONSTRAINT",
    26 => "HONKER_CORRUPT"
  }

  # For drivers that pass on only SQLite's text.
  @texts [
    {"is locked", "HONKER_BUSY"},
    {"Database busy", "HONKER_BUSY"},
    {"readonly database", "HONKER_READ_ONLY"},
    {"interrupted", "HONKER_INTERRUPTED"},
    {"disk I/O error", "HONKER_IO"},
    {"is full", "HONKER_FULL"},
    {"unable to open database", "HONKER_CANTOPEN"},
    {"constraint failed", "HONKER_CONSTRAINT"},
    {"malformed", "HONKER_CORRUPT"},
    {"not a database", "HONKER_CORRUPT"}
  ]

  @doc "Make an error with a code."
  @spec new(String.t(), String.t()) :: t()
  def new(code, text) do
    %__MODULE__{code: code, message: "#{code}: #{text}", retryable: code in @retryable}
  end

  @doc """
  Make the error of a failed statement.

  The code is the first in the message, which a driver may have wrapped; else it follows from SQLite's result code or text.
  """
  @spec from_sqlite(integer() | nil, String.t()) :: t()
  def from_sqlite(sqlite_code, message) do
    code =
      case Regex.run(~r/\bHONKER_[A-Z_]+(?=: )/, message) do
        [code] -> code
        nil -> Map.get(@sqlite, primary(sqlite_code)) || from_text(message)
      end

    %__MODULE__{code: code, message: message, retryable: code in @retryable, sqlite_code: sqlite_code}
  end

  @doc "Make the error of a call on a closed database."
  @spec closed() :: t()
  def closed, do: new("HONKER_CLOSED", "the database is closed; open it again")

  @doc "Make the error of a wait that took too long."
  @spec timeout(String.t()) :: t()
  def timeout(text), do: new("HONKER_TIMEOUT", text)

  defp primary(nil), do: nil
  defp primary(code), do: rem(code, 256)

  defp from_text(message) do
    Enum.find_value(@texts, "HONKER_SQLITE", fn {text, code} -> if message =~ text, do: code end)
  end
end
