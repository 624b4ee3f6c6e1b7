# shellcheck shell=bash
# The steps of a test and their tally; sourced. Sets passed, failed and logs, a folder that whoever sources
# this removes. A step prints its own output only if it fails.

logs=$(mktemp -d)
passed=0
failed=0

# tally NAME STATUS LOG: adds the counts found in LOG; a failure without a count counts as one. 77 is the
# status of what cannot be tested here: its last line says why.
tally() {
    local name=$1 status=$2 log=$3 ok bad

    if [ "$status" -eq 77 ]; then
        printf 'skipped %-46s %s\n' "$name" "$(tail -n 1 "$log")"
        return
    fi
    ok=$(awk '/^\[  PASSED  \] [0-9]+ test/ { n += $4 } /^[0-9]+ passed, [0-9]+ failed$/ { n += $1 }
              END { print n + 0 }' "$log")
    bad=$(awk '/^\[  FAILED  \] [0-9]+ test/ { n += $4 } /^[0-9]+ passed, [0-9]+ failed$/ { n += $3 }
               END { print n + 0 }' "$log")
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    if [ "$status" -eq 0 ] && [ "$((ok + bad))" -eq 0 ]; then ok=1; fi
    passed=$((passed + ok))
    failed=$((failed + bad))
    if [ "$status" -eq 0 ] && [ "$bad" -eq 0 ]; then
        printf 'ok      %-46s %5d  (%ds)\n' "$name" "$ok" "$SECONDS"
    else
        printf 'FAILED  %-46s %5d of %d\n' "$name" "$bad" "$((ok + bad))"
        sed 's/^/    /' "$log" | tail -n 80
    fi
}

# step NAME COMMAND...
step() {
    local name=$1 status=0
    shift
    "$@" >"$logs/step" 2>&1 </dev/null || status=$?
    tally "$name" "$status" "$logs/step"
}
