#!/bin/sh
# Compiles the library, the tests with the agent, and the examples into build/. Warnings are errors.
set -eu
cd "$(dirname "$0")/.."
. scripts/toolchain.sh

mkdir -p build
{
    printf '%s\n' -nologo -nostdlib -langversion:8 -nullable:enable -warnaserror+ -warn:4 -deterministic+ \
        -debug:portable -optimize+ "-pathmap:$PWD=."
    for each in "$REFERENCES"/*.dll; do echo "-r:\"$each\""; done
} > build/options.rsp

# compile OUTPUT TARGET ARGUMENTS...: unless the output is newer than all sources.
compile() {
    output=build/$1 target=$2
    shift 2
    if [ -f "$output" ] && [ -z "$(find src tests examples scripts -newer "$output" -type f -print -quit)" ]; then
        return
    fi
    $CSC -noconfig @build/options.rsp -target:"$target" -out:"$output" "$@"
    if [ "$target" = exe ]; then cp scripts/runtimeconfig.json "${output%.dll}.runtimeconfig.json"; fi
}

compile Honker.dll library -doc:build/Honker.xml $(find src/Honker -name '*.cs' -not -path '*/obj/*' | sort) \
    scripts/TargetFramework.cs
compile Honker.Tests.dll exe -r:build/Honker.dll $(find tests -name '*.cs' -not -path '*/obj/*' | sort)
for example in examples/*.cs; do
    compile "$(basename "$example" .cs).dll" exe -r:build/Honker.dll "$example"
done
