#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What tools/setup.sh does on a machine where something is missing: as a plain user it prints the exact line to run and
# stops; as root it installs; without a network it says so; on another system it names what is needed.

# shellcheck disable=SC2016 # the bodies of the stubs are expanded when they run
set -u
setup=${FANIN_SOURCE_DIR:?}/tools/setup.sh
failed=0

# A machine with a compiler, make and a shell, and nothing else: only what is linked or written here is found.
machine() {
    rm -rf machine && mkdir machine
    for tool in sh sed env; do
        ln -s "$(command -v $tool)" machine/$tool
    done
    ln -s "$(command -v "${FANIN_CC:-cc}")" machine/cc
    ln -s "$(command -v as)" machine/as
}
command_that() { # name, body
    printf '#!/bin/sh\n%s\n' "$2" >"machine/$1"
    chmod +x "machine/$1"
}
expect() { # what, status, text in the output
    (env -i PATH="$PWD/machine" HOME="$PWD" "$PWD/machine/sh" "$setup" build </dev/null) >output 2>&1
    status=$?
    echo "exit $status" >>output
    if [ "$status" -ne "$2" ] || ! grep -qF -- "$3" output; then
        echo "$1: exit $status instead of $2, or the output lacks: $3"
        cat output
        failed=1
    fi
}

machine
command_that id 'echo 1000'
command_that apt-get 'echo "apt-get was called" >&2; exit 99'
expect "a plain user" 1 "sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends cmake'"
if grep -q "was called" output; then
    echo "a plain user: apt-get was called"
    failed=1
fi

command_that sudo '[ "$1" = -n ] && shift; [ "$1" = true ] && exit 1; echo "sudo was called" >&2; exit 99'
expect "a user whose sudo asks" 1 "sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends cmake'"

command_that sudo '[ "$1" = -n ] && shift; exec "$@"'
command_that true 'exit 0'
command_that apt-get '[ "$1" = update ] || echo "installing: $*"'
expect "a user whose sudo does not ask" 0 "installing: install -y --no-install-recommends cmake"

machine
command_that id 'echo 0'
command_that apt-get '[ "$1" = update ] || echo "installing: $*"'
expect "root" 0 "installing: install -y --no-install-recommends cmake"

command_that apt-get 'exit 100'
expect "root without a network" 1 "could not install cmake"

machine
command_that id 'echo 0'
expect "a system without apt-get" 1 "Install them with this system's package manager"

machine
command_that cmake 'echo "cmake version 3.18.4"'
expect "an old cmake" 1 "not found here: cmake"
command_that cmake 'echo "cmake version 4.0.1"'
expect "a new cmake" 0 "exit 0"

[ "$failed" -eq 0 ] && echo "setup does the right thing on 8 machines"
exit "$failed"
