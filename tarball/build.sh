#!/usr/bin/env bash
# Builds the tarball of TREE, a copy of this one, into OUT; with inih from SOURCES
# (tools/debian-source.sh) and the libraries of LIBRARIES (tarball/libraries.sh). README.md says what
# its programs carry with them and what they need.
#
#     tarball/build.sh TREE SOURCES LIBRARIES OUT
set -euo pipefail

tree=$(realpath "$1")
sources=$(realpath "$2")
libraries=$(realpath "$3")
mkdir -p "$4"
out=$(realpath "$4")
cd "$tree"

version=$(sed -n 's/^VERSION := //p' Makefile)
inih=$(sed -n 's/^%global inih_release *//p' rpm/provisionerd.spec)
# The date of the release, from the changelog.
epoch=$(dpkg-parsechangelog --show-field Timestamp)
name=provisionerd-$version-linux-$(uname -m)
stage=$tree/build/tarball/$name

rm -rf build
mkdir -p build/tarball
tar --extract --file "$sources/libinih_$inih.orig.tar.gz" --directory build/tarball

run_make() {
    env -u CC -u CFLAGS -u LDFLAGS -u MAKEFLAGS -u BUILD -u V CPPFLAGS="-I$libraries/include" \
        LDFLAGS="-s -Wl,--gc-sections -L$libraries/lib" \
        make -s -j"$(nproc)" INIH_SOURCE="build/tarball/inih-r$inih" \
        CFLAGS="-O2 -ffunction-sections -fdata-sections" \
        DAEMON_LIBS="-l:libcurl.a -l:libssl.a -l:libcrypto.a -l:libjson-c.a -lsystemd -lm" \
        SIM_LIBS="-l:libmicrohttpd.a" PREFIX=/usr/local SYSCONFDIR=/etc \
        UNITDIR=/usr/local/lib/systemd/system DBUSDIR=/etc/dbus-1/system.d \
        ZSHCOMPDIR=/usr/local/share/zsh/site-functions "$@" >build/tarball/log 2>&1 || {
        tail -n 60 build/tarball/log >&2
        exit 1
    }
}
run_make build/provisionerd build/provisionerctl build/provisionerd-sim
run_make DESTDIR="$stage/files" install
cp tarball/install.sh tarball/README.md "$stage"

licenses=$stage/files/usr/local/share/doc/provisionerd/licenses
mkdir "$licenses"
cp LICENSE "$licenses/provisionerd"
cp "$libraries/licenses/curl" "$libraries/licenses/libmicrohttpd" "$licenses"
cp "build/tarball/inih-r$inih/LICENSE.txt" "$licenses/inih"
cp /usr/share/doc/libssl-dev/copyright "$licenses/openssl"
cp /usr/share/doc/libjson-c-dev/copyright "$licenses/json-c"
cat >"$licenses/VERSIONS" <<END
Linked into provisionerd; the versions are Debian's, with its security fixes:
  curl           $(cat "$libraries/licenses/curl.version")
  openssl        $(dpkg-query -W -f '${Version}' libssl-dev)
  json-c         $(dpkg-query -W -f '${Version}' libjson-c-dev)
  inih           $inih
and into provisionerd-sim: json-c, openssl, and
  libmicrohttpd  $(cat "$libraries/licenses/libmicrohttpd.version"), whose LGPL lets you link another: ./run tarball, in the source
END

tar --create --sort=name --format=gnu --mtime="@$epoch" --owner=0 --group=0 --numeric-owner \
    --mode=u=rwX,go=rX --directory build/tarball "$name" | gzip --no-name --best >"$out/$name.tar.gz"
