#!/usr/bin/env bash
# The short form, for every change: each target once over its corpus as built with the default compiler,
# then some thousand executions of libFuzzer from there, the same each time. Closes with
# "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/../.."

build=${BUILD:-build}
jobs=${JOBS:-$(nproc)}
runs=4000
seconds=20 # of one target, at most
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

make -s -j"$jobs" BUILD="$build" fuzz-targets fuzzers || { echo "0 passed, 1 failed"; exit 1; }

# one TARGET
one() {
    local target=$1 log=$TMPDIR/$1.log status=0
    mkdir -p "$TMPDIR/$target"
    {
        "$build/fuzz/$target" "tests/fuzz/corpus/$target" &&
            "$build/libfuzzer/fuzz/$target" -runs="$runs" -seed=1 -max_len=4096 -timeout=10 \
                -max_total_time="$seconds" -artifact_prefix="$TMPDIR/" -print_final_stats=1 \
                -dict="tests/fuzz/dictionaries/$target.dict" \
                "$TMPDIR/$target" "tests/fuzz/corpus/$target"
    } >"$log" 2>&1 || status=$?
    if [ "$status" -eq 0 ]; then
        echo "ok $target" >>"$TMPDIR/results"
    else
        echo "FAILED $target" >>"$TMPDIR/results"
        echo "FAILED  $target"
        tail -n 40 "$log" | sed 's/^/    /'
    fi
}
export -f one
export build runs seconds

basename -s .c tests/fuzz/fuzz_*.c | xargs -P "$jobs" -I{} bash -c 'one {}'
passed=$(grep -c '^ok' "$TMPDIR/results")
failed=$(grep -c '^FAILED' "$TMPDIR/results")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
