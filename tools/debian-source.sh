#!/usr/bin/env bash
# Fetches the sources of Debian packages by apt-get, from where this Debian's sources.list says, into
# FOLDER: the upstream tarball, Debian's changes, and the .dsc, whose hashes apt-get verifies. Nothing
# on this host is changed; what is in FOLDER already is not fetched again.
#
#     tools/debian-source.sh FOLDER [--suite SUITE] PACKAGE...
set -euo pipefail

mkdir -p "$1"
folder=$(realpath "$1")
shift
. /etc/os-release
suite=$VERSION_CODENAME
if [ "${1:-}" = --suite ]; then
    suite=$2
    shift 2
fi

missing=()
for package in "$@"; do
    compgen -G "$folder/${package}_*.dsc" >/dev/null || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

# In a folder of apt-get's own: Debian's lines and paragraphs, for sources instead of packages.
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/parts" "$state/lists/partial" "$state/fetched"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -f "$file" ] ||
        sed -nE "/ $VERSION_CODENAME/ s/^deb /deb-src /p" "$file" >>"$state/parts/debian.list"
done
for file in /etc/apt/sources.list.d/*.sources; do
    [ ! -f "$file" ] || awk -v RS= -v ORS='\n\n' -v suite="$VERSION_CODENAME" '
        $0 ~ "(^|\n)Suites:[^\n]*" suite { sub(/(^|\n)Types:[^\n]*/, "\nTypes: deb-src"); print }' \
        "$file" >>"$state/parts/debian.sources"
done
sed -i "s/\<$VERSION_CODENAME\>/$suite/g" "$state"/parts/*

options=(-qq -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$state/parts"
    -o "Dir::State::lists=$state/lists" -o "APT::Sandbox::User=root" -o "Acquire::Languages=none")
apt-get "${options[@]}" update
cd "$state/fetched"
apt-get "${options[@]}" source --download-only "${missing[@]}"
# The .dsc last: it says that the others are there.
for file in *.tar.* *.dsc; do
    mv "$file" "$folder"
done
