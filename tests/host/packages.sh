#!/usr/bin/env bash
# `./run packages`: the Debian packages, into build/packages/ (or OUT). Built twice, in folders of
# different names: the same bytes must come of it. Closes with "N passed, N failed".
#
#     tests/host/packages.sh [OUT]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

out=${1:-build/packages}
# shellcheck source=tests/host/checks.sh
. tests/host/checks.sh

versions_agree() {
    local program package
    program=$(program_version)
    package=$(dpkg-parsechangelog --show-field Version)
    echo "the Makefile says $program, debian/changelog says $package"
    [ "$program" = "$package" ]
}

# Root's, nobody else may write, and no program runs as another user.
modes_are_plain() {
    local package lines
    for package in "$work"/first/*.deb; do
        lines=$(dpkg-deb --contents "$package" |
            awk '$1 !~ /^(-rw-r--r--|-rwxr-xr-x|drwxr-xr-x|lrwxrwxrwx)$/ || $2 != "root/root"')
        if [ -n "$lines" ]; then
            printf '%s:\n%s\n' "$(basename "$package")" "$lines"
            return 1
        fi
    done
}

# A local change of the configuration is the administrator's; nothing else in /etc is the package's.
configuration_is_a_conffile() {
    local files conffiles
    files=$(dpkg-deb --fsys-tarfile "$work"/first/provisionerd_*.deb |
        tar --list | sed -n 's|^\./etc/.*[^/]$|&|p' | sed 's/^\.//')
    conffiles=$(dpkg-deb --info "$work"/first/provisionerd_*.deb conffiles)
    echo "in /etc: $files; conffiles: $conffiles"
    [ "$files" = /etc/provisionerd.ini ] && [ "$conffiles" = "$files" ]
}

# What to read and where to look are in it: the unit names its manual pages.
documentation_is_there() {
    local contents pages page name section
    contents=$(for package in "$work"/first/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar --list
    done)
    read -ra pages < <(sed -n 's/^Documentation=//p' systemd/provisionerd.service)
    for page in "${pages[@]}"; do
        page=${page#man:}
        name=${page%(*}
        section=${page##*(}
        section=${section%)}
        echo "man$section/$name.$section"
        grep -q "/man$section/$name\.$section" <<<"$contents" || return 1
    done
}

lintian_finds_nothing() {
    lintian --allow-root --no-cfg --fail-on error,warning --tag-display-limit 0 \
        --info "$work"/first/*.changes
}

two_copies
check "the packages build" tests/host/build-packages.sh "$here" "$work/first"
if [ "$failed" -eq 0 ]; then
    check "a second build, elsewhere" tests/host/build-packages.sh "$elsewhere" "$work/second"
    check "both have the same hashes" same_files deb
    check "lintian has no error and no warning" lintian_finds_nothing
    check "program and package are of the same version" versions_agree
    check "files are root's, with plain modes" modes_are_plain
    check "the configuration is the only conffile" configuration_is_a_conffile
    check "the manual pages that the unit names are there" documentation_is_there

    mkdir -p "$out"
    rm -f "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
    cp "$work"/first/* "$out"
    echo
    printf '%-44s %12s %16s\n' "in $out" "bytes" "installed, KiB"
    for package in "$out"/*.deb; do
        printf '%-44s %12d %16d\n' "$(basename "$package")" "$(stat -c %s "$package")" \
            "$(dpkg-deb --field "$package" Installed-Size)"
    done
    echo
fi
finish
