#!/usr/bin/env bash
# `./run coverage`: lines of src/ that the unit tests and the end-to-end tests reach.
set -euo pipefail

build=build/coverage
find "$build" -name '*.gcda' -delete 2>/dev/null || true
make -s -j"$(nproc)" COVERAGE=1 BUILD="$build" all unit-tests
for source in tests/unit/test_*.c; do
    name=$(basename "$source" .c)
    "$build/unit/$name" >"$build/$name.log" 2>&1 || { cat "$build/$name.log"; exit 1; }
done
.cache/venv/bin/python3 tests/e2e/run.py --build "$build"
gcovr --root . --filter 'src/' --object-directory "$build" --exclude-unreachable-branches \
    --print-summary "$build"
