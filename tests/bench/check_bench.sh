#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The benchmark runs: quickly, every section, files too; its JSON is valid and has the rows that it should, and two runs
# join into one table. What it measures is not looked at. usage: check_bench.sh BENCH

set -u
bench=${1:?usage: check_bench.sh BENCH}
root=${FANIN_SOURCE_DIR:?}
mkdir -p files
"$bench" --quick --files files --root "$root" --date 2000-01-01 --json run.json >table || {
    echo "bench failed"
    exit 1
}
[ -z "$(ls files)" ] || { echo "files were left behind: $(ls files)"; exit 1; }

failed=0
expect() { # pattern, how many rows at least
    found=$(grep -cE "$1" run.json)
    if [ "$found" -lt "$2" ]; then
        echo "$found rows instead of $2 or more: $1"
        failed=1
    fi
}
for name in uniform normal 'trunc_normal std 0.02' trunc_normal constant zeros eye dirac sparse; do
    for dtype in f32 bf16 f16 f64; do
        expect "\"section\": \"cache\", \"name\": \"$name\", \"dtype\": \"$dtype\", \"variant\": \"scalar\"" 1
        expect "\"section\": \"memory\", \"name\": \"$name\", \"dtype\": \"$dtype\", \"variant\"" 1
    done
done
expect '"name": "randperm"' 2
expect '"name": "store"' 4
expect '"section": "square", "name": "orthogonal"' 2
expect '"section": "cold"' 6
expect '"name": "skip 2' 4
expect '"section": "model", "name": "nn.Transformer"' 1
expect '"section": "check", "name": "check"' 2
expect '"section": "check", "name": "statistics"' 2
for name in checkpoint 'checkpoint, no fsync' 'checkpoint, no digest' 'checkpoint, no digest, no fsync'; do
    expect "\"section\": \"file\", \"name\": \"$name\"" 1
done
expect '"section": "file", "name": "write"' 4
expect '"seconds": \[[0-9]' "$(grep -c '"section"' run.json)"

if "$bench" --only nonsense >/dev/null 2>&1 || "$bench" --memory 0 >/dev/null 2>&1; then
    echo "bench accepts nonsense"
    failed=1
fi

if command -v "${FANIN_PYTHON:-python3}" >/dev/null; then
    python=${FANIN_PYTHON:-python3}
    "$python" -m json.tool run.json >/dev/null || { echo "run.json is no JSON"; exit 1; }
    "$python" "$root/bench/compare.py" --json joined.json run.json run.json >joined || { cat joined; exit 1; }
    if grep -q avx2 run.json && ! grep -q 'normal bf16 in memory' joined; then
        echo "no goals in the joined table"
        failed=1
    fi
    "$python" "$root/bench/plot.py" joined.json -o plot.svg || failed=1
    "$python" -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' plot.svg || failed=1
fi
if command -v "${FANIN_PYTHON:-python3}" >/dev/null; then
    status=0
    FANIN_LIBRARY=$(dirname "$bench")/../libfanin.so "$python" "$root/bench/python_side.py" --quick --json python.json \
        >constructors 2>constructors.log || status=$?
    case $status in
    0) grep -q 'materialize, fresh pages' constructors && "$python" -m json.tool python.json >/dev/null || failed=1 ;;
    77) tail -n 1 constructors.log ;;
    *) cat constructors.log && failed=1 ;;
    esac
fi
[ "$failed" -eq 0 ] && echo "$(grep -c '"section"' run.json) rows"
exit "$failed"
