#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A slow-down fails without a clock: callgrind counts the instructions of each fill's AVX2 path, and none may take more
# than its budget and 5 %. A change that takes more of them and less time raises the budget and says so. The lines
# printed are in the form of the budget files.
# usage: check_budget.sh PROGRAM COMPILER-VERSION

set -u
program=${1:?usage: check_budget.sh PROGRAM gcc-12}
compiler=${2:?usage: check_budget.sh PROGRAM gcc-12}
budget=${FANIN_SOURCE_DIR:?}/tests/bench/budget-$compiler.txt
skip() {
    echo "skipped: $1"
    exit 77
}
[ "$(uname -m)" = x86_64 ] || skip "the budgets are those of x86-64"
command -v valgrind >/dev/null || skip "there is no valgrind"

# The C library stores large constants in one of several ways by processor; this one is the same everywhere.
GLIBC_TUNABLES=glibc.cpu.x86_rep_stosb_threshold=1073741824:glibc.cpu.x86_non_temporal_threshold=1073741824
export GLIBC_TUNABLES
# One count for each call of measure(), in the order of the lines that the program prints.
FANIN_ISA=avx2 valgrind --tool=callgrind --callgrind-out-file=counts --combine-dumps=yes --zero-before=measure \
    --dump-after=measure "$program" >names 2>valgrind.log
status=$?
[ "$status" -ne 77 ] || { cat names && exit 77; }
[ "$status" -eq 0 ] || { cat names valgrind.log && exit 1; }
sed -n 's/^totals: //p' counts | head -n "$(grep -c . names)" >totals
if [ "$(grep -c . totals)" -ne "$(grep -c . names)" ]; then
    echo "callgrind did not count every fill: mend check_budget.sh"
    exit 1
fi

known=yes
[ -f "$budget" ] || { known=no && budget=/dev/null; }
paste -d ' ' names totals | awk -v known=$known '
FILENAME != "-" { if ($0 !~ /^#/ && NF == 2) wanted[$1] = $2; next }
{
    found = $3 / $2
    line = sprintf("%-28s %.3f", $1, found)
    seen[$1] = 1
    if (known == "no")
        print line
    else if (!($1 in wanted)) {
        print line "  is in no budget"
        failed = 1
    } else if (found > 1.05 * wanted[$1]) {
        print line "  OVER its budget of " wanted[$1] sprintf(" by %.1f %%", 100 * (found / wanted[$1] - 1))
        failed = 1
    } else if (found < 0.95 * wanted[$1])
        print line "  is far under its budget of " wanted[$1] ": tighten it"
    else
        print line
}
END {
    for (name in wanted)
        if (!(name in seen)) {
            print name " has a budget, and was not run"
            failed = 1
        }
    exit failed
}' "$budget" -
status=$?
[ $known = yes ] || skip "no budgets for $compiler; those above are what it takes"
exit $status
