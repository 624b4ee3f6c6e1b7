#!/usr/bin/env bash
# `./run check-container [-k NAME]...`: the image of Containerfile, built and run by podman, with the task
# role's credentials from the address that ECS has for them. Closes with "N passed, N failed". Needs root.
#
# No registry is asked: the base image is a Debian made by debootstrap, in a storage of its own in
# .cache/container/, which leaves this machine's images as they are. Likewise the network: the containers
# are in a namespace with nothing but loopback.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" -eq 0 ] || { echo "./run check-container needs root, for debootstrap and podman" >&2; exit 1; }

# shellcheck source=tests/tools/setup.sh
. tests/tools/setup.sh
mkdir -p .cache/container
cache=$(realpath .cache/container)
exec 9>"$cache/lock"
flock 9
programs=${BUILD:-build}
image=localhost/provisionerd:check
base=$(sed -n 's/^FROM \(.*\) AS build$/\1/p' Containerfile)
work=$(mktemp -d /var/tmp/provisionerd-container-XXXXXX)
# runc, for Debian's crun wants cgroups of version 2 alone. What is asked for in open files and processes
# podman would raise beyond what a root without CAP_SYS_RESOURCE may.
podman=(podman --root "$cache/storage" --runroot "$cache/run" --runtime runc
    --cgroup-manager cgroupfs --log-level error)
trap '"${podman[@]}" rm --all --force --volumes >/dev/null 2>&1 || true
    rm -rf --one-file-system "$work"' EXIT

quietly() {
    "$@" >"$work/log" 2>&1 </dev/null || { tail -n 60 "$work/log" >&2; return 1; }
}

if ! "${podman[@]}" image exists "$base"; then
    cp -a --reflink=auto "$(tests/host/debian-root.sh bookworm)" "$work/debian"
    copy_apt_settings "$work/debian"
    tar -C "$work/debian" --one-file-system -c . >"$work/debian.tar"
    quietly "${podman[@]}" import "$work/debian.tar" "$base"
    rm -rf --one-file-system "$work"/debian*
fi

echo "Building the image"
tests/host/copy-tree.sh "$work/tree"
build=("${podman[@]}" build --pull=never --isolation chroot --network host --layers)
# The first stage by a name of its own: its layers are kept for the next time, those before it are not.
quietly "${build[@]}" --target build --tag "$image-build" "$work/tree"
quietly "${build[@]}" --tag "$image" "$work/tree"
quietly "${podman[@]}" image prune --force

make -s -j"$(nproc)" BUILD="$programs" all
# The address of the endpoint for task roles: Amazon ECS Developer Guide, "Task IAM role".
PROVISIONERD_BUILD=$programs PROVISIONERD_IMAGE=$image PROVISIONERD_PODMAN=${podman[*]} \
    unshare --net sh -c 'ip link set lo up && ip address add 169.254.170.2/32 dev lo && exec "$@"' sh \
    .cache/venv/bin/python3 tests/container/check.py "$@"
