# shellcheck shell=bash
# Installs what is missing, and nothing that is there. Sourced by ./run.

PACKAGES_build="gcc make pkg-config libc6-dev libcurl4-openssl-dev libssl-dev libjson-c-dev
    libsystemd-dev libinih-dev libmicrohttpd-dev"
PACKAGES_demo="python3 ca-certificates"
PACKAGES_check="libcmocka-dev clang clang-format clang-tidy libclang-rt-14-dev valgrind gcovr openssl
    dbus-daemon mandoc shellcheck systemd systemd-journal-remote tmux
    python3-venv python3-pip"
PACKAGES_fuzz="libcmocka-dev clang libclang-rt-14-dev afl++"
PACKAGES_analyze="clang clang-tools cppcheck"
PACKAGES_packages="debhelper dpkg-dev fakeroot lintian git"
PACKAGES_arm64="debootstrap binutils util-linux"
PACKAGES_container="debootstrap podman runc conmon iproute2 openssl util-linux python3-venv python3-pip"
PACKAGES_rpm="rpm rpmlint binutils gcc-11 debootstrap"
PACKAGES_tarball="patch xz-utils openssl debootstrap util-linux"
PACKAGES_distributions="debootstrap util-linux"
PACKAGES_host="debootstrap systemd-container iproute2 openssl strace util-linux"
PACKAGES_booted="debhelper dpkg-dev fakeroot git systemd systemd-container dbus openssl util-linux"

# setup_packages GROUP...: by apt-get, if any package of these groups is missing.
setup_packages() {
    local group name missing=()

    for group in "$@"; do
        local list="PACKAGES_$group"
        for name in ${!list}; do
            if [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" != installed ]; then
                missing+=("$name")
            fi
        done
    done
    [ ${#missing[@]} -eq 0 ] && return
    if ! command -v apt-get >/dev/null; then
        echo "Please install what these Debian packages hold: ${missing[*]}" >&2
        return 1
    fi
    local sudo=
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    echo "Installing ${missing[*]}"
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq update
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install \
        "${missing[@]}" >/dev/null
}

# copy_apt_settings ROOT: so that apt in there reaches its mirrors as it does here. What the desktop wants
# to be told of is not there.
copy_apt_settings() {
    cp -r /etc/apt/apt.conf.d "$1/etc/apt/"
    rm -f "$1"/etc/apt/apt.conf.d/*packagekit* "$1"/etc/apt/apt.conf.d/*appstream*
}

# A virtual environment with the independent witnesses: botocore, the AWS CLI, moto.
setup_python() {
    local venv=.cache/venv wanted
    wanted=$(sha256sum <tests/tools/requirements.txt)

    [ -f "$venv/.done" ] && [ "$(cat "$venv/.done")" = "$wanted" ] && return
    echo "Installing Python packages into $venv"
    rm -rf "$venv"
    mkdir -p .cache
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/tools/requirements.txt
    echo "$wanted" >"$venv/.done"
}
