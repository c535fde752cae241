#!/bin/sh
# Runs a program of build/: scripts/run.sh NAME ARGUMENTS...
set -eu
cd "$(dirname "$0")/.."
. scripts/toolchain.sh
program=build/$1.dll
shift
exec "$DOTNET" exec "$program" "$@"
