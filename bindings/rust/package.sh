#!/usr/bin/env bash
# Packs honker and honker-core with the three crates of the engine that they need, and runs programs in a folder of its own
# that has only the packed files.
#
# Usage: package.sh. Packs into target/rust-package/crates of the repository; needs cargo 1.90 or newer.
#
# The five crates are packed as one workspace: cargo packs crates that depend on each other only together. Publishing needs
# the same order: honker-domain, honker-watch, honker-engine, honker-core, honker.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
out=$root/target/rust-package
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
export CARGO_TARGET_DIR=$root/target

rm -rf "$out"
mkdir -p "$out/workspace/crates" "$out/crates" "$out/app/src" "$out/app/vendor"
for crate in honker-domain honker-engine honker-watch; do
    cp -r "$root/crates/$crate" "$out/workspace/crates"
done
mkdir "$out/workspace/honker"
cp -r Cargo.toml README.md src examples tests "$out/workspace/honker"
cp -r honker-core "$out/workspace"
cp "$root/Cargo.toml" "$out/workspace"
cp Cargo.lock "$out/workspace"
# Packed crates name each other by version.
sed -i "s|^\(honker-[a-z]*\) = { \(.*\)path = \"\([^\"]*\)\" }|\1 = { \2path = \"\3\", version = \"$version\" }|
    s|^members = .*|members = [\"crates/*\", \"honker\", \"honker-core\"]|" "$out/workspace/Cargo.toml"
sed -i "/^\[workspace\]/,/^$/d; /^\[profile/,/^$/d; s|\"[./]*/crates/|\"../crates/|" \
    "$out/workspace/honker/Cargo.toml" "$out/workspace/honker-core/Cargo.toml"

cd "$out/workspace"
# Packing is no build: the program below builds what was packed.
cargo package --quiet --offline --workspace --no-verify --allow-dirty
for crate in honker-domain honker-engine honker-watch honker-core honker; do
    mv "$CARGO_TARGET_DIR/package/$crate-$version.crate" "$out/crates"
    tar -xzf "$out/crates/$crate-$version.crate" -C "$out/app/vendor"
done

cd "$out/app"
mkdir src/bin
cp "$out/workspace/honker/examples/getting_started.rs" src/main.rs
sed -n '/^```rust$/,/^```$/{/^```/!p}' "vendor/honker-core-$version/README.md" > src/bin/core.rs
cp "$out/workspace/Cargo.lock" .
cat > Cargo.toml <<MANIFEST
[workspace]

[package]
name = "honker-packaged-app"
version = "0.0.0"
edition = "2024"
default-run = "honker-packaged-app"

[dependencies]
honker = "$version"
honker-core = "$version"
serde_json = "1"

[patch.crates-io]
honker = { path = "vendor/honker-$version" }
honker-core = { path = "vendor/honker-core-$version" }
honker-domain = { path = "vendor/honker-domain-$version" }
honker-engine = { path = "vendor/honker-engine-$version" }
honker-watch = { path = "vendor/honker-watch-$version" }

[profile.dev]
debug = "line-tables-only"
MANIFEST
cargo run --quiet --offline | grep 'job 1: mail to "ann@example.com"'
cargo run --quiet --offline --bin core | grep '^job [0-9]'
ls -l "$out/crates"
