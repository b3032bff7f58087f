#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs into a folder, moves it, and uses it as a stranger would: find_package, pkg-config, the static library, the
# command. The programs are those of examples/.

set -eu
root=${FANIN_SOURCE_DIR:?}
rm -rf stage prefix consumer-cmake
cmake --install "${FANIN_BUILD_DIR:?}" --prefix "$PWD/stage" >install.log || { cat install.log; exit 1; }
mv stage prefix # nothing installed may remember where it was
prefix=$PWD/prefix
libdir=$(dirname "$(find "$prefix" -name 'libfanin.a')")
examples=$(find "$root/examples" -maxdepth 1 -name '*.c' | sort)

echo "-- find_package"
cmake -S "$root/tests/install/consumer" -B consumer-cmake -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="${FANIN_CC:-cc}" \
    -DFANIN_EXAMPLES="$root/examples" >configure.log || { cat configure.log; exit 1; }
cmake --build consumer-cmake >build.log || { cat build.log; exit 1; }
ctest --test-dir consumer-cmake --output-on-failure >ctest.log || { cat ctest.log; exit 1; }
tail -n 3 ctest.log

if command -v pkg-config >/dev/null; then
    echo "-- pkg-config"
    export PKG_CONFIG_PATH="$libdir/pkgconfig"
    pkg-config --exists fanin || { echo "pkg-config does not find fanin"; exit 1; }
    header_version=$(sed -n 's/#define FANIN_VERSION_STRING "\(.*\)"/\1/p' "$root/include/fanin/version.h")
    [ "$(pkg-config --modversion fanin)" = "$header_version" ] || { echo "fanin.pc has another version than version.h"; exit 1; }
    for example in $examples "$root/tests/install/consumer/consumer.c"; do
        name=$(basename "$example" .c)
        # shellcheck disable=SC2046 # flags are words
        "${FANIN_CC:-cc}" -std=c17 -o "shared_$name" "$example" $(pkg-config --cflags --libs fanin) -lm
        LD_LIBRARY_PATH=$libdir "./shared_$name" >"shared_$name.log" || { cat "shared_$name.log"; echo "$name failed"; exit 1; }
        # shellcheck disable=SC2046
        "${FANIN_CC:-cc}" -std=c17 -o "static_$name" "$example" $(pkg-config --cflags fanin) "$libdir/libfanin.a" -lm -pthread
        "./static_$name" >"static_$name.log" || { cat "static_$name.log"; echo "$name, static, failed"; exit 1; }
        echo "$name: shared and static"
    done
fi

if [ -x "$prefix/bin/fanin" ]; then
    echo "-- the command"
    "$prefix/bin/fanin" version
fi
