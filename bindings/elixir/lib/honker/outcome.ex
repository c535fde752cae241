defmodule Honker.Outcome do
  @moduledoc false
  # The end of a function of the application: a value, or the text of its exception, throw or exit.

  @longest 4_000

  @spec of((() -> term())) :: {:returned, term()} | {:raised, String.t()}
  def of(run) do
    {:returned, run.()}
  catch
    kind, reason -> {:raised, banner(kind, reason, __STACKTRACE__)}
  end

  @doc "Return the text of a reason, for `last_error`."
  @spec text(term()) :: String.t()
  def text(reason) when is_binary(reason), do: if(String.valid?(reason), do: shorten(reason), else: inspect(reason))
  def text(%{__exception__: true} = error), do: banner(:error, error, [])
  def text(reason), do: reason |> inspect() |> shorten()

  # `message/1` of an exception is code of the application, and may raise.
  defp banner(kind, reason, stacktrace) do
    kind |> Exception.format_banner(reason, stacktrace) |> shorten()
  rescue
    _ -> inspect({kind, reason}, limit: 20)
  end

  defp shorten(text), do: String.slice(text, 0, @longest)
end
