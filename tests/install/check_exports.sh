#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the shared library shows and what it takes: only fanin_ functions out, every function that a public header
# declares defined, and from libm only what IEEE 754 defines exactly, so that no bit depends on the host's libm.
# `check_exports.sh libfanin.so [header...]`; without headers, all of them.

set -u
root=${FANIN_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
library=$1
shift
[ $# -gt 0 ] || set -- "$root"/include/fanin/*.h
failed=0

exported=$(nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $3); print $2, $3 }')
# T: function. gcov, when it counts, brings symbols of its own.
strange=$(printf '%s\n' "$exported" | grep -vE '^T fanin_[a-z0-9_]+$' | grep -vE ' (__gcov|mangle_path)')
if [ -n "$strange" ]; then
    echo "exported, but no function named fanin_...:"
    echo "$strange"
    failed=1
fi

# A declaration runs from FANIN_API to its parameter list, perhaps over lines.
declared=$(cat "$@" | tr '\n' ' ' | grep -oE 'FANIN_API [^(;{]*\(' | grep -oE 'fanin_[a-z0-9_]+ *\($' | tr -d ' (' | sort -u)
[ -n "$declared" ] || { echo "no declarations found"; exit 1; }
for name in $declared; do
    printf '%s\n' "$exported" | grep -q " $name\$" || {
        echo "$name is declared in a public header but not in the library"
        failed=1
    }
done

inexact=$(nm -D --undefined-only "$library" | awk '{ sub(/@.*/, "", $2); print $2 }' |
    grep -xE '(a?(sin|cos|tan)h?|sincos|exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|erf|erfc|l?tgamma|lgamma|cbrt|hypot|atan2)[fl]?')
if [ -n "$inexact" ]; then
    echo "taken from the host's libm, whose bits differ between hosts: $(echo "$inexact" | tr '\n' ' ')"
    failed=1
fi

[ "$failed" -eq 0 ] && echo "$(printf '%s\n' "$exported" | wc -l) functions exported, $(echo "$declared" | wc -l) declared"
exit "$failed"
