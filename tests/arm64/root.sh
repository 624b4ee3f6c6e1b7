#!/usr/bin/env bash
# Makes the Debian 12 that builds for arm64, once, in .cache/arm64/, and prints its path: amd64 programs,
# the cross compiler among them, and arm64 libraries beside them, as Debian's multiarch has it. In a root
# of its own, so that this machine needs to know no other architecture. Needs root.
#
#     tests/arm64/root.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

# What comes beside the packages that debian/control names; and what the tests need.
# shellcheck source=tests/tools/setup.sh
. tests/tools/setup.sh
tools="crossbuild-essential-arm64 debhelper dpkg-dev fakeroot make qemu-user-static python3 openssl mandoc"
tested="libcmocka-dev:arm64"
root=.cache/arm64/bookworm-$(cat debian/control tests/arm64/root.sh | sha256sum | cut -c 1-12)

if [ -d "$root" ]; then
    realpath "$root"
    exit
fi
mkdir -p .cache/arm64
rm -rf --one-file-system .cache/arm64/bookworm-*
new=$root.new
log=.cache/arm64/root.log

# A shell of its own, for set -e is without effect in a function of which `if` asks the status.
make_root() (
    set -e
    cp -a --reflink=auto "$(tests/host/debian-root.sh bookworm)" "$new"
    cp /etc/resolv.conf "$new/etc/"
    copy_apt_settings "$new"
    mkdir "$new/provisionerd"
    cp -r debian "$new/provisionerd/"
    # What a package's installation mounts is gone afterwards.
    unshare --mount --propagation private chroot "$new" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        sh -exc '
            dpkg --add-architecture arm64
            apt-get -q update
            apt-get -q -y --no-install-recommends install "$@"
            apt-get -q -y --no-install-recommends --host-architecture arm64 build-dep ./provisionerd
            apt-get clean' sh $tools $tested
    rm -rf "$new/provisionerd"
)

echo "Making a Debian 12 with a compiler for arm64 in $root" >&2
set +e
make_root >"$log" 2>&1
status=$?
set -e
if [ "$status" -ne 0 ]; then
    tail -n 40 "$log" >&2
    exit 1
fi
rm -f "$log"
mv "$new" "$root"
realpath "$root"
