defmodule Honker.Extension do
  @moduledoc """
  The library `libhonker_ext`, the engine of honker.

  It is found in this order:

    1. the option `:extension_path` of `Honker.open/2`
    2. the environment variable `HONKER_EXTENSION_PATH`
    3. `priv/` of this package
    4. `target/release` of the checkout in which this package was built

  A program uses one library: the first one found serves all databases, and another `:extension_path` is an error.
  """

  alias Honker.Error

  @key {__MODULE__, :path}

  @doc "Return the path of the library."
  @spec path(String.t() | nil) :: {:ok, String.t()} | {:error, Error.t()}
  def path(wanted \\ nil) do
    case :persistent_term.get(@key, nil) do
      nil -> find(wanted)
      known when is_nil(wanted) -> {:ok, known}
      known -> same(known, Path.expand(wanted))
    end
  end

  @doc "Return the file name of the library on this system."
  @spec file_name() :: String.t()
  def file_name do
    case :os.type() do
      {:unix, :darwin} -> "libhonker_ext.dylib"
      {:win32, _} -> "honker_ext.dll"
      _ -> "libhonker_ext.so"
    end
  end

  defp find(wanted) do
    named = wanted || env()

    case if(named, do: [Path.expand(named)], else: bundled() ++ built()) |> Enum.find(&File.regular?/1) do
      nil ->
        {:error, Error.new("HONKER_CANTOPEN", "#{named || file_name()} is not there; set HONKER_EXTENSION_PATH")}

      found ->
        :persistent_term.put(@key, found)
        {:ok, found}
    end
  end

  defp same(known, known), do: {:ok, known}

  defp same(known, wanted) do
    {:error,
     Error.new("HONKER_INVALID_ARGUMENT", "extension_path is #{wanted}; this program has loaded #{known} already")}
  end

  defp env do
    case System.get_env("HONKER_EXTENSION_PATH") do
      path when path in [nil, ""] -> nil
      path -> path
    end
  end

  defp bundled do
    case :code.priv_dir(:honker) do
      {:error, :bad_name} -> []
      folder -> [Path.join(to_string(folder), file_name())]
    end
  end

  defp built do
    case :code.which(__MODULE__) do
      file when is_list(file) -> file |> to_string() |> Path.expand() |> checkouts()
      _ -> []
    end
  end

  # A folder is a checkout only with a Cargo.toml: a `target/release` of another project does not count.
  defp checkouts(path) do
    for folder <- parents(path), File.regular?(Path.join(folder, "Cargo.toml")) do
      Path.join([folder, "target", "release", file_name()])
    end
  end

  defp parents("/"), do: ["/"]

  defp parents(path) do
    case Path.dirname(path) do
      ^path -> []
      parent -> [parent | parents(parent)]
    end
  end
end
