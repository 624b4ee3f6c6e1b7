#!/usr/bin/env bash
# `./run analyze`: gcc -fanalyzer, clang's static analyzer and cppcheck over src/, sim/ and tools/, file by
# file. (clang-tidy is in `make tidy`.) A file is clean, or what is said of it stands below with the reason
# why it is not so; a reason that is needed no more is a failure, too. Closes with "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/../.."

# Whole kinds of messages that are wrong too often to be of use:
#   leaks (all three)   none of them knows __attribute__((cleanup)) or TAKE(); gcc 12 also loses a pointer
#                       that is put into a grown array. LeakSanitizer, valgrind and the torture tests, which
#                       fail every allocation once, look for leaks.
LEAKS='Potential leak of memory|Wanalyzer-malloc-leak|\[memleak\]'

# tool | file | what it says | why it is not so
exceptions() {
    cat <<'END'
gcc|src/aws.c|use after .free. of .call.|call_remove() takes the first call off the list; gcc thinks that the first one may have a previous
clang|src/aws.c|Use of memory after it is freed|the same
gcc|src/credentials/credentials_plan.c|use of NULL .plan.imds_url.|set_text() returned 0, so there is a text: the error of out_of_memory() is negative, which gcc cannot see
gcc|src/config/config_check.c|use of uninitialized value .<unknown>.|a cleanup variable at `continue` in a loop: it is initialised each time round
cppcheck|src/config/config_fill.c|internalAstError|cannot read TAKE() within a compound literal
cppcheck|src/environment/environment_observe.c|unknownEvaluationOrder|takes two compound literals of a constant for side effects
cppcheck|src/scheduler.c|ull pointer dereference: config|TAKE(owned) sets owned to NULL, not config
cppcheck|src/sigv4/sigv4_canonical.c|arrayIndexOutOfBoundsCond|takes the index behind the last item for one that is used: i < n <= 67
cppcheck|sim/ecs_service.c|Uninitialized variable: (cluster|services)|written when r == 0, and read only then
cppcheck|sim/logs_service.c|Uninitialized variable: (too_old_end|too_new_start|n)|written when r == 0, and read only then
END
}

if [ "${1:-}" != --one ]; then
    logs=$(mktemp -d)
    trap 'rm -rf "$logs"' EXIT
fi
flags=(-D_GNU_SOURCE '-DPROVISIONERD_VERSION="0"' -Isrc -I.)

run_gcc() {
    gcc "${flags[@]}" -std=gnu11 -O0 -fanalyzer -fdiagnostics-plain-output -fdiagnostics-path-format=none \
        -fanalyzer-transitivity -c -o /dev/null "$1"
}

run_clang() {
    clang "${flags[@]}" -std=gnu11 --analyze --analyzer-output text \
        -Xclang -analyzer-checker=nullability,optin.portability,security.FloatLoopCounter,security.insecureAPI.rand \
        "$1"
}

run_cppcheck() {
    cppcheck "${flags[@]}" --std=c11 --enable=warning,performance,portability --inline-suppr --quiet \
        --suppress=missingIncludeSystem --template='{file}:{line}: {severity}: {message} [{id}]' "$1"
}

# one TOOL FILE: leaves what is said, less the leaks, in $logs.
one() {
    local out=$logs/$1-${2//\//_}

    "run_$1" "$2" 2>&1 >/dev/null | grep -E ': (error|warning|performance|portability): ' |
        grep -vE "$LEAKS" | sort -u >"$out.said"
    echo "$1|$2" >"$out.name"
}

# A process for each file: `analyze.sh --one TOOL FILE`.
if [ "${1:-}" = --one ]; then
    one "$2" "$3"
    exit 0
fi

for tool in gcc clang cppcheck; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed"; echo "0 passed, 1 failed"; exit 1; }
    printf "$tool %s\n" src/*.c src/*/*.c sim/*.c tools/*.c
done | logs=$logs xargs -P "${JOBS:-$(nproc)}" -L 1 tests/tools/analyze.sh --one

exceptions >"$logs/exceptions"
passed=0
failed=0
for name in "$logs"/*.name; do
    said=${name%.name}.said
    IFS='|' read -r tool file <"$name"
    while IFS='|' read -r of_tool of_file what rest; do
        [ "$tool|$file" = "$of_tool|$of_file" ] || continue
        # The expression may hold the separator: the reason is behind the last one.
        pattern=${what}${rest:+|$rest}
        pattern=${pattern%|*}
        if grep -qE "$pattern" "$said"; then
            grep -vE "$pattern" "$said" >"$said.rest"
            mv "$said.rest" "$said"
        else
            echo "no longer needed: $tool $file: $pattern" >>"$said"
        fi
    done <"$logs/exceptions"
    if [ -s "$said" ]; then
        failed=$((failed + 1))
        echo "$tool $file:"
        sed 's/^/    /' "$said"
    else
        passed=$((passed + 1))
    fi
done
echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
