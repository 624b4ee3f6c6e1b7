#!/bin/sh
# Lays out in ROOT what a container image of PROGRAM needs: the program, the libraries that it links, the
# CAs, names for its user, and of each Debian package that something came from the licence and the entry
# in /var/lib/dpkg/status.d, by which scanners know what is in an image. Run on Debian.
#
#     tools/image-root.sh PROGRAM ROOT
set -eu

program=$1
root=$2

# package_of FILE: the name of the package. dpkg knows files by the path before /lib became /usr/lib.
package_of() {
    (dpkg-query --search "$1" || dpkg-query --search "/usr$1" || dpkg-query --search "${1#/usr}") \
        2>/dev/null | sed -n '1s/:.*//p' | grep .
}

note_package() {
    mkdir -p "$root/var/lib/dpkg/status.d" "$root/usr/share/doc/$1"
    dpkg-query --status "$1" >"$root/var/lib/dpkg/status.d/$1"
    cp -L "/usr/share/doc/$1/copyright" "$root/usr/share/doc/$1/"
}

mkdir -p "$root/etc/ssl/certs" "$root/usr/lib" "$root/usr/lib64" "$root/var/lib"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"

install -D -m 755 "$program" "$root/usr/sbin/$(basename "$program")"
ldd "$program" | sed -n 's|^.* => \(/[^ ]*\) .*$|\1|p; s|^[[:space:]]*\(/[^ ]*\) .*$|\1|p' | sort -u |
    while read -r library; do
        note_package "$(package_of "$library")"
        cp -L --parents "$library" "$root"
    done

cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
note_package ca-certificates
cp -L /etc/os-release "$root/usr/lib/"
ln -s ../usr/lib/os-release "$root/etc/os-release"
note_package base-files

# /etc/hosts before DNS: without this file glibc asks DNS first.
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
echo 'provisionerd:x:65532:65532:provisionerd:/nonexistent:/usr/sbin/nologin' >"$root/etc/passwd"
echo 'provisionerd:x:65532:' >"$root/etc/group"

# Nothing is loaded but what is here.
chroot "$root" "/usr/sbin/$(basename "$program")" --version
