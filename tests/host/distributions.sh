#!/usr/bin/env bash
# `./run check-distributions [SUITE]...`: the tree, as it is, is built in Debian 13, or in the suites
# that are named, with their compilers and libraries and with inih built in as on Fedora, without a
# warning, and its unit tests run there. So newer versions of libcurl, OpenSSL, json-c and systemd are
# met before a user meets them: Amazon Linux 2023 goes on to newer ones. Needs root. Closes with
# "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

[ "$(id -u)" -eq 0 ] || {
    echo "./run check-distributions needs root, for debootstrap and chroot" >&2
    exit 1
}
# shellcheck source=tests/host/checks.sh
. tests/host/checks.sh
sources=.cache/sources

prepare_root() {
    local original
    original=$(tests/host/debian-root.sh "$1" gcc make pkg-config libc6-dev libcurl4-openssl-dev \
        libssl-dev libjson-c-dev libsystemd-dev libmicrohttpd-dev libcmocka-dev) || return
    root=$work/$1
    cp -a "$original" "$root" && mkdir "$root/root/inih" && cp -a "$here" "$root/root/" &&
        tar --extract --file "$sources"/libinih_*.orig.tar.gz --directory "$root/root/inih" \
            --strip-components 1
}

# in_root COMMAND...: in the tree.
in_root() {
    # shellcheck disable=SC2016  # sh expands it
    unshare --mount --propagation private sh -c '
        mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
        exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' "$root" \
        sh -c "cd /root/provisionerd && $*"
}

builds() {
    in_root make -s -j"$(nproc)" INIH_SOURCE=/root/inih all unit-tests
}

passes() {
    in_root make -s INIH_SOURCE=/root/inih check-unit
}

versions() {
    local name
    printf 'gcc %s' "$(in_root gcc -dumpfullversion)"
    for name in libcurl libcrypto json-c libsystemd libmicrohttpd; do
        printf ', %s %s' "$name" "$(in_root pkg-config --modversion "$name")"
    done
}

check_in() {
    check "$1: made" prepare_root "$1"
    echo "        $(versions)"
    check "$1: builds without a warning" builds
    check "$1: the unit tests pass" passes
}

tests/host/copy-tree.sh "$work/here/provisionerd" || exit
here=$work/here/provisionerd
tools/debian-source.sh "$sources" --suite trixie libinih
for suite in "${@:-trixie}"; do
    check_in "$suite"
done
finish
