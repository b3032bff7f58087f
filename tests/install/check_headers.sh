#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every public header compiles alone, and twice, as C11, C17 and C2x and as C++17 and C++20, without a warning, with each
# compiler that is here.

set -u
root=${FANIN_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
failed=0
count=0
try() { # compiler language standard header
    count=$((count + 1))
    printf '#include "%s"\n#include "%s"\n' "$4" "$4" |
        "$1" -x "$2" -std="$3" -Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror -I "$root/include" -fsyntax-only - || {
        echo "$4 does not compile alone with $1 -std=$3"
        failed=1
    }
}
for header in "$root"/include/fanin/*.h; do
    name=fanin/$(basename "$header")
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        for standard in c11 c17 c2x; do
            try $compiler c $standard "$name"
        done
    done
    for compiler in g++ clang++; do
        command -v $compiler >/dev/null || continue
        for standard in c++17 c++20; do
            try $compiler c++ $standard "$name"
        done
    done
done
echo "$count compilations"
[ "$count" -gt 0 ] || failed=1
exit "$failed"
