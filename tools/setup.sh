#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Makes sure that what a make target needs is there: `setup.sh build|test|lint`. On Debian and its relatives, as root or
# with a sudo that asks nothing, it installs what is missing; anywhere else it prints the line to run and stops.

set -u

have() { command -v "$1" >/dev/null 2>&1; }
have_header() { printf '%s\n' "$1" | ${CC:-cc} -E -x c - >/dev/null 2>&1; }
have_cmake() {
    have cmake || return 1
    version=$(cmake --version | sed -n '1s/[^0-9]*\([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    # shellcheck disable=SC2086 # two numbers
    set -- $version
    [ "${1:-0}" -gt 3 ] || { [ "${1:-0}" -eq 3 ] && [ "${2:-0}" -ge 25 ]; }
}

missing=
need() { missing="$missing $1"; }

have "${CC:-cc}" || need gcc
have_header '#include <stdio.h>' || need libc6-dev
have_cmake || need cmake
case ${1:-build} in
build) ;;
test)
    have pkg-config || need pkg-config
    have valgrind || need valgrind # counts instructions for the budgets
    have_header '#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>' || need libcmocka-dev
    have "${CXX:-c++}" || need g++ # each public header is compiled as C++ too
    ;;
lint)
    have clang-format || need clang-format
    have clang-tidy || need clang-tidy
    ;;
*)
    echo "usage: setup.sh build|test|lint" >&2
    exit 2
    ;;
esac
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
if ! have apt-get; then
    echo "fanin: needed, and not found here:$missing (names of Debian's packages; cmake 3.25 or newer)." >&2
    echo "Install them with this system's package manager, then run make again." >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    sudo=
elif have sudo && sudo -n true 2>/dev/null; then
    sudo="sudo -n"
else
    echo "fanin: needed, and not found here:$missing. Run this line, then make again:" >&2
    echo >&2
    echo "    sudo sh -c 'apt-get update && $install'" >&2
    echo >&2
    exit 1
fi

echo "fanin: installing$missing"
# What is already in the lists may do when the network, or one of several sources, is away.
$sudo env DEBIAN_FRONTEND=noninteractive apt-get update -q </dev/null ||
    echo "fanin: the package lists could not be refreshed; trying with those at hand" >&2
# shellcheck disable=SC2086 # a list of words
if ! $sudo env DEBIAN_FRONTEND=noninteractive $install -q </dev/null; then
    echo "fanin: could not install$missing. With a network, or from a local mirror, run:" >&2
    echo >&2
    echo "    apt-get update && $install" >&2
    echo >&2
    exit 1
fi
