defmodule Honker.ReadmeTest do
  use ExUnit.Case, async: true

  @root Path.expand("../..", __DIR__)

  test "the README shows the example of getting started as it is" do
    assert File.read!(Path.join(@root, "README.md")) =~ File.read!(Path.join(@root, "examples/getting_started.exs"))
  end

  test "every function that the README names exists" do
    rows =
      Regex.scan(~r/^\| ((?:`Honker[A-Za-z.]*`(?:, )?)+) \| (`[a-z].*) \|$/m, File.read!(Path.join(@root, "README.md")))

    assert length(rows) >= 8

    for [_, modules, functions] <- rows,
        [_, module] <- Regex.scan(~r/`([A-Za-z.]+)`/, modules),
        [_, function] <- Regex.scan(~r/`([a-z_]+)`/, functions) do
      module = Module.concat([module])
      Code.ensure_loaded!(module)
      names = Enum.map(module.__info__(:functions), &elem(&1, 0))
      assert String.to_atom(function) in names, "#{inspect(module)} has no #{function}"
    end
  end

  test "every public function has documentation" do
    {:ok, modules} = :application.get_key(:honker, :modules)

    for module <- modules, not String.contains?(inspect(module), ["Case", "ConformanceAgent"]) do
      {:docs_v1, _, _, _, moduledoc, _, functions} = Code.fetch_docs(module)
      assert moduledoc != :none, "#{inspect(module)} has no moduledoc"

      for {{:function, name, arity}, _, _, doc, _} <- functions, moduledoc != :hidden and not callback?(module, name) do
        assert doc != :none, "#{inspect(module)}.#{name}/#{arity} has no doc"
      end
    end
  end

  @callbacks ~w(init handle_call handle_cast handle_info handle_continue terminate)a
  @adapter ~w(available? open load_extension rows script close busy_timeout_ms)a

  defp callback?(module, name) do
    name in @callbacks or (String.starts_with?(inspect(module), "Honker.Adapter.") and name in @adapter) or
      name in [:exception, :message]
  end
end
