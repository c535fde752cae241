#!/bin/sh
# Runs the getting-started program of the README, and the other examples, each in an empty folder.
set -eu
cd "$(dirname "$0")/.."
. scripts/toolchain.sh
build=$PWD/build
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# try "PROGRAM ARGUMENTS" EXPECTED: the first line that it prints.
try() {
    rm -rf "$work/app" && mkdir "$work/app" && cd "$work/app"
    printed=$($DOTNET exec "$build"/$1 | head -1)
    [ "$printed" = "$2" ] || { echo "$1 printed: $printed" >&2; exit 1; }
    cd - >/dev/null
}

# The first program of the README is the example.
sed -n '/^```csharp$/,/^```$/p' README.md | sed '1d;/^```$/,$d' > "$work/readme.cs"
tail -n +2 examples/GettingStarted.cs > "$work/example.cs"
diff "$work/readme.cs" "$work/example.cs" || { echo "README.md and the example differ" >&2; exit 1; }
try GettingStarted.dll "sending to alice@example.com"
try "Worker.dll app.db 3" "sending to ann@example.com, attempt 1"
try AtomicEnqueue.dll "rolled back: the payment failed"
try StreamAndSchedule.dll "event 1: tea"
