#!/bin/sh
# Run an example in a clean folder, and compare its output with the expected one.
#
#     run_example.sh EXAMPLE...      names without a suffix; all of them by default
#
# The codes of errors are compared with expected/NAME.err; without that file there must be no error.
set -eu
binding=$(cd "$(dirname "$0")" && pwd)
library=${HONKER_EXTENSION_PATH:-$binding/../../target/release/libhonker_ext.so}
if [ $# -eq 0 ]; then
    for file in "$binding"/examples/*.sql; do
        set -- "$@" "$(basename "$file" .sql)"
    done
fi
failed=0
for name in "$@"; do
    folder=$(mktemp -d)
    cp "$library" "$folder/libhonker_ext.so"
    expected_errors=$binding/expected/$name.err
    [ -f "$expected_errors" ] || expected_errors=/dev/null
    (cd "$folder" && DATABASE="$folder/app.db" timeout 20 sqlite3 app.db \
        <"$binding/examples/$name.sql" >output 2>said) || true
    # The rest of an error's line differs between versions of the shell.
    sed 's/.*\(HONKER_[A-Z_]*\): .*/\1/' "$folder/said" >"$folder/errors"
    if diff -u "$binding/expected/$name.txt" "$folder/output" && diff -u "$expected_errors" "$folder/errors"; then
        echo "$name: ok"
    else
        cat "$folder/said"
        echo "$name: FAILED"
        failed=1
    fi
    rm -rf "$folder"
done
exit $failed
