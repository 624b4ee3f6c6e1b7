#!/usr/bin/env bash
# `./run check-host [--short] [-k NAME]...`: the packages, built and installed into a Debian 12 that is
# booted, and what can be seen of it from outside. Closes with "N passed, N failed". Needs root.
#
# The Debian is made by debootstrap once, and kept in .cache/host/; PACKAGES=FOLDER takes packages that
# are built already. --short, which is part of `./run check`: the most telling tests, in a Debian of the
# files that this host has installed; where no machine can be booted it says why, and exits 77.
#
# Several runs may go on beside each other; one that is ended by SIGTERM, SIGINT or SIGHUP leaves nothing
# behind, and what one leaves that is killed is removed by the next.
set -euo pipefail
cd "$(dirname "$0")/../.."

is_short=
[ "${1:-}" != --short ] || is_short=yes

# cannot WHY
cannot() {
    [ -z "$is_short" ] || { echo "$*"; exit 77; }
    echo "$*" >&2
    exit 1
}

[ "$(id -u)" -eq 0 ] || cannot "it needs root, for systemd-nspawn"
for command in systemd-nspawn dpkg-buildpackage dh nsenter flock; do
    command -v "$command" >/dev/null || cannot "it needs $command"
done

# What a Debian on a bastion has anyway, and what the packages depend on.
include=dbus,ca-certificates,libcurl4,libinih1,libjson-c5,libmicrohttpd12,libssl3,libsystemd0

base=${TMPDIR:-/var/tmp}
work=
child=

# A trap waits for the command in the foreground, but not for `wait`.
run() {
    local status=0

    setsid -- "$@" &
    child=$!
    wait "$child" || status=$?
    child=
    return "$status"
}

end() {
    trap '' INT TERM HUP
    if [ -n "$child" ]; then
        kill -TERM -- "-$child" 2>/dev/null || true
        wait "$child" || true
    fi
    exit "$1"
}

trap '[ -z "$work" ] || rm -rf --one-file-system "$work"' EXIT
trap 'end 130' INT
trap 'end 143' TERM
trap 'end 129' HUP

# A folder's lock is held as long as anybody works there.
exec 7<"$base"
flock 7
for old in "$base"/provisionerd-host-*; do
    if [ -e "$old/lock" ] && flock --nonblock "$old/lock" true; then
        echo "Removing $old, of a run that was killed"
        for machine in "$old"/machine-*; do
            name=pd${machine##*/machine-}
            name=${name//_/}
            find /sys/fs/cgroup -depth -type d \( -name "$name" -o -path "*/$name/*" \) \
                -exec rmdir {} + 2>/dev/null || true
        done
        rm -rf --one-file-system "$old"
    fi
done
work=$(mktemp -d "$base/provisionerd-host-XXXXXX")
exec 8>"$work/lock"
flock 8
exec 7<&-

make_root() {
    local root=$1

    mkdir -p .cache/host
    exec 9>.cache/host/lock
    flock --shared 9
    [ ! -d "$root" ] || return 0
    flock --unlock 9
    flock 9
    if [ ! -d "$root" ]; then
        echo "Making a Debian 12 in $root"
        rm -rf --one-file-system .cache/host/bookworm-*
        # Its mounts are nobody else's, and end with it.
        run unshare --mount debootstrap --variant=minbase --include="$include" bookworm \
            "$root.new" >"$work/log" 2>&1 || {
            tail "$work/log" >&2
            exit 1
        }
        rm -rf "$root.new"/var/cache/apt/archives/*.deb
        mv "$root.new" "$root"
    fi
    flock --shared 9
}

if [ -n "$is_short" ]; then
    root=$work/debian
    run python3 tests/host/debian_of_host.py "systemd,$include" "$root"
else
    include=systemd,systemd-sysv,$include
    root=.cache/host/bookworm-$(sha256sum <<<"$include" | cut -c 1-12)
    make_root "$root"
fi
run systemd-nspawn --quiet --register=no --keep-unit --directory="$root" --read-only --machine=trial \
    true >"$work/log" 2>&1 || cannot "systemd-nspawn does not work here: $(tail -n 1 "$work/log")"

packages=${PACKAGES:-}
if [ -z "$packages" ]; then
    packages=$work/packages
    echo "Building the packages"
    run tests/host/copy-tree.sh "$work/build/provisionerd"
    run tests/host/build-packages.sh "$work/build/provisionerd" "$packages"
fi

# The very programs that are packaged; the simulated AWS runs on the host.
for name in provisionerd provisionerd-sim; do
    dpkg-deb --extract "$packages"/"$name"_*.deb "$work/extracted"
done
mkdir "$work/programs"
cp "$work"/extracted/usr/sbin/provisionerd "$work"/extracted/usr/bin/provisionerd-sim "$work/programs"

export PROVISIONERD_BUILD=$work/programs
export PROVISIONERD_HOST_WORK=$work
PROVISIONERD_PACKAGES=$(realpath "$packages")
PROVISIONERD_HOST_ROOT=$(realpath "$root")
export PROVISIONERD_PACKAGES PROVISIONERD_HOST_ROOT
run python3 tests/host/check.py "$@"
