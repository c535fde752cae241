defmodule Honker.Payload do
  @moduledoc """
  Payloads as JSON text.

  The library is Jason if the application has it, else Elixir's own `JSON` (1.18), else jiffy. Objects come back as maps
  with text keys, null as nil.
  """

  alias Honker.Error

  cond do
    Code.ensure_loaded?(Jason) ->
      defp to_json(value), do: Jason.encode!(value)
      defp from_json(text), do: Jason.decode!(text)

    Code.ensure_loaded?(JSON) ->
      defp to_json(value), do: JSON.encode!(value)
      defp from_json(text), do: JSON.decode!(text)

    true ->
      defp to_json(value), do: value |> plain() |> :jiffy.encode([:use_nil]) |> IO.iodata_to_binary()
      defp from_json(text), do: :jiffy.decode(text, [:return_maps, :use_nil, :copy_strings])

      # jiffy knows no structs; the dates get the text that the other libraries give them.
      defp plain(%module{} = value) when module in [Date, Time, DateTime, NaiveDateTime], do: module.to_iso8601(value)
      defp plain(%module{}), do: raise(ArgumentError, "#{inspect(module)} has no JSON form; pass a map")
      defp plain(value) when is_map(value), do: Map.new(value, fn {key, each} -> {plain_key(key), plain(each)} end)
      defp plain(value) when is_list(value), do: Enum.map(value, &plain/1)
      defp plain(value) when is_tuple(value), do: raise(ArgumentError, "a tuple has no JSON form; pass a list")
      defp plain(value), do: value

      defp plain_key(key) when is_integer(key), do: Integer.to_string(key)
      defp plain_key(key), do: key
  end

  @doc """
  Encode a value. Returns the error `HONKER_INVALID_ARGUMENT` for a value without a JSON form.
  """
  @spec encode(term()) :: {:ok, String.t()} | {:error, Error.t()}
  def encode(value) do
    {:ok, to_json(value)}
  rescue
    error -> {:error, Error.new("HONKER_INVALID_ARGUMENT", "payload is no JSON value: #{Exception.message(error)}")}
  catch
    _, reason -> {:error, Error.new("HONKER_INVALID_ARGUMENT", "payload is no JSON value: #{inspect(reason)}")}
  end

  @doc """
  Decode a stored payload.

  Any client may store text that is not JSON; it comes back as `{:invalid_json, text}`.
  """
  @spec decode(String.t()) :: term() | {:invalid_json, String.t()}
  def decode(text) do
    from_json(text)
  rescue
    _ -> {:invalid_json, text}
  catch
    _, _ -> {:invalid_json, text}
  end

  @doc "Decode JSON that an SQL function returned."
  @spec decode!(String.t()) :: term()
  def decode!(text), do: from_json(text)
end
