#!/usr/bin/env bash
# Builds what the tarball's programs carry with them, from Debian's sources (tools/debian-source.sh)
# with Debian's security fixes, as static libraries: libcurl with HTTP and HTTPS alone and OpenSSL for
# TLS, and libmicrohttpd without TLS. Into FOLDER, unless they are there already.
#
#     tarball/libraries.sh SOURCES FOLDER
set -euo pipefail

sources=$(realpath "$1")
made_from=$(cd "$sources" && sha256sum curl_*.dsc libmicrohttpd_*.dsc && cat "$(realpath "$OLDPWD/$0")")
mkdir -p "$2"
folder=$(realpath "$2")
[ "$(cat "$folder/made-from" 2>/dev/null)" = "$made_from" ] && exit
rm -rf "${folder:?}"/*

work=$(mktemp -d "${TMPDIR:-/var/tmp}/provisionerd-libraries-XXXXXX")
trap 'rm -rf "$work"' EXIT
export CFLAGS="-O2 -fPIC -ffunction-sections -fdata-sections -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffile-prefix-map=$work=."
unset CC CPPFLAGS LDFLAGS MAKEFLAGS

# configured NAME OPTION...: what configure was made from is older or newer than itself as the patches
# happen to fall; it is taken as it is.
configured() {
    cd "$work/$1"
    shift
    {
        ./configure --prefix="$folder" --disable-shared --enable-static --disable-dependency-tracking "$@" &&
            make -j"$(nproc)" ACLOCAL=: AUTOCONF=: AUTOMAKE=: AUTOHEADER=: V=1
    } >"$work/log" 2>&1 || {
        tail -n 60 "$work/log" >&2
        exit 1
    }
}

dpkg-source --no-check --extract "$sources"/curl_*.dsc "$work/curl" >/dev/null 2>&1
# Debian's last patches make libraries of other names, with GnuTLS and NSS.
for patch in 99_nss.patch 90_gnutls.patch; do
    (cd "$work/curl" && patch --reverse --strip 1 --quiet <"debian/patches/$patch")
done
# Where a system has its CAs is found when the program runs (src/http/http_authorities.h).
configured curl --with-openssl --enable-threaded-resolver --without-ca-bundle --without-ca-path \
    --disable-dict --disable-file --disable-ftp --disable-gopher --disable-imap --disable-ldap \
    --disable-ldaps --disable-mqtt --disable-pop3 --disable-rtsp --disable-smb --disable-smtp \
    --disable-telnet --disable-tftp --disable-alt-svc --disable-cookies --disable-doh --disable-hsts \
    --disable-manual --disable-netrc --disable-ntlm --disable-tls-srp --disable-unix-sockets \
    --without-brotli --without-gssapi --without-libgsasl --without-libidn2 --without-libpsl \
    --without-librtmp --without-libssh2 --without-nghttp2 --without-zlib --without-zstd
mkdir -p "$folder/lib" "$folder/include" "$folder/licenses"
cp "$work/curl/lib/.libs/libcurl.a" "$folder/lib"
cp -r "$work/curl/include/curl" "$folder/include"
cp "$work/curl/COPYING" "$folder/licenses/curl"

dpkg-source --no-check --extract "$sources"/libmicrohttpd_*.dsc "$work/libmicrohttpd" >/dev/null 2>&1
configured libmicrohttpd --disable-https --disable-curl --disable-doc --disable-examples
cp "$work/libmicrohttpd/src/microhttpd/.libs/libmicrohttpd.a" "$folder/lib"
cp "$work/libmicrohttpd/src/include/microhttpd.h" "$folder/include"
cp "$work/libmicrohttpd/COPYING" "$folder/licenses/libmicrohttpd"

# Which versions, for the tarball's list.
sed -n 's/^Version: *//p' "$sources"/curl_*.dsc | head -n 1 >"$folder/licenses/curl.version"
sed -n 's/^Version: *//p' "$sources"/libmicrohttpd_*.dsc | head -n 1 >"$folder/licenses/libmicrohttpd.version"
echo "$made_from" >"$folder/made-from"
