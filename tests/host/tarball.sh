#!/usr/bin/env bash
# `./run tarball`: the tarball for any Linux with systemd, into build/packages/ (or OUT). Built twice,
# for the same bytes; with root's rights also installed into bare roots of Debian 12 and 13, which have
# none of the libraries, where the demo's story is told and the system's CAs are trusted; and refused by
# Debian 11, whose glibc is too old. Closes with "N passed, N failed".
#
#     tests/host/tarball.sh [OUT]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

out=${1:-build/packages}
# shellcheck source=tests/host/checks.sh
. tests/host/checks.sh
sources=.cache/sources
libraries=.cache/static
tarball=provisionerd-$(program_version)-linux-$(uname -m)

unpacks() {
    mkdir "$work/unpacked" && tar --extract --file "$work/first/$tarball.tar.gz" --directory "$work/unpacked" &&
        [ "$(ls "$work/unpacked")" = "$tarball" ]
}

has_the_files() {
    diff - <(cd "$work/unpacked/$tarball" && find . -type f -printf '%m %P\n' | sort -k 2) <<END
644 README.md
644 files/etc/dbus-1/system.d/org.provisionerd.conf
644 files/etc/provisionerd.ini
755 files/usr/local/bin/provisionerctl
755 files/usr/local/bin/provisionerd-sim
644 files/usr/local/lib/systemd/catalog/provisionerd.catalog
644 files/usr/local/lib/systemd/system/provisionerd.service
644 files/usr/local/lib/sysusers.d/provisionerd.conf
755 files/usr/local/sbin/provisionerd
644 files/usr/local/share/bash-completion/completions/provisionerctl
644 files/usr/local/share/bash-completion/completions/provisionerd
644 files/usr/local/share/bash-completion/completions/provisionerd-sim
644 files/usr/local/share/doc/provisionerd/README.md
644 files/usr/local/share/doc/provisionerd/licenses/VERSIONS
644 files/usr/local/share/doc/provisionerd/licenses/curl
644 files/usr/local/share/doc/provisionerd/licenses/inih
644 files/usr/local/share/doc/provisionerd/licenses/json-c
644 files/usr/local/share/doc/provisionerd/licenses/libmicrohttpd
644 files/usr/local/share/doc/provisionerd/licenses/openssl
644 files/usr/local/share/doc/provisionerd/licenses/provisionerd
644 files/usr/local/share/doc/provisionerd/provisionerd.ini.example
644 files/usr/local/share/doc/provisionerd/sim.md
644 files/usr/local/share/fish/vendor_completions.d/provisionerctl.fish
644 files/usr/local/share/fish/vendor_completions.d/provisionerd-sim.fish
644 files/usr/local/share/fish/vendor_completions.d/provisionerd.fish
644 files/usr/local/share/man/man1/provisionerctl.1
644 files/usr/local/share/man/man1/provisionerd-sim.1
644 files/usr/local/share/man/man5/org.provisionerd.5
644 files/usr/local/share/man/man5/provisionerd.ini.5
644 files/usr/local/share/man/man8/provisionerd.8
644 files/usr/local/share/zsh/site-functions/_provisionerctl
644 files/usr/local/share/zsh/site-functions/_provisionerd
644 files/usr/local/share/zsh/site-functions/_provisionerd-sim
755 install.sh
END
}

