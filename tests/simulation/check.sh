#!/usr/bin/env bash
# The simulation's short form: the worlds in which something was wrong once, a fixed set, and one that
# nobody has seen; and the same seed gives the same trace, byte for byte, whatever the compiler made of
# it. SIMULATION_FRESH=no leaves the unseen one out. Usage: check.sh [BUILD...]; the first build runs all of it, the others must give the same trace.
set -uo pipefail
cd "$(dirname "$0")/../.."

builds=("${@:-build}")
simulate=${builds[0]}/simulate
fixed=${SIMULATION_SEEDS:-1..40}
fresh=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
passed=0
failed=0

# tally COMMAND...: its closing line counts; its output is shown if it failed.
tally() {
    local output
    output=$("$@" 2>&1)
    local status=$? line
    line=$(tail -n 1 <<<"$output")
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
        if [ "$status" -ne 0 ]; then echo "$output"; fi
    else
        failed=$((failed + 1))
        echo "$output"
    fi
}

trace_of() {
    "$1"/simulate --seed "$2" --days 4 --shrink 0 | sed -n 's/^seed [0-9]*: trace //p'
}

while read -r seed days _; do
    tally "$simulate" --seed "$seed" --days "$days"
done < <(grep -v '^#' tests/simulation/seeds.txt)
tally "$simulate" --seeds "$fixed" --days 4
if [ "${SIMULATION_FRESH:-yes}" = yes ]; then
    echo "the fresh seed is $fresh"
    tally "$simulate" --seed "$fresh" --days 7
fi

for seed in 2 7 11 20; do
    first=$(trace_of "${builds[0]}" "$seed")
    for build in "${builds[@]}"; do
        again=$(trace_of "$build" "$seed")
        if [ -n "$first" ] && [ "$first" = "$again" ]; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "seed $seed: the trace is $first, and with $build $again"
        fi
    done
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
