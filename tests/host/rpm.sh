#!/usr/bin/env bash
# `./run rpm`: the .rpm packages for Amazon Linux 2023 and Fedora, and the .src.rpm, into
# build/packages/ (or OUT). Built twice, for the same bytes; linted; held against what Amazon Linux
# 2023 has; with root's rights also installed into a Debian, upgraded and erased. Closes with
# "N passed, N failed". rpm/README.md tells what is built, and what this cannot show.
#
#     tests/host/rpm.sh [OUT]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

out=${1:-build/packages}
# shellcheck source=tests/host/checks.sh
. tests/host/checks.sh
sources=.cache/sources

# What Amazon Linux 2023 had first (March 2023); what a program asks of its libraries must not be newer.
# rpm/README.md has the later versions, and where these are from.
declare -A amazon=([GLIBC]=2.34 [OPENSSL]=3.0.8 [LIBSYSTEMD]=252)

package() {
    ls "$work/first/$1"-[0-9]*."$(uname -m)".rpm
}

versions_agree() {
    local program spec
    program=$(program_version)
    spec=$(sed -n 's/^Version: *//p' rpm/provisionerd.spec)
    echo "the Makefile says $program, the spec $spec"
    [ "$program" = "$spec" ]
}

# files_are PACKAGE: mode, owner, flags (config, noreplace, doc, license) and name of each file are those
# on standard input; the links that rpm makes for debuggers aside.
files_are() {
    local query='[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEFLAGS:fflags}. %{FILENAMES}\n]'
    diff - <(rpm --query --package --queryformat "$query" "$(package "$1")" |
        grep -v /usr/lib/.build-id | sed 's/  */ /g')
}

daemon_files() {
    files_are provisionerd <<END
-rw-r--r-- root:root cn. /etc/provisionerd.ini
-rwxr-xr-x root:root . /usr/bin/provisionerctl
-rw-r--r-- root:root . /usr/lib/systemd/catalog/provisionerd.catalog
-rw-r--r-- root:root . /usr/lib/systemd/system/provisionerd.service
-rw-r--r-- root:root . /usr/lib/sysusers.d/provisionerd.conf
-rwxr-xr-x root:root . /usr/sbin/provisionerd
-rw-r--r-- root:root . /usr/share/bash-completion/completions/provisionerctl
-rw-r--r-- root:root . /usr/share/bash-completion/completions/provisionerd
-rw-r--r-- root:root . /usr/share/dbus-1/system.d/org.provisionerd.conf
drwxr-xr-x root:root . /usr/share/doc/provisionerd
-rw-r--r-- root:root d. /usr/share/doc/provisionerd/README.md
-rw-r--r-- root:root d. /usr/share/doc/provisionerd/provisionerd.ini.example
-rw-r--r-- root:root . /usr/share/fish/vendor_completions.d/provisionerctl.fish
-rw-r--r-- root:root . /usr/share/fish/vendor_completions.d/provisionerd.fish
drwxr-xr-x root:root . /usr/share/licenses/provisionerd-$(program_version)
-rw-r--r-- root:root l. /usr/share/licenses/provisionerd-$(program_version)/LICENSE
-rw-r--r-- root:root l. /usr/share/licenses/provisionerd-$(program_version)/LICENSE.inih
-rw-r--r-- root:root d. /usr/share/man/man1/provisionerctl.1.gz
-rw-r--r-- root:root d. /usr/share/man/man5/org.provisionerd.5.gz
-rw-r--r-- root:root d. /usr/share/man/man5/provisionerd.ini.5.gz
-rw-r--r-- root:root d. /usr/share/man/man8/provisionerd.8.gz
-rw-r--r-- root:root . /usr/share/zsh/site-functions/_provisionerctl
-rw-r--r-- root:root . /usr/share/zsh/site-functions/_provisionerd
END
}

sim_files() {
    files_are provisionerd-sim <<END
-rwxr-xr-x root:root . /usr/bin/provisionerd-sim
-rw-r--r-- root:root . /usr/share/bash-completion/completions/provisionerd-sim
drwxr-xr-x root:root . /usr/share/doc/provisionerd-sim
-rw-r--r-- root:root d. /usr/share/doc/provisionerd-sim/sim.md
-rw-r--r-- root:root . /usr/share/fish/vendor_completions.d/provisionerd-sim.fish
drwxr-xr-x root:root . /usr/share/licenses/provisionerd-sim-$(program_version)
-rw-r--r-- root:root l. /usr/share/licenses/provisionerd-sim-$(program_version)/LICENSE
-rw-r--r-- root:root d. /usr/share/man/man1/provisionerd-sim.1.gz
-rw-r--r-- root:root . /usr/share/zsh/site-functions/_provisionerd-sim
END
}

