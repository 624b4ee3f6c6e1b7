#!/usr/bin/env bash
# Copies the tree, the files that git knows as they are now, to FOLDER, which is made.
#
#     tests/host/copy-tree.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."

mkdir -p "$1"
git ls-files -z | while IFS= read -r -d '' file; do
    # One that is removed here may still be in git.
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
done | tar --create --null --files-from - | tar --extract --directory "$1"
