#!/usr/bin/env bash
# Tests the engine with the newest rusqlite of the range in Cargo.toml. The lock file holds the oldest, so `make rust-test`
# tests that end.
#
# Usage: scripts/check_rusqlite_range.sh. Works on a copy of the workspace; builds into target/rusqlite-range.
set -euo pipefail
cd "$(dirname "$0")/.."

oldest=$(sed -n 's/^rusqlite = .*">=\([0-9.]*\), .*/\1/p' Cargo.toml)
locked=$(sed -n '/^name = "rusqlite"$/{n;s/version = "\(.*\)"/\1/p;}' Cargo.lock)
case "$locked" in
    "$oldest".*) ;;
    *) echo "Cargo.lock has rusqlite $locked, and the range begins with $oldest" >&2; exit 1 ;;
esac

target=${CARGO_TARGET_DIR:-$PWD/target}/rusqlite-range
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r Cargo.toml Cargo.lock crates "$copy"
cd "$copy"
export CARGO_TARGET_DIR=$target CARGO_PROFILE_DEV_DEBUG=0
# Without a version, cargo takes the newest that the range allows.
cargo update --quiet --package rusqlite
newest=$(sed -n '/^name = "rusqlite"$/{n;s/version = "\(.*\)"/\1/p;}' Cargo.lock)
[ "$newest" != "$locked" ] || { echo "cargo found no rusqlite newer than $locked in the range" >&2; exit 1; }
echo "==> the engine with rusqlite $newest (the lock file has $locked)"
cargo test --locked --package honker-engine
cargo check --locked --package honker-extension
