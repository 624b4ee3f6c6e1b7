#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The judge must be able to fail: each mutant is one mistake in the daemon, put into a copy of the
# tree, and the simulation must find it. One that survives all seeds is a hole in the simulation.
#
#     tests/simulation/mutants/run.sh [--short] [--seeds A..B] [--days D] [--jobs N] [MUTANT]...
#
# A NAME.mutant is: what is wrong, in a sentence; the file; and lines that begin with - to be replaced
# by those that begin with +, by their text, wherever it stands. The first and the last line of a piece
# may be parts of lines; an empty line parts two pieces. A line "seed N [DAYS]" names a world worth
# trying first.
#
# A seed that finds something without any mutant, too, says nothing of the mutant, and is passed over.
# CC and CFLAGS are make's. Exit status: 0 all killed; 1 a survivor, or one that does not apply or compile.

set -eu

tree=$(cd "$(dirname "$0")/../../.." && pwd)
mutants=tests/simulation/mutants
seeds=1..40
days=4
jobs=$(getconf _NPROCESSORS_ONLN)
# One of each kind: a query, a look, a record, a count, a limit, a secret.
short="failed-is-idle last-look-skipped record-not-durable count-off-by-one budget-not-taken
       secret-is-told"
names=
# A mutant may well make the daemon run in circles: that is found, too.
run_seconds=300

while [ $# -gt 0 ]; do
    case $1 in
    --short) names=$short ;;
    --seeds) seeds=$2; shift ;;
    --days) days=$2; shift ;;
    --jobs) jobs=$2; shift ;;
    -*) sed -n 's/^#     //p' "$0" >&2; exit 64 ;;
    *) names="$names $1" ;;
    esac
    shift
done
if [ -z "$names" ]; then
    for file in "$tree/$mutants"/*.mutant; do
        names="$names $(basename "$file" .mutant)"
    done
fi
first=${seeds%..*}
last=${seeds#*..}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# apply MUTANT FOLDER: puts the mistake in. Fails if a piece is not there, or more than once.
apply() {
    python3 - "$1" "$2" <<'PYTHON'
import sys

lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
path = sys.argv[2] + "/" + lines[1]
text = open(path, encoding="utf-8").read()
pieces, before = [], ""
for line in lines[2:]:
    sign = line[:1]
    if sign == "-" and before != "-":  # a new piece
        pieces.append(([], []))
    if sign in ("-", "+"):
        pieces[-1][sign == "+"].append(line[1:])
    before = sign
for old, new in pieces:
    old, new = "\n".join(old), "\n".join(new)
    if text.count(old) != 1:
        sys.exit(f"found {text.count(old)} times: {old}")
    text = text.replace(old, new)
open(path, "w", encoding="utf-8").write(text)
PYTHON
}

# finds PROGRAM SEED DAYS OUTPUT: whether anything is wrong in that world.
finds() {
    ! timeout "$run_seconds" "$1" --seed "$2" --days "$3" --shrink 0 > "$4" 2>&1
}

# worlds NAME: "SEED DAYS" a line, the likely ones first.
worlds() {
    sed -n "s/^seed \([0-9]*\)\$/\1 $days/p; s/^seed \([0-9]* [0-9]*\)\$/\1/p" \
        "$tree/$mutants/$1.mutant"
    seq "$first" "$last" | sed "s/\$/ $days/"
}

# hunt FOLDER NAME: prints what became of the mutant, as "killed ..." or otherwise.
hunt() {
    begun=$(date +%s)
    worlds "$2" > "$1/worlds"
    while read -r seed length; do
        finds "$1/build/simulate" "$seed" "$length" "$1/out" || continue
        finds "$work/simulate" "$seed" "$length" "$1/out.without" && continue
        found=$(sed -n 's/^VIOLATION of \([^ ]*\) .*/\1/p' "$1/out")
        printf 'killed    %-32s %-6s by seed %4s, %2s days, in %3s s\n' "$2" "${found:-hang}" \
            "$seed" "$length" "$(($(date +%s) - begun))"
        return
    done < "$1/worlds"
    printf 'SURVIVED  %-32s %s worlds, in %s s\n' "$2" "$(wc -l < "$1/worlds")" \
        "$(($(date +%s) - begun))"
}

# One at a time in a folder of one's own, so that only what changed is compiled again.
work_through() {
    folder=$1
    shift
    for name; do
        mutant="$tree/$mutants/$name.mutant"
        if ! [ -f "$mutant" ]; then
            printf 'UNKNOWN   %s\n' "$name"
            continue
        fi
        file=$(sed -n 2p "$mutant")
        if ! apply "$mutant" "$folder" 2> "$folder/out"; then
            printf 'UNFIT     %-32s %s\n' "$name" "$(tail -n 1 "$folder/out")"
        elif ! make -s -C "$folder" build/simulate > "$folder/out" 2>&1; then
            printf 'UNFIT     %-32s %s\n' "$name" "$(grep -m 1 error "$folder/out")"
        else
            hunt "$folder" "$name"
        fi
        cp "$work/pristine/$file" "$folder/$file"
    done
}

# The tree may change under our feet: what was built is what mutants are made of.
mkdir "$work/pristine" "$work/pristine/tests"
cp -R "$tree/Makefile" "$tree/src" "$tree/sim" "$work/pristine"
cp -R "$tree/tests/simulation" "$tree/tests/support" "$tree/tests/torture" "$work/pristine/tests"
cp -Rp "$work/pristine" "$work/1"
make -s -j "$jobs" -C "$work/1" build/simulate > "$work/build.log" 2>&1 || {
    cat "$work/build.log" >&2
    exit 1
}
cp "$work/1/build/simulate" "$work/simulate"

worker=2
while [ "$worker" -le "$jobs" ]; do
    cp -Rp "$work/1" "$work/$worker"
    worker=$((worker + 1))
done
worker=1
while [ "$worker" -le "$jobs" ]; do
    set --
    n=0
    for name in $names; do
        n=$((n + 1))
        [ $((n % jobs)) -ne $((worker % jobs)) ] || set -- "$@" "$name"
    done
    work_through "$work/$worker" "$@" | tee "$work/results.$worker" &
    worker=$((worker + 1))
done
wait
passed=$(cat "$work"/results.* | grep -c '^killed') || :
failed=$(cat "$work"/results.* | grep -vc '^killed') || :
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
