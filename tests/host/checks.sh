# shellcheck shell=bash
# For the tests of packages: a folder $work, and checks that are counted. Sourced, with the tree's root
# as the current directory.

work=$(mktemp -d "${TMPDIR:-/var/tmp}/provisionerd-packages-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
passed=0
failed=0

# check NAME COMMAND...: tells what the command said, if it fails.
check() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
        printf 'ok      %s\n' "$name"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n' "$name"
        sed 's/^/    /' "$work/said"
    fi
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}

# Trees to build twice, in folders of different names: one copy, and a copy of it, as the tree may
# change meanwhile.
here=$work/here/provisionerd
elsewhere=$work/another-place/of-a-longer-name/provisionerd
two_copies() {
    tests/host/copy-tree.sh "$here" || exit
    mkdir -p "$(dirname "$elsewhere")"
    cp -a "$here" "$elsewhere"
}

# same_files EXTENSION: $work/first and $work/second hold the same bytes in such files.
same_files() {
    diff <(cd "$work/first" && sha256sum -- *."$1") <(cd "$work/second" && sha256sum -- *."$1")
}

# The programs tell their version from the Makefile.
program_version() {
    sed -n 's/^VERSION := //p' Makefile
}
