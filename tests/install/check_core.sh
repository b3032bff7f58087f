#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The core alone: base, kernel, rng and init build without the rest, need libc and libm and nothing else, and have every
# function of the core's headers.

set -eu
root=${FANIN_SOURCE_DIR:?}
rm -rf core
cmake -S "$root" -B core -DFANIN_CORE_ONLY=ON -DBUILD_TESTING=OFF -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER="${FANIN_CC:-cc}" \
    >configure.log || { cat configure.log; exit 1; }
cmake --build core >build.log || { cat build.log; exit 1; }
library=core/libfanin.so

headers=
for name in status version dtype tensor hooks parallel generator init fill initializer layer; do
    headers="$headers $root/include/fanin/$name.h"
done
# shellcheck disable=SC2086 # a list of files
sh "$root/tests/install/check_exports.sh" $library $headers

needed=$(readelf -d $library | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p')
for name in $needed; do
    case $name in
    libc.so.* | libm.so.* | libpthread.so.* | ld-linux*) ;;
    *) echo "the core needs $name"; exit 1 ;;
    esac
done
echo "the core needs: $(echo "$needed" | tr '\n' ' ')"
