#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs the benchmark with torch beside it: for each section fanin, torch, fanin again, so that both see the same
# minutes, then joins them.
# usage: run_bench.sh BENCH [--out PREFIX|FOLDER/] [--files FOLDER] [--only SECTION,...] [options of BENCH]

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
bench=${1:?usage: run_bench.sh BENCH [options]}
shift
python=${FANIN_PYTHON:-python3}
sections=cache,memory,square,cold,threads,jump,model,check,file,python
out=
files=
options=
while [ $# -gt 0 ]; do
    case $1 in
    --out) out=${2:?} && shift ;;
    --files) files=${2:?} && shift ;;
    --only) sections=${2:?} && shift ;;
    --isa | --threads | --memory | --file-mb) options="$options $1 ${2:?}" && shift ;;
    --quick) options="$options $1" ;;
    *)
        echo "run_bench.sh: $1 is none of --out --files --only --isa --threads --memory --file-mb --quick" >&2
        exit 2
        ;;
    esac
    shift
done
date=$(date -u +%Y-%m-%d)
processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
slug=$(printf '%s' "${processor:-unknown}" | tr '[:upper:]' '[:lower:]' | tr -cs '[:alnum:]' '-' |
    sed 's/^-*//;s/-*$//')
case $out in
'' | */) out=$out$slug-$date ;;
esac
mkdir -p "$(dirname "$out")"
work=$out.parts
rm -rf "$work"
mkdir "$work"

# Constructors are no rows of the program: python_side.py has the whole section to itself.
case ,$sections, in
*,python,*) constructors=yes && sections=$(printf '%s' ",$sections," | sed 's/,python,/,/;s/^,//;s/,$//') ;;
*) constructors=no ;;
esac
run_constructors() {
    [ $constructors = yes ] && command -v "$python" >/dev/null || return 0
    echo "== python: constructors with and without fanin" >&2
    quick=
    case " $options " in *" --quick "*) quick=--quick ;; esac
    FANIN_LIBRARY=$(dirname "$bench")/../libfanin.so "$python" "$root/bench/python_side.py" $quick \
        --json "$out-python.json" >"$out-python.txt" && cat "$out-python.txt" || [ $? -eq 77 ]
}
if [ -z "$sections" ]; then
    run_constructors
    rm -rf "$work"
    exit
fi

if ! command -v "$python" >/dev/null; then
    # Without an interpreter there is nothing to compare with; the program alone says what it measures.
    # shellcheck disable=SC2086 # a list of words
    "$bench" $options --only "$sections" ${files:+--files "$files"} --root "$root" --date "$date" --json "$out.json"
    exit
fi

with_torch=yes
for section in $(echo "$sections" | tr , ' '); do
    [ "$section" != file ] || [ -n "$files" ] || continue
    one() { # what
        # shellcheck disable=SC2086 # a list of words
        "$bench" $options --only "$section" ${files:+--files "$files"} --root "$root" --date "$date" \
            --json "$work/$section-$1.json"
    }
    echo "== $section: fanin" >&2
    one first >&2
    [ $with_torch = yes ] || continue
    echo "== $section: torch" >&2
    status=0
    "$python" "$root/bench/torch_side.py" --like "$work/$section-first.json" --json "$work/$section-torch.json" \
        --root "$root" ${files:+--files "$files"} >&2 || status=$?
    case $status in
    0) ;;
    76) rm -f "$work/$section-torch.json" ;; # nothing of this section is torch's
    77) with_torch=no && continue ;;
    *) exit 1 ;;
    esac
    echo "== $section: fanin" >&2
    one second >&2
done
"$python" "$root/bench/compare.py" --json "$out.json" "$work"/*.json >"$out.txt"
cat "$out.txt"
rm -rf "$work"
run_constructors
echo "$out.json $out.txt" >&2
