defmodule Honker.Lock do
  @moduledoc """
  A named lock over all processes that use the file, with an owner and an end.

      case Honker.Lock.try_acquire(db, "reports", "host-a", 60) do
        {:ok, nil} -> :another_owner_has_it
        {:ok, lock} -> Honker.Lock.release(lock, db)
      end
  """

  alias Honker.{Connection, Database, Error}

  @enforce_keys [:name, :owner]
  defstruct [:name, :owner]

  @type t :: %__MODULE__{name: String.t(), owner: String.t()}

  @doc "Acquire a lock for some seconds. Returns `{:ok, nil}` if another owner has it."
  @spec try_acquire(Database.t(), String.t(), String.t(), number()) :: {:ok, t() | nil} | {:error, Error.t()}
  def try_acquire(db, name, owner, ttl_s \\ 60) do
    with {:ok, held} <- Connection.one(db, "SELECT honker_lock_acquire(?, ?, ?)", [name, owner, ttl_s]) do
      {:ok, if(held == 1, do: %__MODULE__{name: name, owner: owner})}
    end
  end

  @doc "Release a lock. Returns `{:ok, false}` if the owner did not have it any more."
  @spec release(t(), Database.t()) :: {:ok, boolean()} | {:error, Error.t()}
  def release(%__MODULE__{} = lock, db), do: boolean(db, "SELECT honker_lock_release(?, ?)", [lock.name, lock.owner])

  @doc "Let a lock end in `ttl_s` seconds from now. Returns `{:ok, false}` if it was lost."
  @spec heartbeat(t(), Database.t(), number()) :: {:ok, boolean()} | {:error, Error.t()}
  def heartbeat(%__MODULE__{} = lock, db, ttl_s \\ 60) do
    boolean(db, "SELECT honker_lock_renew(?, ?, ?)", [lock.name, lock.owner, ttl_s])
  end

  defp boolean(db, sql, args) do
    with {:ok, value} <- Connection.one(db, sql, args), do: {:ok, value == 1}
  end
end
