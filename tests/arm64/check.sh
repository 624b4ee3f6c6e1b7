#!/usr/bin/env bash
# `./run arm64`: the Debian packages for arm64, into build/packages/arm64/ (or OUT), cross compiled twice,
# held against those for amd64, and tested under qemu's user mode emulation: the unit tests, the traces of
# the simulation, and the packaged programs end to end. Closes with "N passed, N failed". Needs root, for
# the Debian with the cross compiler (root.sh), which is kept in .cache/arm64/.
#
#     tests/arm64/check.sh [OUT]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

[ "$(id -u)" -eq 0 ] || { echo "./run arm64 needs root, for debootstrap and chroot" >&2; exit 1; }
[ "$(dpkg --print-architecture)" = amd64 ] || {
    echo "./run arm64 cross compiles on amd64; elsewhere, ./run packages builds for the machine it is on" >&2
    exit 1
}

out=${1:-build/packages/arm64}
triplet=aarch64-linux-gnu
# Worlds of the simulation whose traces are compared, and one that is compared byte by byte.
seeds=$(seq 1 20)
read_out=11
# End to end: the daemon's own stories. Those of the other programs want more than the root has.
daemon=(test_cli test_crash test_credentials test_failures test_malformed test_many test_reload test_story
    test_systemd)

# shellcheck source=tests/host/checks.sh
. tests/host/checks.sh
# shellcheck source=tests/tools/tally.sh
. tests/tools/tally.sh
trap 'rm -rf --one-file-system "$work" "$logs"' EXIT
# One at a time: a root that is out of date is removed by the next.
mkdir -p .cache/arm64
exec 9>.cache/arm64/lock
flock 9
root=$(tests/arm64/root.sh) || exit

# in_root FOLDER COMMAND...: in a folder of $work, which is /mnt there, and with a /tmp of its own: the
# root stays as it is.
in_root() {
    unshare --mount --propagation private sh -c '
        mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
        mkdir -p "$1/tmp" && chmod 1777 "$1/tmp" && mount --bind "$1/tmp" "$0/tmp" &&
        mount --bind "$1" "$0/mnt" && shift && exec chroot "$0" "$@"' "$root" "$work" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        sh -c 'cd "/mnt/$1" && shift && exec "$@"' sh "$@"
}

cross_build() { # TREE OUT, below $work
    in_root "${1#"$work/"}" tests/host/build-packages.sh . "/mnt/$2" --host-arch arm64
}

lintian_finds_nothing() {
    lintian --allow-root --no-cfg --fail-on error,warning --tag-display-limit 0 --info \
        "$work"/first/*.changes
}

unpack() {
    local folder package
    for folder in first amd64; do
        for package in provisionerd provisionerd-sim; do
            dpkg-deb --raw-extract "$work/$folder/$package"_*.deb "$work/$folder.$package" || return
        done
    done
    ls "$work"/first.provisionerd{,-sim}/usr/*bin/*
}

programs_are_of_arm64() {
    local program said n=0
    for program in "$work"/first.*/usr/bin/* "$work"/first.*/usr/sbin/*; do
        [ -e "$program" ] || continue
        said=$(readelf --file-header --program-headers --dynamic --wide "$program")
        echo "$program: $said"
        grep -q 'Machine: *AArch64$' <<<"$said" && grep -q 'Type: *DYN (Position-Independent' <<<"$said" &&
            grep -q 'GNU_RELRO' <<<"$said" && grep -q 'BIND_NOW' <<<"$said" || return 1
        n=$((n + 1))
    done
    echo "$n programs"
    [ "$n" -eq "$(cat debian/*.install | grep -c '^usr/s*bin/')" ]
}

# field NAME FOLDER: of both packages, without versions, which differ as the machines are up to date.
field() {
    local package
    for package in provisionerd provisionerd-sim; do
        dpkg-deb --field "$work/$2/$package"_*.deb "$1" | sed 's/ ([^)]*)//g'
    done
}

packages_say_arm64() {
    field Architecture first
    [ "$(field Architecture first | sort -u)" = arm64 ]
}

dependencies_are_the_same() {
    field Depends first | grep libcurl && diff <(field Depends amd64) <(field Depends first)
}

# All but the programs themselves, and what counts their bytes.
files_are_the_same() {
    local package tree
    for package in provisionerd provisionerd-sim; do
        for tree in amd64 first; do
            (cd "$work/$tree.$package" && find . -printf '%P %y %m %l\n' | sort &&
                find . -type f ! -path './usr/*bin/*' ! -path ./DEBIAN/control ! -path ./DEBIAN/md5sums \
                    -exec sha256sum {} + | sort) >"$work/$tree.$package.files"
        done
        diff "$work"/{amd64,first}."$package.files" || return
    done
    wc -l "$work"/first.*.files
}

# build/ of the tree holds the amd64 simulation, from this machine's compiler.
build_tests() {
    make -s -C "$work/tree" -j"$(nproc)" BUILD=native native/simulate &&
        in_root tree make -s -j"$(nproc)" BUILD=arm64 CC=$triplet-gcc AR=$triplet-ar \
            PKG_CONFIG=$triplet-pkg-config unit-tests arm64/simulate
}

units() {
    # shellcheck disable=SC2016
    in_root tree sh -c '
        printf "%s\n" tests/unit/test_*.c | sed "s|.*/||; s|\.c\$||" | xargs -P "$(nproc)" -I{} sh -c "
            qemu-aarch64-static arm64/unit/{} >arm64/{}.log 2>&1 || echo {}: \$? >>arm64/broken"
        cat arm64/test_*.log | grep -vE "^\[( RUN|       OK)"
        ! cat arm64/broken 2>/dev/null'
}

