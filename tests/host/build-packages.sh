#!/usr/bin/env bash
# Builds the Debian packages in TREE, a copy of this one, and moves them to OUT, with their .changes
# and .buildinfo. OPTIONs are dpkg-buildpackage's, such as --host-arch.
#
#     tests/host/build-packages.sh TREE OUT [OPTION...]
set -euo pipefail

tree=$1
mkdir -p "$2"
out=$(realpath "$2")
shift 2
cd "$tree"

# Whoever builds may have flags of their own: they are not part of the package.
env -u CFLAGS -u CPPFLAGS -u LDFLAGS -u MAKEFLAGS -u BUILD -u V \
    DEB_BUILD_OPTIONS="parallel=$(nproc)" \
    dpkg-buildpackage --build=binary --no-sign "$@" >../build.log 2>&1 || {
    tail -n 60 ../build.log >&2
    exit 1
}
mv ../*.deb ../*.changes ../*.buildinfo "$out"
