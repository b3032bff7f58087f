#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `pip install .` from a clean copy of the tree into a fresh virtual environment, and the same from the sdist: what is
# installed, what the library links, that it works from anywhere. Skips where there is no venv or no package index.

set -u
root=${FANIN_SOURCE_DIR:?}
python=${FANIN_PYTHON:-python3}
skip() {
    echo "skipped: $1"
    exit 77
}
die() {
    echo "$1"
    exit 1
}
command -v "$python" >/dev/null || skip "there is no $python"
rm -rf tree fresh sdist target ./*.log
"$python" -m venv fresh >venv.log 2>&1 || skip "$python cannot make virtual environments (Debian: python3-venv)"
pip="$PWD/fresh/bin/python -m pip --disable-pip-version-check"
$pip install -q --timeout 15 --retries 0 scikit-build-core build >index.log 2>&1 ||
    skip "pip cannot install scikit-build-core: $(tail -n 1 index.log)"
unset FANIN_LIBRARY PYTHONPATH

# A clean copy, as a stranger has it after git clone.
mkdir tree
if git -C "$root" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    (cd "$root" && git ls-files -z --cached --others --exclude-standard | xargs -0 tar cf -) 2>/dev/null | tar xf - -C tree
else
    (cd "$root" && tar cf - --exclude=./build .) | tar xf - -C tree
fi

echo "-- pip install ."
(cd tree && $pip install . >../install.log 2>&1) || { tail -n 40 install.log; die "pip install . failed"; }
program='
import array, fanin
w = array.array("f", bytes(4 * 512 * 256))
fanin.init.kaiming_uniform_(memoryview(w).cast("B").cast("f", (512, 256)), 5**0.5, generator=fanin.Generator(42))
assert abs(w[0] - 0.047783658) < 1e-9, w[0]
print(fanin.__version__, fanin._lib.lib.path)
'
found=$(cd / && "$OLDPWD/fresh/bin/python" -c "$program") || die "the installed package does not work"
echo "$found"
version=$(sed -n 's/#define FANIN_VERSION_STRING "\(.*\)"/\1/p' "$root/include/fanin/version.h")
case $found in
"$version $PWD/fresh/"*) ;;
*) die "another version, or the library of another place: $found" ;;
esac
[ "$($pip show fanin | sed -n 's/^Version: //p')" = "$version" ] || die "pip knows another version"
[ -z "$($pip show fanin | sed -n 's/^Requires: *//p')" ] || die "the package requires others"

echo "-- what it holds"
$pip show -f fanin | sed '1,/^Files:/d;s/^ *//' >files.log
grep -v '^fanin/\|^fanin-' files.log && die "files outside of the package"
for file in fanin/libfanin.so fanin/py.typed fanin/torch/init.py fanin/_lib.py; do
    grep -qx "$file" files.log || die "$file is not installed"
done
binaries=$(find fresh/lib/*/site-packages/fanin \( -name '*.so*' -o -name '*.a' \) | wc -l)
[ "$binaries" -eq 1 ] || die "$binaries binaries instead of one"
if command -v readelf >/dev/null; then
    needed=$(readelf -d fresh/lib/*/site-packages/fanin/libfanin.so | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    for library in $needed; do
        case $library in
        libc.so.* | libm.so.* | libpthread.so.* | ld-linux* | libc.musl*) ;;
        *) die "the library links $library" ;;
        esac
    done
fi
if ! fresh/bin/python -c 'import torch' 2>/dev/null; then
    fresh/bin/python -c 'import fanin.torch' 2>&1 | grep -q "No module named 'torch'" || die "fanin.torch does not say that torch is missing"
fi

echo "-- sdist"
(cd tree && ../fresh/bin/python -m build --sdist --no-isolation --outdir ../sdist . >../sdist.log 2>&1) || { tail -n 40 sdist.log; die "the sdist cannot be made"; }
# Without optimization: that takes a quarter of the time, and every object is compiled.
$pip install --no-build-isolation --no-deps -C cmake.build-type=Debug --target target "sdist/fanin-$version.tar.gz" >target.log 2>&1 ||
    { tail -n 40 target.log; die "the sdist does not build"; }
(cd / && PYTHONPATH="$OLDPWD/target" "$OLDPWD/fresh/bin/python" -c "$program" >/dev/null) || die "what the sdist builds does not work"
echo "pip install . and the sdist: fanin $version works"
