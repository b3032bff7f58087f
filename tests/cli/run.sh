#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs the cases of the command: run.sh [--update] FANIN [CASE...]. A case is a folder with `cmd`, a shell script, and
# what it should print: `stdout`, `stderr` (absent: nothing) and `exit` (absent: 0).
#
# cmd runs in an empty folder of its own with `fanin` in its PATH, $FILES naming the shared inputs and the functions
# of helpers.sh at hand; exit status 77 skips the case, and what it printed says why. In expected text `*` stands for
# any characters of a line and a line `...` for any lines. --update writes what was printed as what is expected, times
# and temporary names as `*`: read it before you commit it.

set -u
here=$(cd "$(dirname "$0")" && pwd)
update=0
if [ "${1:-}" = --update ]; then
    update=1
    shift
fi
if [ $# -eq 0 ] || [ ! -x "$1" ]; then
    echo "usage: run.sh [--update] FANIN [CASE...]" >&2
    exit 2
fi
fanin=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift

scratch=$(mktemp -d "${TMPDIR:-/tmp}/fanin-cli.XXXXXX") || exit 2
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
mkdir "$scratch/bin"
ln -s "$fanin" "$scratch/bin/fanin"
PATH=$scratch/bin:$PATH
FILES=$here/files
export PATH FILES
# Numbers and messages must not depend on these; cases that want them set them.
unset LC_ALL LC_NUMERIC LANG COLUMNS LINES

passed=0
failed=0
skipped=0

# same WHAT EXPECTED FOUND: compares, or updates; a file that is not there is empty.
same() {
    expected=$2
    [ -f "$expected" ] || expected=/dev/null
    if awk -f "$here/match.awk" "$expected" "$3" >"$scratch/report"; then
        return 0
    fi
    if [ "$update" -eq 1 ]; then
        if [ -s "$3" ]; then
            sed -E -e 's/, [0-9.:]+( s)?, [0-9.]+ [kMGT]?B\/s$/, */' -e 's/"seconds": [0-9.e-]+/"seconds": */' -e 's/different; [0-9.:]+( s)?$/different; */' \
                -e 's/\.partial-[0-9a-f]+/.partial-*/' -e 's/this machine has .*/this machine has */' "$3" >"$2"
        else
            rm -f "$2"
        fi
        echo "updated $2"
        return 0
    fi
    echo "FAILED $name: $1"
    sed 's/^/    /' "$scratch/report"
    return 1
}

[ $# -gt 0 ] || set -- "$here"/cases/*
for case in "$@"; do
    name=$(basename "$case")
    case=$here/cases/$name
    work=$scratch/$name
    mkdir "$work"
    (
        cd "$work" || exit 2
        sh -c ". '$here/helpers.sh'; . '$case/cmd'" "$name"
    ) >"$scratch/stdout" 2>"$scratch/stderr" </dev/null
    status=$?
    if [ "$status" -eq 77 ]; then
        skipped=$((skipped + 1))
        echo "skipped $name: $(cat "$scratch/stdout")"
        continue
    fi
    echo "$status" >"$scratch/exit"
    [ "$status" -eq 0 ] && : >"$scratch/exit"
    ok=1
    same "exit status $status" "$case/exit" "$scratch/exit" || ok=0
    same stdout "$case/stdout" "$scratch/stdout" || ok=0
    same stderr "$case/stderr" "$scratch/stderr" || ok=0
    if [ "$ok" -eq 1 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
[ "$skipped" -eq 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