# What is asked for by name is there under that name: no library of Debian's naming, no version of a
# symbol that is Debian's own.
requirements_are() {
    diff - <(rpm --query --package --requires "$(package "$1")" |
        grep -vE '^(rpmlib|rtld)\(|^libc\.so\.6\(GLIBC_|^libsystemd\.so\.0\(LIBSYSTEMD_' | sort -u)
}

daemon_requirements() {
    requirements_are provisionerd <<END
/bin/sh
ca-certificates
config(provisionerd) = $(program_version)-1
libc.so.6()(64bit)
libcrypto.so.3()(64bit)
libcrypto.so.3(OPENSSL_3.0.0)(64bit)
libcurl$(rpm --eval '%{?_isa}') >= 7.87.0
libcurl.so.4()(64bit)
libjson-c.so.5()(64bit)
libsystemd.so.0()(64bit)
systemd
END
}

sim_requirements() {
    requirements_are provisionerd-sim <<END
libc.so.6()(64bit)
libcrypto.so.3()(64bit)
libcrypto.so.3(OPENSSL_3.0.0)(64bit)
libjson-c.so.5()(64bit)
libmicrohttpd.so.12()(64bit)
libsystemd.so.0()(64bit)
END
}

# not_newer NAME VERSION: than what Amazon Linux 2023 has.
not_newer() {
    [ "$(printf '%s\n' "$2" "${amazon[$1]}" | sort -V | tail -n 1)" = "${amazon[$1]}" ] || {
        echo "$1 $2 is wanted, Amazon Linux 2023 has ${amazon[$1]}"
        return 1
    }
}

symbols_are_old_enough() {
    local wanted status=0
    while read -r wanted; do
        not_newer "${wanted%%_*}" "${wanted#*_}" || status=1
    done < <(for name in provisionerd provisionerd-sim; do
        rpm --query --package --requires "$(package "$name")"
    done | sed -n 's/.*(\([A-Z]*_[0-9.]*\))(64bit)$/\1/p' | sort -u)
    return "$status"
}

# words FILE...: the names that json-c and libmicrohttpd may have given.
words() {
    grep --no-filename --only-matching --extended-regexp '\<(json_|lh_|JSON_|MHD_)[A-Za-z0-9_]+' "$@" |
        sort -u
}

