#!/usr/bin/env bash
# Makes a minbase root of Debian SUITE with PACKAGES in .cache/roots/, unless it is there already, and
# prints its path. It is not to be changed: copy it. Needs root and debootstrap.
#
#     tests/host/debian-root.sh SUITE [PACKAGE...]
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=$1
shift
include=$(IFS=,; echo "$*")
root=.cache/roots/$suite-$(sha256sum <<<"$include" | cut -c 1-12)
if [ ! -d "$root" ]; then
    echo "Making a Debian $suite in $root" >&2
    mkdir -p .cache/roots
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    debootstrap --variant=minbase ${include:+"--include=$include"} "$suite" "$root.$$" >"$log" 2>&1 || {
        tail "$log" >&2
        rm -rf --one-file-system "$root.$$"
        exit 1
    }
    rm -rf "$root.$$"/var/cache/apt/archives/*.deb "$root.$$"/var/lib/apt/lists/*
    # Somebody else may have made it meanwhile.
    mv --no-target-directory "$root.$$" "$root" 2>/dev/null || rm -rf --one-file-system "$root.$$"
fi
realpath "$root"
