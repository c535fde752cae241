#!/bin/sh
# Checks the form of the sources. The compiler has checked the rest: in scripts/build.sh warnings are errors, also those
# about null and about public members without documentation. With a .NET SDK `dotnet format` checks by .editorconfig.
set -eu
cd "$(dirname "$0")/.."
. scripts/toolchain.sh
files=$(find src tests examples scripts -type f \( -name '*.cs' -o -name '*.sh' -o -name '*.py' \) \
    -not -path '*/obj/*' -not -path '*/bin/*')
status=0
# report PROBLEM PATTERN: lines that match are a problem.
report() {
    if grep -nHP "$2" $files; then
        echo "^ $1" >&2
        status=1
    fi
}
report "longer than 120 characters" '^.{121,}$'
report "a tab or white space at the end" '\t|[ \r]$'
report "a block on the line of its head" '^\s*(if|else|for|foreach|while|using|lock) ?\(.*\{$'
for each in $files; do
    if [ -n "$(tail -c 1 "$each")" ]; then
        echo "$each: no line break at the end" >&2
        status=1
    fi
done
# A table of honker in the library would bind it to one schema.
if grep -rn '_honker_' src; then
    echo "^ a table of honker" >&2
    status=1
fi
case $CSC in
    *toolchain/*)
        # The reference assemblies say nothing about null; those of the .NET 8 runtime do.
        runtime=$(find toolchain/runtime -name 'System*.dll' -o -name 'netstandard.dll' -o -name 'Microsoft.CSharp.dll')
        $CSC -noconfig $(echo "$runtime" | sed 's/^/-r:/') -nologo -nostdlib -langversion:8 -nullable:enable \
            -warnaserror+ -target:library -out:build/lint.dll $(find src/Honker -name '*.cs') || status=1
        ;;
    *) $DOTNET format --verify-no-changes src/Honker/Honker.csproj ;;
esac
exit $status
