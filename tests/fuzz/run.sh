#!/usr/bin/env bash
# `./run fuzz [--seconds N | --hours H] [--afl] [TARGET...]`: each target in turn, on all cores, from
# its corpus. New inputs are gathered in .cache/fuzz/, findings in build/fuzz-findings/. A table at the
# end; closes with "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=60
engine=libfuzzer
jobs=${JOBS:-$(nproc)}
build=${BUILD:-build}
targets=()

usage() {
    echo "Usage: ./run fuzz [--seconds N | --hours H] [--afl] [--jobs N] [TARGET...]" >&2
    echo "Targets: $(basename -s .c tests/fuzz/fuzz_*.c | sed 's/^fuzz_//' | tr '\n' ' ')" >&2
    exit 64
}

while [ $# -gt 0 ]; do
    case "$1" in
    --seconds) seconds=${2:?} && shift ;;
    --hours) seconds=$(awk -v h="${2:?}" 'BEGIN { print int(h * 3600) }') && shift ;;
    --jobs) jobs=${2:?} && shift ;;
    --afl) engine=afl ;;
    -*) usage ;;
    *) [ -f "tests/fuzz/fuzz_${1#fuzz_}.c" ] && targets+=("fuzz_${1#fuzz_}") || usage ;;
    esac
    shift
done
if [ ${#targets[@]} -eq 0 ]; then
    mapfile -t targets < <(basename -s .c tests/fuzz/fuzz_*.c)
fi

# Inputs grow here, and stay out of the tree until somebody has minimised them (README.md).
gathered=.cache/fuzz
findings=$build/fuzz-findings
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
export ASAN_OPTIONS=abort_on_error=1:symbolize=0:detect_leaks=1
export UBSAN_OPTIONS=print_stacktrace=1:symbolize=0

# with_libfuzzer TARGET: prints executions, edges covered, features, findings.
with_libfuzzer() {
    local target=$1 log=$TMPDIR/$1.log own=$gathered/$1 bad=$findings/$1 worker pids=()
    mkdir -p "$own" "$bad"
    for worker in $(seq "$jobs"); do
        ASAN_OPTIONS=symbolize=1 UBSAN_OPTIONS=print_stacktrace=1 \
            "$build/libfuzzer/fuzz/$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 \
            -rss_limit_mb=2048 -print_final_stats=1 -reload=10 -artifact_prefix="$bad/" \
            -dict="tests/fuzz/dictionaries/$target.dict" \
            "$own" "tests/fuzz/corpus/$target" >"$log.$worker" 2>&1 &
        pids+=($!)
    done
    wait "${pids[@]}" || true
    cat "$log".* >"$log"
    local executions coverage
    executions=$(awk '/^stat::number_of_executed_units:/ { n += $2 } END { print n + 0 }' "$log")
    coverage=$(awk '/ cov: / { for (i = 1; i < NF; i++) {
                        if ($i == "cov:" && $(i + 1) > cov) cov = $(i + 1)
                        if ($i == "ft:" && $(i + 1) > ft) ft = $(i + 1) } }
                    END { print cov + 0, ft + 0 }' "$log")
    echo "$executions $coverage $(find "$bad" -type f | wc -l)"
}

# with_afl TARGET: the same; edges covered in place of both, as AFL++ counts them.
with_afl() {
    local target=$1 out=$gathered/afl/$1 worker pids=() role
    mkdir -p "$out"
    for worker in $(seq "$jobs"); do
        role=-S
        [ "$worker" -eq 1 ] && role=-M
        AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_AFFINITY=1 \
            AFL_AUTORESUME=1 AFL_TESTCACHE_SIZE=50 AFL_MAP_SIZE=262144 \
            timeout --signal=INT "$((seconds + 20))" \
            afl-fuzz $role "worker$worker" -V "$seconds" -m none -t 2000 \
            -x "tests/fuzz/dictionaries/$target.dict" -i "tests/fuzz/corpus/$target" -o "$out" \
            -- "$build/afl/fuzz/$target" >"$TMPDIR/$target.$worker.log" 2>&1 &
        pids+=($!)
    done
    wait "${pids[@]}" || true
    awk -F ' *: *' '$1 == "execs_done" { n += $2 } $1 == "edges_found" && $2 > e { e = $2 }
                    END { print n + 0, e + 0, "-" }' "$out"/*/fuzzer_stats | tr '\n' ' '
    mkdir -p "$findings/$target"
    find "$out" -path '*/crashes/id*' -o -path '*/hangs/id*' |
        while read -r file; do cp "$file" "$findings/$target/afl-$(sha1sum <"$file" | cut -c1-16)"; done
    find "$findings/$target" -type f | wc -l
}

if [ "$engine" = afl ]; then
    make -s -j"$(nproc)" BUILD="$build" fuzzers-afl
else
    make -s -j"$(nproc)" BUILD="$build" fuzzers
fi >&2

printf '%-28s %14s %8s %8s %9s\n' target executions edges features findings
passed=0
failed=0
for target in "${targets[@]}"; do
    read -r executions edges features bad < <("with_$engine" "$target")
    printf '%-28s %14s %8s %8s %9s\n' "$target" "$executions" "$edges" "$features" "$bad"
    # No execution at all is a failure, too: then nothing was tried.
    if [ "$bad" -eq 0 ] && [ "$executions" -gt 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        [ "$bad" -eq 0 ] || echo "    $findings/$target/ (build/fuzz/$target FILE replays one)"
    fi
done
echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
