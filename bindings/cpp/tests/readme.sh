#!/bin/sh
# The program in the README is the example.
set -eu
sed -n '/^```cpp$/,/^```$/p' README.md | sed '1d;$d' | diff -u examples/getting_started.cpp -
