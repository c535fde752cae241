#!/bin/sh
# The script in the README is the example, and the README lists every example.
set -eu
sed -n '/^```sql$/,/^```$/p' README.md | sed '1d;$d' | diff -u examples/getting_started.sql -
for file in examples/*.sql; do
    grep -q "($file)" README.md || { echo "README.md does not list $file"; exit 1; }
done