trace() { # SEED COMMAND...
    "${@:2}" --seed "$1" --days 4 --shrink 0 | sed -n 's/^seed [0-9]*: trace //p'
}

on_arm64() {
    in_root tree qemu-aarch64-static arm64/simulate "$@"
}

traces_are_the_same() {
    local seed native emulated same=0 other=0
    for seed in $seeds; do
        native=$(trace "$seed" "$work/tree/native/simulate")
        emulated=$(trace "$seed" on_arm64)
        if [ -n "$native" ] && [ "$native" = "$emulated" ]; then
            same=$((same + 1))
        else
            other=$((other + 1))
            echo "seed $seed: the trace is $native on amd64, and $emulated on arm64"
        fi
    done
    echo "$same passed, $other failed"
    [ "$other" -eq 0 ]
}

# How fast it went is not part of it.
one_trace_byte_by_byte() {
    "$work/tree/native/simulate" --seed $read_out --days 4 --trace | grep -v 'CPU second' >"$work/amd64.trace"
    on_arm64 --seed $read_out --days 4 --trace | grep -v 'CPU second' >"$work/arm64.trace"
    [ "$(wc -l <"$work/amd64.trace")" -gt 1000 ] && cmp "$work/amd64.trace" "$work/arm64.trace"
}

# The packaged programs, so that who starts them gets them emulated.
wrap() {
    local name program
    mkdir -p "$work/tree/packaged"
    for program in "$work"/first.*/usr/*bin/*; do
        name=$(basename "$program")
        printf '#!/bin/sh\nexec qemu-aarch64-static "/mnt/%s" "$@"\n' "${program#"$work/"}" \
            >"$work/tree/packaged/$name"
        chmod 755 "$work/tree/packaged/$name"
    done
}

the_programs_start() {
    local version
    version=$(program_version)
    [ "$(in_root tree packaged/provisionerd --version)" = "provisionerd $version" ] &&
        [ "$(in_root tree packaged/provisionerd-sim --version)" = "provisionerd-sim $version" ] &&
        in_root tree packaged/provisionerd --check-config etc/provisionerd.ini
}

two_copies
cp -a "$here" "$work/tree"
mkdir "$work/on-amd64"
cp -a "$here" "$work/on-amd64/provisionerd"

step "the packages build for arm64" cross_build "$here" first
[ "$failed" -eq 0 ] || { finish; exit; }
step "a second build, elsewhere" cross_build "$elsewhere" second
step "both have the same hashes" same_files deb
step "lintian has no error and no warning" lintian_finds_nothing
step "the packages build for amd64" tests/host/build-packages.sh \
    "$work/on-amd64/provisionerd" "$work/amd64"
step "they can be unpacked" unpack
step "programs are hardened ones of AArch64" programs_are_of_arm64
step "the packages say arm64" packages_say_arm64
step "dependencies are those of amd64" dependencies_are_the_same
step "files are those of amd64" files_are_the_same
step "the tests build for arm64" build_tests
step "unit tests, emulated" units
step "the simulation's traces are those of amd64" traces_are_the_same
step "and one is byte for byte" one_trace_byte_by_byte
wrap
step "the packaged programs start" the_programs_start
step "the packaged programs, the demo" in_root tree python3 tests/e2e/demo.py --build packaged
step "the packaged daemon, end to end" in_root tree python3 tests/e2e/run.py --build packaged "${daemon[@]/#/-k}"

if [ "$failed" -eq 0 ]; then
    mkdir -p "$out"
    rm -f "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
    cp "$work"/first/* "$out"
    echo
    (cd "$out" && stat --format '%s bytes  %n' -- *.deb)
fi
echo
finish
