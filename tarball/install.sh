#!/bin/sh
# Installs provisionerd from this folder, or takes it away again.
set -eu

usage() {
    cat <<'END'
Usage: ./install.sh [OPTION]...

  --prefix DIR    where to, instead of /usr/local
  --destdir DIR   into the root of an image, instead of this system's
  --uninstall     remove what was installed there; configuration and state are kept
  --purge         with --uninstall: remove them, too

An /etc/provisionerd.ini that is there stays as it is.
END
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

prefix=/usr/local
destdir=
action=install
purge=no
while [ $# -gt 0 ]; do
    case $1 in
    --prefix | --destdir)
        [ $# -ge 2 ] || fail "$1 needs a folder"
        [ "$1" = --prefix ] && prefix=${2%/} || destdir=${2%/}
        shift
        ;;
    --uninstall) action=uninstall ;;
    --purge) purge=yes ;;
    --help) usage && exit ;;
    *) usage >&2 && exit 64 ;;
    esac
    shift
done
case $prefix in
/*) ;;
*) fail "--prefix: an absolute path is needed" ;;
esac
[ "$purge" = no ] || [ "$action" = uninstall ] || fail "--purge goes with --uninstall"

files=$(dirname "$0")/files
bus_policy=etc/dbus-1/system.d/org.provisionerd.conf
# systemd looks for units, catalogs and users below /usr/local and /usr, but not below other prefixes.
case $prefix in
/usr | /usr/local)
    units=$prefix/lib/systemd/system
    catalogs=$prefix/lib/systemd/catalog
    users=$prefix/lib/sysusers.d
    ;;
*)
    units=/etc/systemd/system
    catalogs=/usr/local/lib/systemd/catalog
    users=/etc/sysusers.d
    ;;
esac

# target FILE: where a file of files/usr/local belongs.
target() {
    case $1 in
    lib/systemd/system/*) echo "$destdir$units/${1##*/}" ;;
    lib/sysusers.d/*) echo "$destdir$users/${1##*/}" ;;
    lib/systemd/catalog/*) echo "$destdir$catalogs/${1##*/}" ;;
    *) echo "$destdir$prefix/$1" ;;
    esac
}

# What only a running system has, and an image has not.
system() {
    [ -z "$destdir" ] && [ -d /run/systemd/system ] || return 0
    "$@" || echo "install.sh: $* failed" >&2
}

installed() {
    (cd "$files/usr/local" && find . -type f | sed 's|^\./||' | sort)
}

install_all() {
    "$files/usr/local/sbin/provisionerd" --version >/dev/null ||
        fail "this system cannot run provisionerd: glibc 2.34 and systemd's library are needed"
    installed | while IFS= read -r file; do
        to=$(target "$file")
        mkdir -p "$(dirname "$to")"
        mode=644
        change=
        case $file in
        bin/* | sbin/*) mode=755 ;;
        *.service) change="s|/usr/local/sbin/|$prefix/sbin/|" ;;
        esac
        # Beside it and then in its place, as it may be running.
        if [ -n "$change" ]; then
            sed "$change" "$files/usr/local/$file" >"$to.new"
        else
            cat "$files/usr/local/$file" >"$to.new"
        fi
        chmod "$mode" "$to.new"
        mv -f "$to.new" "$to"
    done
    if [ ! -e "$destdir/etc/provisionerd.ini" ]; then
        mkdir -p "$destdir/etc"
        cat "$files/etc/provisionerd.ini" >"$destdir/etc/provisionerd.ini"
        chmod 644 "$destdir/etc/provisionerd.ini"
    fi
    # The bus takes its policies from /etc, whatever the prefix.
    mkdir -p "$destdir/etc/dbus-1/system.d"
    cat "$files/$bus_policy" >"$destdir/$bus_policy"
    chmod 644 "$destdir/$bus_policy"
    system systemd-sysusers
    system systemctl reload dbus.service
    system systemctl daemon-reload
    system journalctl --update-catalog
    system systemctl try-restart provisionerd.service
    cat <<END
provisionerd is installed. Next:
  edit /etc/provisionerd.ini, in four places: cluster, services, log group, pattern
  $prefix/sbin/provisionerd --check-config
  systemctl enable --now provisionerd
END
}

uninstall_all() {
    if [ -e "$destdir$units/provisionerd.service" ]; then
        system systemctl disable --now provisionerd.service
    fi
    installed | while IFS= read -r file; do
        to=$(target "$file")
        rm -f "$to"
        # The folders that are ours alone.
        case $file in
        share/doc/*) rmdir "$(dirname "$to")" "$(dirname "$(dirname "$to")")" 2>/dev/null || : ;;
        esac
    done
    rm -f "$destdir/$bus_policy"
    system systemctl daemon-reload
    system journalctl --update-catalog
    if [ "$purge" = yes ]; then
        rm -rf "$destdir/etc/provisionerd.ini" "$destdir/etc/provisionerd.ini.d" \
            "$destdir/etc/default/provisionerd" "$destdir/var/lib/provisionerd" \
            "$destdir/var/lib/private/provisionerd"
    fi
}

"${action}_all"
