#!/bin/sh
# Runs the tests: scripts/test.sh [PART OF A NAME]
exec sh "$(dirname "$0")/run.sh" Honker.Tests "$@"
