#!/bin/sh
# SPDX-License-Identifier: MIT
#
# cross.sh - builds everything for aarch64 and runs the tests that need no other program of that
# machine, under qemu. The libraries come from Debian's arm64 packages, unpacked under build/cross:
# nothing is installed for them and no architecture is added to the system.
set -eu
root=$(pwd)/build/cross
state=$root/apt
packages="check libsubunit0 libsubunit-dev libxxhash0 libxxhash-dev liblua5.4-0 liblua5.4-dev
    libreadline8 libtinfo6 libjansson4 libjansson-dev libyaml-0-2 libyaml-dev libedit2 libedit-dev
    libbsd0 libmd0"

apt_arm64() { # apt-get with lists and an architecture of its own
    apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User= \
        -o Dir::State="$state" -o Dir::State::status="$state/status" \
        -o Dir::Cache="$state/cache" "$@"
}

fetch_libraries() {
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/packages"
    : >"$state/status"
    apt_arm64 update
    # Word splitting is meant: one package a word.
    # shellcheck disable=SC2086
    (cd "$state/packages" && apt_arm64 download $packages)
    for package in "$state"/packages/*.deb; do
        dpkg -x "$package" "$root/system"
    done
    rm -rf "$state"
    touch "$root/complete"
}

[ -f "$root/complete" ] || {
    mkdir -p "$root"
    echo "dev: fetching the libraries for aarch64"
    fetch_libraries >"$root/fetch.log" 2>&1 || {
        tail -n 20 "$root/fetch.log"
        exit 1
    }
}
libraries=$root/system/usr/lib/aarch64-linux-gnu
PKG_CONFIG_LIBDIR=$libraries/pkgconfig
PKG_CONFIG_SYSROOT_DIR=$root/system
export PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR
cmake --preset cross -DCNS_WERROR=ON >"$root/configure.log" || {
    tail -n 30 "$root/configure.log"
    exit 1
}
cmake --build --preset cross >"$root/build.log" || {
    grep -A 12 -E 'FAILED|error' "$root/build.log" | head -n 60
    exit 1
}
ctest --preset cross -j "$(nproc)" ${1:+-R "$1"}
