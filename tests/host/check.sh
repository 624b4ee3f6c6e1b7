#!/usr/bin/env bash
# `./run check-host [-k NAME]...`: the packages, built and installed into a Debian 12 that is booted,
# and what can be seen of it from outside. Closes with "N passed, N failed". Needs root.
#
# The Debian is made by debootstrap once, and kept in .cache/host/; PACKAGES=FOLDER takes packages that
# are built already.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" -eq 0 ] || {
    echo "./run check-host needs root, for debootstrap and systemd-nspawn" >&2
    exit 1
}

# What a Debian on a bastion has anyway, and what the packages depend on.
include=systemd,systemd-sysv,dbus,ca-certificates,libcurl4,libinih1,libjson-c5,libmicrohttpd12
include=$include,libssl3,libsystemd0
root=.cache/host/bookworm-$(sha256sum <<<"$include" | cut -c 1-12)

work=$(mktemp -d /var/tmp/provisionerd-check-host-XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT

if [ ! -d "$root" ]; then
    echo "Making a Debian 12 in $root"
    mkdir -p .cache/host
    rm -rf --one-file-system .cache/host/bookworm-*
    debootstrap --variant=minbase --include="$include" bookworm "$root.new" >"$work/log" 2>&1 || {
        tail "$work/log" >&2
        exit 1
    }
    rm -rf "$root.new"/var/cache/apt/archives/*.deb
    mv "$root.new" "$root"
fi

packages=${PACKAGES:-}
if [ -z "$packages" ]; then
    packages=$work/packages
    echo "Building the packages"
    tests/host/copy-tree.sh "$work/build/provisionerd"
    tests/host/build-packages.sh "$work/build/provisionerd" "$packages"
fi

# The very programs that are packaged; the simulated AWS runs on the host.
for name in provisionerd provisionerd-sim; do
    dpkg-deb --extract "$packages"/"$name"_*.deb "$work/extracted"
done
mkdir "$work/programs"
cp "$work"/extracted/usr/sbin/provisionerd "$work"/extracted/usr/bin/provisionerd-sim "$work/programs"

PROVISIONERD_BUILD=$work/programs PROVISIONERD_PACKAGES=$(realpath "$packages") \
    PROVISIONERD_HOST_ROOT=$(realpath "$root") python3 tests/host/check.py "$@"
