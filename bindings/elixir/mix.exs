defmodule Honker.MixProject do
  use Mix.Project

  @version "0.1.0"

  def project do
    [
      app: :honker,
      version: @version,
      elixir: "~> 1.14",
      elixirc_paths: if(Mix.env() == :test, do: ["lib", "test/support"], else: ["lib"]),
      start_permanent: Mix.env() == :prod,
      deps: deps(),
      name: "Honker",
      description: "Durable job queues, streams, notify/listen, schedules and locks inside a SQLite file",
      package: package()
    ]
  end

  # Without Hex, Erlang's own packages of the system serve: p1_sqlite3 and jiffy.
  def application do
    [extra_applications: [:logger] ++ if(hex?(), do: [], else: [:sqlite3, :jiffy])]
  end

  defp deps do
    if hex?(), do: [{:exqlite, "~> 0.27"}, {:jason, "~> 1.4"}], else: []
  end

  defp hex?, do: Code.ensure_loaded?(Hex)

  defp package do
    [
      licenses: ["MIT"],
      links: %{"GitHub" => "https://github.com/russellromney/honker"},
      files: ~w(lib priv examples mix.exs README.md LICENSE .formatter.exs)
    ]
  end
end
