#!/usr/bin/env bash
# Installs the tools that this machine lacks, or names the command that installs them.
#
#     scripts/setup_machine.sh [build | test]
#
# "build": Python with venv, a C linker and Rust, all that `make demo` needs. "test", the default, adds the tools of
# `make test`: rustfmt, clippy, the SQLite shell, PostgreSQL's server and Chromium. The Makefile calls this script, and so
# does CI. On a machine that lacks nothing it prints nothing and changes nothing. PYTHON in the environment names another
# interpreter than python3.
#
# Distribution packages are installed only with apt-get, and only as root or with a sudo that asks no question. No
# package is ever removed. With rustup present, rustup installs Rust, for this folder alone.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
purpose=${1:-test}
python=${PYTHON:-python3}
oldest_python=3.11
oldest_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")

lacking=()   # the things to name
packages=()  # their packages in Debian and its relatives
command=""   # to type for a thing without a package

say() { printf '==> %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# at_least HAVE WANTED: compares versions, 1.100 being newer than 1.89.
at_least() { printf '%s\n%s\n' "$2" "$1" | sort -V -c 2>/dev/null; }

# -------------------------------------------------------------------------------------------------------- tools present

has_make() { command -v make >/dev/null; }
has_sqlite_shell() { command -v sqlite3 >/dev/null; }
# The programs of a server; the tests start their own, and need none that runs.
has_postgres() { compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || command -v initdb >/dev/null; }
has_chromium() { command -v chromium || command -v google-chrome; } >/dev/null

# Links a program: gcc may be there without the files of the C library.
has_linker() {
    local program status=0
    command -v cc >/dev/null || return 1
    program=$(mktemp)
    echo 'int main(void) { return 0; }' | cc -x c - -o "$program" 2>/dev/null || status=1
    rm -f "$program"
    return $status
}

is_python_new() { "$python" -c "import sys; sys.exit(sys.version_info < (${oldest_python/./, }))" 2>/dev/null; }
# Debian keeps ensurepip in the package of venv.
has_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }

has_rust() {
    cargo --version >/dev/null 2>&1 || return 1
    at_least "$(rustc --version 2>/dev/null | cut -d ' ' -f 2)" "$oldest_rust" || return 1
    [ "$purpose" = build ] || { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1
}

# ----------------------------------------------------------------------------------------------------------- installing

has_apt() { command -v apt-get >/dev/null; }
may_install() { has_apt && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# The package lists of a bare machine are empty or old, and fetching them once is enough.
update_lists() {
    [ -z "${lists_updated:-}" ] && may_install || return 0
    say "fetching the package lists"
    as_root apt-get update >&2
    lists_updated=1
}

# The version that apt-get would install; empty, and so older than any, if there is none.
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9].*\)/\1/p'; }

ask_for_rustup() {
    command -v curl >/dev/null || packages+=(curl ca-certificates)
    command="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs"
    command+=" | sh -s -- -y --profile minimal -c rustfmt -c clippy"
}

# An override holds for this folder: the user's own default stays as it is.
install_rust_by_rustup() {
    say "asking rustup for a stable Rust, for this folder"
    if ! { rustup toolchain install stable --profile minimal --component rustfmt --component clippy &&
        rustup override set stable --path "$root"; } >&2; then
        fail "rustup could not install Rust; see above."
    fi
    has_rust ||
        fail "rustup's Rust is not in use: RUSTUP_TOOLCHAIN is set, or PATH has another cargo ($(command -v cargo))."
}

# --no-remove: an older Rust of the distribution is replaced only by its owner.
install_packages() {
    update_lists
    say "installing ${packages[*]}"
    # No stdin: a question by a package's configuration would wait for ever.
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-remove --no-install-recommends "${packages[@]}" </dev/null >&2
}

# One test needs it, which is skipped without it. So nothing fails if there is no such package, as in Ubuntu.
install_chromium() {
    packages=(chromium)
    if may_install && [ -n "$(candidate chromium)" ] && install_packages; then return; fi
    say "this machine has no Chromium (package chromium): the test of the example shop's page will be skipped"
}

