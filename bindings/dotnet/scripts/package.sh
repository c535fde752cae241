#!/bin/sh
# Makes the NuGet package, and tries it from a clean folder: an application that has only the package compiles, finds
# the bundled library and runs.
set -eu
cd "$(dirname "$0")/.."
. scripts/toolchain.sh
package=$(python3 scripts/pack.py)
app=$(mktemp -d)
trap 'rm -rf "$app"' EXIT
python3 -m zipfile -e "$package" "$app/package"
cp examples/GettingStarted.cs scripts/runtimeconfig.json "$app"
{
    for each in "$REFERENCES"/*.dll; do echo "-r:\"$each\""; done
} > "$app/references.rsp"
cd "$app"
$CSC -noconfig @references.rsp -nologo -nostdlib -langversion:8 -nullable:enable -out:app.dll \
    -r:package/lib/net8.0/Honker.dll GettingStarted.cs
mv runtimeconfig.json app.runtimeconfig.json
# As a build lays them beside the application.
cp package/lib/net8.0/Honker.dll .
cp -R package/runtimes .
unset HONKER_EXTENSION_PATH
printed=$($DOTNET exec app.dll)
[ "$printed" = "sending to alice@example.com" ] || { echo "the application printed: $printed" >&2; exit 1; }
echo "$package works from a clean folder"