# Amazon Linux 2023's json-c and libmicrohttpd are older than this host's. What is used of them, taken
# from the sources and this host's headers, has been looked up in theirs.
names_are_old_enough() {
    comm -12 <(find src sim -name '*.[ch]' -print0 | xargs -0 cat | words) \
        <(words /usr/include/json-c/*.h /usr/include/microhttpd.h) |
        comm -23 - <(sort tests/host/amazon-linux-2023.names) >"$work/unknown"
    echo "not in tests/host/amazon-linux-2023.names: $(cat "$work/unknown")"
    [ ! -s "$work/unknown" ]
}

# What this host compiles against is of the very versions of the first Amazon Linux 2023.
headers_are_old_enough() {
    local curl openssl systemd
    curl=$(pkg-config --modversion libcurl)
    openssl=$(pkg-config --modversion libcrypto)
    systemd=$(pkg-config --modversion libsystemd)
    echo "libcurl $curl, OpenSSL $openssl, libsystemd $systemd"
    [ "$curl" = 7.88.1 ] && [ "${openssl%.*}" = 3.0 ] && [ "$systemd" = 252 ]
}

rpmlint_finds_nothing() {
    rpmlint --strict --config rpm/rpmlint.toml rpm/provisionerd.spec "$work"/first/*.rpm
}

# As on a host of its own, from the .src.rpm alone, by Amazon's compiler; a later release, to upgrade to.
# Linked against the libraries of this Debian, as one built on Fedora is against those of Fedora.
source_package_builds() {
    CC=gcc-11 rpmbuild --rebuild --nodeps --load rpm/macros.systemd --define "_topdir $work/rebuild" \
        --define "dist .later" --define "build_ldflags -s" \
        --define "__os_install_post bash /usr/lib/rpm/brp-compress" \
        "$work"/first/*.src.rpm || return
    mkdir "$work/rebuilt" && cp "$work"/rebuild/RPMS/*/*.rpm "$work/rebuilt"
}

check_build() {
    check "the packages build" rpm/build.sh "$here" "$sources" "$work/first"
    [ "$failed" -eq 0 ] || return
    check "a second build, elsewhere" rpm/build.sh "$elsewhere" "$sources" "$work/second"
    check "both have the same hashes" same_files rpm
    check "the .src.rpm builds, by gcc 11" source_package_builds
    check "rpmlint has no error and no warning" rpmlint_finds_nothing
    check "program and package are of the same version" versions_agree
    check "provisionerd: files, modes, owners, flags" daemon_files
    check "provisionerd-sim: files, modes, owners, flags" sim_files
    check "provisionerd: requirements" daemon_requirements
    check "provisionerd-sim: requirements" sim_requirements
    check "no symbol is newer than Amazon Linux 2023" symbols_are_old_enough
    check "no name is newer than its json-c 0.14 and libmicrohttpd 0.9.73" names_are_old_enough
    check "compiled against the headers of the first Amazon Linux 2023" headers_are_old_enough
}

# --- Installed -------------------------------------------------------------------------------------

in_root() {
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# Debian's packages are not rpm's business: hence --nodeps.
rpm_in_root() {
    rpm --root "$root" --nodeps "$@"
}

# list_root FILE: without rpm's own databases.
list_root() {
    (cd "$root" && find . -path ./var/lib/rpm -prune -o -path ./root/.rpmdb -prune -o -print | sort) >"$1"
}

# A Debian with the libraries; with the folders that Fedora's filesystem and systemd own; in place of
# systemd's helper, which Debian has not, one that tells how the scriptlets call it.
prepare_root() {
    local original
    original=$(tests/host/debian-root.sh bookworm ca-certificates libcurl4 libjson-c5 libmicrohttpd12 \
        libssl3 libsystemd0) || return
    root=$work/root
    cp -a "$original" "$root"
    mkdir -p "$root"/usr/lib/systemd/catalog "$root"/usr/lib/sysusers.d "$root"/usr/share/dbus-1/system.d "$root"/usr/share/licenses \
        "$root"/usr/share/fish/vendor_completions.d "$root"/usr/share/zsh/site-functions
    printf '#!/bin/sh\necho "$@" >>/scriptlets\n' >"$root/usr/lib/systemd/systemd-update-helper"
    chmod +x "$root/usr/lib/systemd/systemd-update-helper"
    list_root "$work/before"
}

# scriptlets_said WORDS...: since the last time.
scriptlets_said() {
    local said
    said=$(cat "$root/scriptlets" 2>/dev/null)
    rm -f "$root/scriptlets"
    echo "the scriptlets said: $said"
    [ "$said" = "$*" ]
}

installs() {
    rpm_in_root --install "$(package provisionerd)" "$(package provisionerd-sim)" &&
        scriptlets_said install-system-units provisionerd.service &&
        rpm_in_root --verify provisionerd provisionerd-sim
}

# With the libraries of that root: Debian's have what Fedora's have, under the same names.
programs_run() {
    in_root provisionerd --version && in_root provisionerctl --version && in_root provisionerd-sim --version &&
        in_root provisionerd --check-config
}

upgrades() {
    echo "# mine" >>"$root/etc/provisionerd.ini"
    rpm_in_root --upgrade "$work"/rebuilt/provisionerd-*.rpm || return
    scriptlets_said mark-restart-system-units provisionerd.service || return
    rpm --root "$root" --query provisionerd provisionerd-sim
    tail -n 1 "$root/etc/provisionerd.ini" | grep -qx '# mine' || {
        echo "the configuration was replaced"
        return 1
    }
    in_root provisionerd --check-config
}

# erases [FILE]: nothing is left, but this.
erases() {
    rpm_in_root --erase provisionerd provisionerd-sim &&
        scriptlets_said remove-system-units provisionerd.service || return
    list_root "$work/after"
    diff "$work/before" "$work/after" | sed -n 's/^[<>] //p' >"$work/left"
    echo "left: $(cat "$work/left")"
    [ "$(cat "$work/left")" = "${1:-}" ]
}

erases_all_but_the_edited_configuration() {
    erases ./etc/provisionerd.ini.rpmsave && rm "$root/etc/provisionerd.ini.rpmsave"
}

check_installation() {
    check "a Debian to install them into" prepare_root
    check "installed: scriptlets run, rpm --verify finds no difference" installs
    check "installed: the programs run" programs_run
    check "upgraded: restarted, the edited configuration is kept" upgrades
    check "erased: the edited configuration alone is left" erases_all_but_the_edited_configuration
    check "installed again" installs
    check "erased: nothing is left" erases
}

two_copies
tools/debian-source.sh "$sources" --suite trixie libinih
check_build
if [ "$failed" -eq 0 ]; then
    if [ "$(id -u)" -eq 0 ]; then
        check_installation
    else
        echo "not root: the packages are not installed anywhere"
    fi
    mkdir -p "$out"
    rm -f "$out"/*.rpm
    cp "$work"/first/*.rpm "$out"
    echo
    printf '%-44s %12s %16s\n' "in $out" "bytes" "installed, KiB"
    for file in "$out"/*."$(uname -m)".rpm; do
        printf '%-44s %12d %16d\n' "$(basename "$file")" "$(stat -c %s "$file")" \
            "$(($(rpm --query --package --queryformat '%{SIZE}' "$file") / 1024))"
    done
    echo
fi
finish
