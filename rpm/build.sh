#!/usr/bin/env bash
# Builds the .rpm packages and the .src.rpm of TREE, a copy of this one, on Debian, into OUT; with
# Source1 from SOURCES (tools/debian-source.sh). README.md says where they can be installed, and why.
#
#     rpm/build.sh TREE SOURCES OUT
set -euo pipefail

tree=$(realpath "$1")
sources=$(realpath "$2")
mkdir -p "$3"
out=$(realpath "$3")
spec=$tree/rpm/provisionerd.spec
# rpmbuild writes the names of its folders into the packages: the same ones each time, one build at once.
topdir=/var/tmp/provisionerd-rpmbuild
exec {lock}>"$topdir.lock"
flock "$lock"
rm -rf "$topdir"
trap 'rm -rf "$topdir"' EXIT
mkdir -p "$topdir/SOURCES" "$topdir/lib"

version=$(sed -n 's/^Version: *//p' "$spec")
inih=$(sed -n 's/^%global inih_release *//p' "$spec")
# Of the latest entry of the changelog, as SOURCE_DATE_EPOCH is below.
epoch=$(date -u -d "$(sed -n '/^%changelog/,$ s/^\* \(.* [0-9]\{4\}\) .*/\1/p' "$spec" | head -n 1) 12:00" +%s)
tar --create --sort=name --format=gnu --mtime="@$epoch" --owner=0 --group=0 --numeric-owner \
    --mode=u=rwX,go=rX --directory "$tree" --transform "s|^\.|provisionerd-$version|" . |
    gzip --no-name --best >"$topdir/SOURCES/provisionerd-$version.tar.gz"
cp "$sources/libinih_$inih.orig.tar.gz" "$topdir/SOURCES/inih-r$inih.tar.gz"
touch --date="@$epoch" "$topdir"/SOURCES/*

# The symbols of Debian's libcurl and libjson-c have versions; those of Fedora's libcurl and of Amazon's
# json-c 0.14 have none. A program that is to run there asks for the names alone, and so is linked
# against libraries that have nothing else.
# stand_in PACKAGE FILE SONAME
stand_in() {
    nm --dynamic --defined-only --without-symbol-versions \
        "$(pkg-config --variable=libdir "$1")/$2" |
        sed -n 's/.* T \([a-z][a-z0-9_]*\)$/void \1(void); void \1(void) {}/p' |
        gcc -shared -fPIC -fno-builtin -x c - -Wl,-soname,"$3" -o "$topdir/lib/$2"
}
stand_in libcurl libcurl.so libcurl.so.4
stand_in json-c libjson-c.so libjson-c.so.5

# --nodeps: what is there is known to dpkg, not to rpm.
env -u CC -u CFLAGS -u CPPFLAGS -u LDFLAGS -u MAKEFLAGS -u BUILD -u V -u SOURCE_DATE_EPOCH \
    rpmbuild -ba --nodeps --load "$tree/rpm/macros.systemd" \
    --define "_topdir $topdir" \
    --define "build_ldflags -s -L$topdir/lib" \
    --define "source_date_epoch_from_changelog 1" \
    --define "use_source_date_epoch_as_buildtime 1" \
    --define "clamp_mtime_to_source_date_epoch 1" \
    --define "_buildhost reproducible" \
    --define "__os_install_post bash /usr/lib/rpm/brp-compress" \
    "$spec" >"$topdir/log" 2>&1 || {
    tail -n 60 "$topdir/log" >&2
    exit 1
}
cp "$topdir"/RPMS/*/*.rpm "$topdir"/SRPMS/*.rpm "$out"
