#!/bin/sh
# Install the library into a clean folder, then build and run a project that finds it by find_package(honker), without the
# environment variable and away from the checkout.
set -eu
library=$HONKER_EXTENSION_PATH
unset HONKER_EXTENSION_PATH
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
binding=$PWD

cmake -G Ninja -S . -B build/package -DCMAKE_BUILD_TYPE=Release -DHONKER_BUILD_TESTS=OFF \
    -DCMAKE_INSTALL_PREFIX="$folder/prefix" -DCMAKE_INSTALL_LIBDIR=lib -DHONKER_EXTENSION="$library" >/dev/null
cmake --build build/package >/dev/null
cmake --install build/package >/dev/null

mkdir "$folder/project"
cp examples/getting_started.cpp "$folder/project/main.cpp"
cat >"$folder/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.18)
project(consumer CXX)
find_package(honker 0.1 REQUIRED)
add_executable(consumer main.cpp)
target_link_libraries(consumer PRIVATE honker::honker)
END
cd "$folder/project"
cmake -G Ninja -S . -B build -DCMAKE_PREFIX_PATH="$folder/prefix" >/dev/null
cmake --build build >/dev/null
said=$(build/consumer)
echo "$said"
test "$said" = "sending to ann@example.com"
