# Lays the Hex package out in dist/, with the library, and tries it from a clean folder: mix run package.exs
#
# `mix hex.build` makes the same files into a tarball where Hex is installed.

project = Mix.Project.config()
target = Path.expand("dist/honker-#{project[:version]}")
File.rm_rf!("dist")

for pattern <- project[:package][:files], file <- Path.wildcard(pattern, match_dot: true) do
  copy = Path.join(target, file)
  File.mkdir_p!(Path.dirname(copy))
  File.cp_r!(file, copy)
end

{:ok, library} = Honker.Extension.path()
File.mkdir_p!(Path.join(target, "priv"))
File.cp!(library, Path.join([target, "priv", Honker.Extension.file_name()]))

folder = Path.join(System.tmp_dir!(), "honker-package-#{System.pid()}")
File.mkdir_p!(folder)

File.write!(Path.join(folder, "mix.exs"), """
defmodule Shop.MixProject do
  use Mix.Project
  def project, do: [app: :shop, version: "0.1.0", deps: [{:honker, path: #{inspect(target)}}]]
end
""")

run = fn arguments ->
  {output, code} =
    System.cmd("mix", arguments,
      cd: folder,
      env: [{"HONKER_EXTENSION_PATH", nil}, {"MIX_ENV", "prod"}],
      stderr_to_stdout: true
    )

  IO.puts(output)
  if code != 0, do: raise("mix #{Enum.join(arguments, " ")} ended with code #{code}")
  output
end

output = run.(["run", Path.join(target, "examples/getting_started.exs")])
unless output =~ "mail for order 42", do: raise("the getting-started program printed something else")

# The library was the package's own.
path = run.(["run", "-e", "{:ok, path} = Honker.Extension.path(); IO.puts(path)"])
unless path =~ Path.join("priv", Honker.Extension.file_name()), do: raise("the library came from elsewhere: #{path}")

File.rm_rf!(folder)
IO.puts("dist/#{Path.basename(target)} works from a clean folder")
