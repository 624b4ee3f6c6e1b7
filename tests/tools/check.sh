#!/usr/bin/env bash
# Every test and lint; `./run check` calls it when the set-up is done. A step prints its own output
# only if it fails. Closes with "N passed, N failed".
set -uo pipefail

python=.cache/venv/bin/python3
jobs=$(nproc)
# shellcheck source=tests/tools/tally.sh
. tests/tools/tally.sh
trap 'rm -rf "$logs"' EXIT

# start NAME COMMAND...: beside what follows, for what mostly waits; collect() waits for them all.
started=()
start() {
    local name=$1 log="$logs/started.${#started[@]}"
    shift
    started+=("$name")
    (
        status=0
        "$@" >"$log" 2>&1 </dev/null || status=$?
        echo "$status" >"$log.status"
    ) &
}

collect() {
    wait
    for i in "${!started[@]}"; do
        tally "${started[$i]}" "$(cat "$logs/started.$i.status")" "$logs/started.$i"
    done
    started=()
}

# units NAME BUILD [WRAPPER...]: all unit tests of a build, on all cores.
units() {
    local name=$1 build=$2 status=0
    shift 2
    make -s -j"$jobs" $MAKE_OPTIONS BUILD="$build" unit-tests >"$logs/build" 2>&1 || {
        tally "$name: build" 1 "$logs/build"
        return
    }
    : >"$logs/units"
    printf '%s\n' tests/unit/test_*.c | sed 's|.*/||; s|\.c$||' |
        xargs -P "$jobs" -I{} sh -c '"$@" >"'"$logs"'/{}.log" 2>&1 || echo "{}" >>"'"$logs"'/broken"' \
            sh "$@" "$build/unit/{}" || status=1
    cat "$logs"/test_*.log >"$logs/units"
    # cmocka says what failed; a crash or a sanitizer says nothing countable.
    if [ -s "$logs/broken" ]; then
        status=1
        echo "broken: $(tr '\n' ' ' <"$logs/broken")" >>"$logs/units"
    fi
    grep -vE '^\[( RUN|       OK)' "$logs/units" >"$logs/units.short"
    tally "$name" "$status" "$logs/units.short"
    rm -f "$logs"/test_*.log "$logs/broken"
}

MAKE_OPTIONS=""
# All of this build at once: two makes in one folder would be in each other's way.
step "build with gcc" make -s -j"$jobs" all torture build/simulate
units "unit tests" build
units "unit tests, valgrind" build \
    valgrind -q --error-exitcode=9 --leak-check=full --child-silent-after-fork=yes
MAKE_OPTIONS="SANITIZE=address,undefined"
units "unit tests, ASan and UBSan" build/asan
step "build with ASan and UBSan" make -s -j"$jobs" $MAKE_OPTIONS BUILD=build/asan all build/asan/simulate
MAKE_OPTIONS=""
step "build with clang" make -s -j"$jobs" CC=clang BUILD=build/clang all unit-tests \
    build/clang/simulate

step "SigV4: public vectors" \
    "$python" tests/compat/test_sigv4_suite.py --program build/sigv4 --cache .cache
step "SigV4: against botocore's signer" \
    "$python" tests/compat/test_sigv4_botocore.py --program build/sigv4 --count 10000
step "SigV4: the program" \
    "$python" tests/compat/test_sigv4_program.py --program build/sigv4
step "simulated AWS: the program" \
    "$python" tests/compat/test_sim_program.py --program build/provisionerd-sim

start "daemon, end to end" \
    "$python" tests/e2e/run.py --build build
start "deployment examples" \
    "$python" tests/e2e/run.py --build build --tests tests/deployment
start "daemon against moto" \
    "$python" tests/compat/test_moto.py --program build/provisionerd
start "simulated AWS: driven by botocore" \
    "$python" tests/compat/test_sim_botocore.py --program build/provisionerd-sim
start "simulated AWS: driven by the AWS CLI" \
    "$python" tests/compat/test_sim_awscli.py --program build/provisionerd-sim
start "demo" python3 tests/e2e/demo.py
start "torture" tests/torture/check.sh build
collect
start "daemon, end to end, ASan and UBSan" \
    "$python" tests/e2e/run.py --build build/asan
start "a service of a booted Debian" tests/host/check.sh --short
step "simulation" tests/simulation/check.sh build build/asan build/clang
collect
step "simulation: a mistake in the daemon is found" tests/simulation/mutants/run.sh --short
step "fuzzing, from the corpora" tests/fuzz/check.sh

step "format" make -s check-format
step "clang-tidy" make -s -j"$jobs" tidy

echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
