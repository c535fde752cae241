#!/usr/bin/env bash
# Runs the wheel of dist/ in an old root file system: Debian 11 with glibc 2.31, made by debootstrap. That release has
# Python 3.9 and SQLite 3.34, so Python 3.13 and SQLite 3.40 are compiled there, from the sources that Debian keeps.
#
#     sudo scripts/check_wheel.sh [ROOT]
#
# ROOT (default: build/old-root) is kept, so that the next check takes seconds instead of minutes.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
system=${1:-$here/build/old-root}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
wheel=$(ls -t "$here"/dist/honker_db-*-manylinux*.whl 2>/dev/null | head -n 1)

fail() { printf 'check_wheel: %s\n' "$*" >&2; exit 1; }
[ -n "$wheel" ] || fail "dist/ holds no manylinux wheel: make wheel"
[ "$(id -u)" = 0 ] || fail "debootstrap and chroot need root: sudo scripts/check_wheel.sh"
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"

inside() { chroot "$system" /usr/bin/env -i HOME=/srv PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8 "$@"; }

if [ ! -x "$system/usr/local/bin/python3.13" ]; then
    rm -rf "$system"
    mkdir -p "$system"
    echo "==> Debian 11 in $system"
    debootstrap --variant=minbase --include=gcc,make,libc6-dev,zlib1g-dev,libffi-dev,libssl-dev,xz-utils,ca-certificates,tcl \
        bullseye "$system" "$mirror"
    pool=$mirror/pool/main
    fetch() { curl -fsSL "$pool/$1" -o "$system/srv/${1##*/}"; }
    fetch s/sqlite3/sqlite3_3.40.1.orig.tar.xz
    fetch p/python3.13/python3.13_3.13.5.orig.tar.xz
    echo "==> SQLite 3.40 and Python 3.13, compiled there"
    inside sh -euc '
        cd /srv
        for archive in *.orig.tar.xz; do tar -xf "$archive"; done
        (cd sqlite*/ && ./configure --disable-tcl --disable-static >sqlite.log 2>&1 && make -j2 install >>sqlite.log 2>&1)
        (cd Python*/ && ./configure --enable-loadable-sqlite-extensions LDFLAGS=-Wl,-rpath,/usr/local/lib >python.log 2>&1 &&
            make -j2 >>python.log 2>&1 && make altinstall >>python.log 2>&1)'
fi

cp "$wheel" "$here/scripts/try_wheel.py" "$system/srv/"
cp /etc/resolv.conf "$system/etc/resolv.conf"
inside sh -euc "
    cd /srv
    rm -rf try
    python3.13 -m venv try
    try/bin/pip install --quiet '${wheel##*/}'
    ldd --version | head -n 1
    try/bin/python try_wheel.py"