# ---------------------------------------------------------------------------------------------------------- the message

# The command that installs the packages, as this user has to type it.
package_command() {
    local update="apt-get update" install="apt-get install --no-install-recommends ${packages[*]}"
    if [ "$(id -u)" = 0 ]; then
        echo "$update && $install"
    elif command -v sudo >/dev/null; then
        echo "sudo $update && sudo $install"
    else
        echo "su -c '$update && $install'"
    fi
}

# Name the things that are lacking, and the commands to type; end the script.
ask_user() {
    {
        echo "setup: this machine lacks"
        printf '  - %s\n' "${lacking[@]}"
        if [ ${#packages[@]} != 0 ] && ! has_apt; then
            echo "Install it with the package manager of your system; in Debian the packages are called ${packages[*]}."
        elif [ ${#packages[@]} != 0 ]; then
            printf 'Type:\n\n    %s\n\n' "$(package_command)"
        fi
        [ -z "$command" ] || printf 'For Rust, type:\n\n    %s\n\n' "$command"
        echo "Then repeat your command."
    } >&2
    exit 1
}

# -------------------------------------------------------------------------------------------------------- missing tools

# lack THING PACKAGE...
lack() {
    lacking+=("$1")
    shift
    packages+=("$@")
}

lack_python() {
    if ! command -v "$python" >/dev/null; then
        [ "$python" = python3 ] || fail "there is no $python, which PYTHON names."
        lack "Python $oldest_python or newer" python3 python3-venv
    elif ! is_python_new; then
        fail "$python is older than Python $oldest_python: name another interpreter, as in make PYTHON=python3.13."
    elif ! has_venv; then
        lack "venv and ensurepip for $python" "${python##*/}-venv"
    fi
}

# Debian's Rust stays as old as the release. Some releases carry a newer one beside it for building browsers, in the
# packages with "web" in their names; a release with neither may have rustup.
lack_rust() {
    local tools=""
    [ "$purpose" = build ] || tools=" with rustfmt and clippy"
    if command -v rustup >/dev/null; then
        install_rust_by_rustup
        return
    fi
    lacking+=("Rust $oldest_rust or newer$tools")
    update_lists
    if [ -n "${installed:-}" ]; then
        ask_for_rustup  # packages did not help: an older Rust comes first in PATH
    elif at_least "$(candidate rustc)" "$oldest_rust"; then
        packages+=(rustc cargo ca-certificates)
        [ "$purpose" = build ] || packages+=(rustfmt rust-clippy)
    elif at_least "$(candidate rustc-web)" "$oldest_rust"; then
        packages+=(rustc-web cargo-web ca-certificates)
        [ "$purpose" = build ] || packages+=(rustfmt-web rust-web-clippy)
    elif [ -n "$(candidate rustup)" ]; then
        packages+=(rustup ca-certificates)
    else
        ask_for_rustup
    fi
}

# Its tests are skipped without it, so only a machine that may install it lacks it.
lack_sqlite_shell() {
    if may_install; then
        lack "the SQLite shell" sqlite3
    else
        say "this machine has no SQLite shell (package sqlite3): its tests will be skipped"
    fi
}

# Debian starts a server of its own with the package, which the tests leave alone.
lack_postgres() { lack "a PostgreSQL server" postgresql; }

look() {
    lacking=() packages=() command=""
    has_make || lack make make
    has_linker || lack "a C compiler and linker" gcc libc6-dev
    lack_python
    has_rust || lack_rust
    [ "$purpose" = build ] || has_sqlite_shell || lack_sqlite_shell
    [ "$purpose" = build ] || has_postgres || lack_postgres
}

# ----------------------------------------------------------------------------------------------------------------- main

main() {
    case $purpose in build | test) ;; *) fail "the argument is \"$purpose\"; it must be \"build\" or \"test\"." ;; esac
    cd "$root"  # overrides of rustup hold for a folder
    look
    if [ ${#packages[@]} != 0 ] && may_install && install_packages; then
        installed=1
        look
    fi
    [ ${#lacking[@]} = 0 ] || ask_user
    [ "$purpose" = build ] || has_chromium || install_chromium
}

main
