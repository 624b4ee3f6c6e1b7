#!/usr/bin/env bash
# `./run bare [COMMAND...]`: the README's commands as a new user would meet them, in a fresh minbase
# Debian 12 root that has neither make nor a compiler. Needs root and debootstrap. The host's package
# mirrors and CA certificates are used, so it works wherever this host's apt and pip do.
set -euo pipefail

[ "$(id -u)" -eq 0 ] || { echo "./run bare needs root, for debootstrap and chroot" >&2; exit 1; }
. tests/tools/setup.sh
PACKAGES_bare="debootstrap git ca-certificates"
setup_packages bare

root=$(mktemp -d "${TMPDIR:-/var/tmp}/provisionerd-bare-XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT
chmod 755 "$root" # as a machine's own: not everybody there is root

echo "Making a bare Debian 12 in $root"
debootstrap --variant=minbase bookworm "$root" >"$root.log" 2>&1 || { tail "$root.log"; exit 1; }
rm -f "$root.log"
cp /etc/resolv.conf "$root/etc/"
cp -r /etc/apt/sources.list* "$root/etc/apt/"
rm -f "$root"/etc/apt/sources.list.d/*.disabled*
copy_apt_settings "$root"
[ -f /etc/pip.conf ] && cp /etc/pip.conf "$root/etc/"
# Hosts behind a proxy of their own CA: pip and apt in the root must trust it as this host does.
mkdir -p "$root/usr/local/share/ca-certificates" "$root/etc/ssl/certs"
cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/host-certificates.crt"
git clone --quiet . "$root/provisionerd"

# in_root COMMAND: with /proc, /sys and /dev of its own mount namespace, and a root that is a mount, as a
# machine's is.
in_root() {
    unshare --mount --propagation private sh -c '
        mount --bind "$0" "$0" && mount -t proc proc "$0/proc" && mount -t sysfs -o ro sys "$0/sys" &&
        mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"' "$root" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 \
        PIP_CERT=/etc/ssl/host-certificates.crt PIP_DEFAULT_TIMEOUT=180 \
        sh -c "cd /provisionerd && $*"
}

if [ $# -gt 0 ]; then
    in_root "$*"
else
    in_root ./run demo
    in_root ./run check
fi