needs_nothing_else() {
    local program
    for program in "$work/unpacked/$tarball"/files/usr/local/*bin/*; do
        echo "$program:"
        readelf --dynamic "$program" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | tee "$work/needed"
        ! grep -vE '^(libc\.so\.6|libsystemd\.so\.0|ld-linux-.*)$' "$work/needed" || return
    done
}

# newest PREFIX: of the versions of symbols that the programs ask for.
newest() {
    nm --dynamic --undefined-only "$work/unpacked/$tarball"/files/usr/local/*bin/* |
        sed -n "s/.*@$1_//p" | sort -V | tail -n 1
}

symbols_are_old_enough() {
    echo "glibc $(newest GLIBC), libsystemd $(newest LIBSYSTEMD)"
    [ "$(printf '%s\n' "$(newest GLIBC)" 2.34 | sort -V | tail -n 1)" = 2.34 ] &&
        [ "$(newest LIBSYSTEMD)" -le 243 ]
}

into_a_folder() {
    local root="$work/a root" prefix
    for prefix in /usr/local /opt/provisionerd; do
        rm -rf "$root"
        "$work/unpacked/$tarball/install.sh" --destdir "$root" --prefix "$prefix" || return
        echo mine >"$root/etc/provisionerd.ini"
        "$work/unpacked/$tarball/install.sh" --destdir "$root" --prefix "$prefix" || return
        [ "$(cat "$root/etc/provisionerd.ini")" = mine ] || return
        "$root$prefix/sbin/provisionerd" --version || return
        grep -rx "ExecStart=$prefix/sbin/provisionerd --config /etc/provisionerd.ini" "$root" || return
        "$work/unpacked/$tarball/install.sh" --destdir "$root" --prefix "$prefix" --uninstall || return
        (cd "$root" && find . -type f) | tee "$work/left"
        [ "$(cat "$work/left")" = ./etc/provisionerd.ini ] || return
    done
    "$work/unpacked/$tarball/install.sh" --destdir "$root" --uninstall --purge || return
    [ -z "$(find "$root" -type f)" ]
}

check_build() {
    check "the libraries build" tarball/libraries.sh "$sources" "$libraries"
    check "the tarball builds" tarball/build.sh "$here" "$sources" "$libraries" "$work/first"
    [ "$failed" -eq 0 ] || return
    check "a second build, elsewhere" \
        tarball/build.sh "$elsewhere" "$sources" "$libraries" "$work/second"
    check "both have the same hash" same_files tar.gz
    check "it unpacks into a folder of its name" unpacks
    check "files and modes" has_the_files
    check "libc and libsystemd are all it needs" needs_nothing_else
    check "no symbol is newer than glibc 2.34 and systemd 243" symbols_are_old_enough
    check "installed into a folder, again, and removed" into_a_folder
}

# --- In roots of distributions ---------------------------------------------------------------------

prepare_root() {
    local original
    original=$(tests/host/debian-root.sh "$1") || return
    root=$work/$1
    cp -a "$original" "$root" && cp -a "$work/unpacked/$tarball" "$root/root/"
    (cd "$root" && find . -type f | sort) >"$work/before"
    ! (cd "$root" && find . -name 'libcurl*.so*' -o -name 'libjson-c.so*' -o -name 'libinih.so*' \
        -o -name 'libmicrohttpd.so*' | grep .)
}

# in_root COMMAND...: with /tmp, /proc and /dev of the host's, in a mount namespace of its own.
in_root() {
    # shellcheck disable=SC2016  # sh expands it
    unshare --mount --propagation private sh -c '
        mount --bind /tmp "$0/tmp" && mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
        exec "$@"' "$root" "$@"
}

install_in_root() {
    in_root chroot "$root" "/root/$tarball/install.sh" "$@"
}

runs() {
    install_in_root && in_root chroot "$root" /usr/local/sbin/provisionerd --version &&
        in_root chroot "$root" /usr/local/bin/provisionerctl --version &&
        in_root chroot "$root" /usr/local/sbin/provisionerd --check-config
}

# programs FOLDER NAME...: makes a FOLDER with programs that run in the root.
programs() {
    local folder=$1 program
    shift
    mkdir -p "$folder"
    for program in "$@"; do
        printf '#!/bin/sh\nexec chroot "%s" /usr/local/%s "$@"\n' "$root" "$program" \
            >"$folder/${program#*/}"
        chmod +x "$folder/${program#*/}"
    done
}

tells_the_story() {
    programs "$root.both" sbin/provisionerd bin/provisionerd-sim
    TMPDIR=/tmp in_root python3 tests/e2e/demo.py --build "$root.both"
}

# The simulated AWS is this host's: the tarball's serves HTTP alone.
trusts_the_systems_authorities() {
    programs "$root.daemon" sbin/provisionerd
    make -s -j"$(nproc)" BUILD="$work/host" "$work/host/provisionerd-sim" &&
        cp "$work/host/provisionerd-sim" "$root.daemon" || return
    PROVISIONERD_BUILD=$root.daemon TMPDIR=/tmp in_root python3 tests/host/authorities.py "$root"
}

uninstalls() {
    install_in_root --uninstall --purge || return
    (cd "$root" && find . -type f | sort) | diff "$work/before" -
}

check_in() {
    check "$1: a bare root without the libraries" prepare_root "$1"
    check "$1: installed; the programs run" runs
    check "$1: the demo's story" tells_the_story
    check "$1: the system's CAs are trusted, wherever they are" trusts_the_systems_authorities
    check "$1: removed, nothing is left" uninstalls
}

is_refused() {
    prepare_root "$1" || return
    ! install_in_root >"$work/refused" 2>&1 || return
    cat "$work/refused"
    grep -q "glibc 2.34" "$work/refused" && [ ! -e "$root/usr/local/sbin/provisionerd" ]
}

two_copies
tools/debian-source.sh "$sources" curl libmicrohttpd
tools/debian-source.sh "$sources" --suite trixie libinih
check_build
if [ "$failed" -eq 0 ]; then
    if [ "$(id -u)" -eq 0 ]; then
        check_in bookworm
        check_in trixie
        check "bullseye: its glibc is too old, and install.sh says so" is_refused bullseye
    else
        echo "not root: the tarball is not installed anywhere"
    fi
    mkdir -p "$out"
    rm -f "$out"/provisionerd-*-linux-"$(uname -m)".tar.gz
    cp "$work/first/$tarball.tar.gz" "$out"
    echo
    printf '%-44s %12s %16s\n' "in $out" "bytes" "installed, KiB"
    printf '%-44s %12d %16d\n\n' "$tarball.tar.gz" "$(stat -c %s "$out/$tarball.tar.gz")" \
        "$(du --apparent-size -sk "$work/unpacked/$tarball/files" | cut -f 1)"
fi
finish
