#!/usr/bin/env bash
# The short form of all of it, about two minutes on two cores: a sample of the points, another one
# each time. Closes with "N passed, N failed".
#
#     tests/torture/check.sh [BUILD]
set -uo pipefail
cd "$(dirname "$0")/../.."

build=${1:-build}
python=python3
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
passed=0
failed=0

# tell NAME STATUS LOG
tell() {
    local ok bad
    ok=$(sed -n 's/^\([0-9]*\) passed, [0-9]* failed$/\1/p' "$3" | tail -n 1)
    bad=$(sed -n 's/^[0-9]* passed, \([0-9]*\) failed$/\1/p' "$3" | tail -n 1)
    if [ "$2" -ne 0 ] && [ "${bad:-0}" -eq 0 ]; then bad=1; fi
    passed=$((passed + ${ok:-0}))
    failed=$((failed + ${bad:-0}))
    printf '%-34s %5d passed, %d failed  (%ds)\n' "$1" "${ok:-0}" "${bad:-0}" "$SECONDS"
    if [ "$2" -ne 0 ]; then sed 's/^/    /' "$3" | head -n 200; fi
}

# sample NAME EVERY COMMAND...: each EVERYth point, beginning anywhere.
sample() {
    local name=$1 every=$2 first=$((RANDOM % $2 + 1)) status=0
    shift 2
    "$@" --every "$every" --from "$first" >"$logs/sample" 2>&1 </dev/null || status=$?
    tell "$name, $every/$first" "$status" "$logs/sample"
}

make -s -j"$(nproc)" BUILD="$build" torture || exit 1

# It mostly waits, and so goes on beside the others.
"$python" tests/torture/soak.py --build "$build" --minutes 0.4 --environments 20 \
    >"$logs/soak" 2>&1 </dev/null &
soak=$!

sample "allocations, virtual time" 41 "$build/torture/allocations" --jobs "$(nproc)"
sample "shortage of memory, virtual time" 211 \
    "$build/torture/allocations" --jobs "$(nproc)" --shortage 300
if [ "$(uname -m)" = x86_64 ]; then # the tracer knows its registers
    sample "killed at system calls" 13 "$python" tests/torture/points.py kills --build "$build"
    sample "failed system calls" 23 "$python" tests/torture/points.py calls --build "$build"
fi
sample "failed allocations, the daemon" 601 \
    "$python" tests/torture/points.py allocations --build "$build"
sample "failed resolutions" 1 "$python" tests/torture/points.py resolutions --build "$build"
status=0
wait "$soak" || status=$?
tell "soak" "$status" "$logs/soak"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
