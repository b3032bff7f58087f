#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What README.md shows is what happens: in each ```console block the lines after `$ ` are run in one folder and must
# print what stands below them, times aside; a block ```json NAME is that file; the first ```c block is compiled and run;
# each ```python block is run where what it imports is there, and prints what stands behind its print calls.

set -u
root=${FANIN_SOURCE_DIR:?}
readme=$root/README.md
PATH=$(dirname "${FANIN_COMMAND:?}"):$PATH
export PATH
failed=0
rm -rf work command.* expected.* found.* && mkdir work && cp -r "$root/examples" work/

# A file per command and one with what it should print.
awk '
    /^```console$/ { inside = 1; next }
    /^```$/ { inside = 0; file = ""; next }
    inside && /^\$ / { n++; print substr($0, 3) > ("command." n); printf "" > ("expected." n); next }
    inside { print > ("expected." n) }
    /^```json / { file = "work/" $2; next }
    file { print > file }
' "$readme"
without_times() { # file
    sed -E 's,[0-9.]+ s\, [0-9.]+ [kMG]?B/s,(time),' "$1"
}
n=1
while [ -f "command.$n" ]; do
    (cd work && sh "../command.$n") >"found.$n" 2>&1
    without_times "expected.$n" >"expected.$n.timeless"
    without_times "found.$n" >"found.$n.timeless"
    if ! diff -u "expected.$n.timeless" "found.$n.timeless"; then
        echo "README.md shows other output for: $(cat "command.$n")"
        failed=1
    fi
    n=$((n + 1))
done
[ "$n" -gt 1 ] || { echo "README.md has no console block with a command"; failed=1; }

awk '/^```c$/ && !done { inside = 1; next } /^```$/ { if (inside) done = 1; inside = 0 } inside' "$readme" >readme_example.c
[ -s readme_example.c ] || { echo "README.md has no C example"; exit 1; }
library=$(dirname "$FANIN_COMMAND")/../
if ! "${FANIN_CC:-cc}" -std=c17 -Wall -Wextra -Werror -I "$root/include" readme_example.c -o readme_example \
    -L "$library" -Wl,-rpath,"$library" -lfanin -lm || ! ./readme_example; then
    echo "the C example fails"
    failed=1
fi
python=${FANIN_PYTHON:-python3}
PYTHONPATH=$root/python
FANIN_LIBRARY=$library/libfanin.so
export PYTHONPATH FANIN_LIBRARY
rm -f example.*.py
awk '/^```python$/ { n++; inside = 1; next } /^```$/ { inside = 0 } inside { print > ("example." n ".py") }' "$readme"
[ -f example.1.py ] || { echo "README.md has no Python example"; failed=1; }
examples=0
for example in example.*.py; do
    if ! "$python" -c "$(grep '^import ' "$example")" 2>import.log; then
        echo "left out, $example: $(tail -n 1 import.log)"
        continue
    fi
    sed -n 's/^print(.*) *# //p' "$example" >"$example.expected"
    "$python" "$example" >"$example.found" 2>&1
    diff -u "$example.expected" "$example.found" || failed=1
    examples=$((examples + 1))
done
[ "$failed" -eq 0 ] && echo "$examples Python examples, $((n - 1)) commands and the C example do what README.md shows"
exit "$failed"
