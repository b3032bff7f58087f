#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Notices a lost -ffp-contract=off, on which half of all uniform values depend: in the command of every object, and by
# its effect on a product and a sum compiled with the flags of the files that may use FMA instructions.

set -u
commands=${FANIN_BUILD_DIR:?}/compile_commands.json
[ -f "$commands" ] || { echo "$commands is missing"; exit 1; }
failed=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

count=0
while IFS= read -r line; do
    count=$((count + 1))
    case " $line " in
    *-ffast-math* | *-Ofast* | *-funsafe-math* | *-fassociative-math* | *-ffinite-math* | *-freciprocal-math*)
        echo "a flag that changes results: $line"
        failed=1
        ;;
    esac
    last=$(printf '%s\n' "$line" | grep -oE -- '-ffp-contract=[a-z]+' | tail -n 1)
    if [ "$last" != "-ffp-contract=off" ]; then
        echo "compiled without -ffp-contract=off: $line"
        failed=1
    fi
done <<END
$(grep '"command":' "$commands")
END
[ "$count" -gt 0 ] || { echo "no commands in $commands"; exit 1; }

# The probe: three ways in which a compiler finds something to fuse. Assembly is enough; nothing is run, so a processor
# without FMA can tell as well.
case $(uname -m) in
x86_64)
    fma_flags="-mavx2 -mfma"
    pattern='vf?n?m(add|sub)[0-9]*[sp][sd]|vfm'
    cat >"$folder/probe.c" <<'END'
#include <immintrin.h>
double scalar(double a, double b, double c);
__m256 vector(__m256 a, __m256 b, __m256 c);
void loop(float *d, const float *a, const float *b, int n);
double scalar(double a, double b, double c) { return a * b + c; }
__m256 vector(__m256 a, __m256 b, __m256 c) { return _mm256_add_ps(_mm256_mul_ps(a, b), c); }
void loop(float *d, const float *a, const float *b, int n) { for (int i = 0; i < n; i++) d[i] += a[i] * b[i]; }
END
    ;;
aarch64)
    fma_flags=
    pattern='fn?m(add|sub|la|ls)'
    cat >"$folder/probe.c" <<'END'
double scalar(double a, double b, double c);
void loop(float *d, const float *a, const float *b, int n);
double scalar(double a, double b, double c) { return a * b + c; }
void loop(float *d, const float *a, const float *b, int n) { for (int i = 0; i < n; i++) d[i] += a[i] * b[i]; }
END
    ;;
*)
    echo "$count commands; no probe for $(uname -m)"
    exit "$failed"
    ;;
esac
cc=${FANIN_CC:-cc}
# The flags as the build has them, of the file with the most to lose.
line=$(grep '"command":' "$commands" | grep -E 'src/kernel/[a-z0-9_]+\.c' | head -n 1)
flags=$(printf '%s\n' "$line" | grep -oE -- '-(f[a-z][^ "]*|O[0-9sgz]?|std=[^ "]*|march=[^ "]*)' | grep -v -- '-fsanitize\|-fno-sanitize' | tr '\n' ' ')
fused() { # flags...: does the compiler fuse?
    # shellcheck disable=SC2086
    $cc "$@" -S -o "$folder/probe.s" "$folder/probe.c" || { echo "the probe does not compile"; exit 1; }
    grep -qE "$pattern" "$folder/probe.s"
}
# shellcheck disable=SC2086
if fused $flags $fma_flags; then
    echo "the build's own flags fuse a product and a sum: $flags $fma_flags"
    failed=1
fi
# A probe that never fuses would prove nothing.
# shellcheck disable=SC2086
if ! fused -O2 $fma_flags -ffp-contract=fast; then
    echo "the probe does not fuse even when told to: mend the probe"
    failed=1
fi
[ "$failed" -eq 0 ] && echo "$count commands; the probe is not fused with: $flags $fma_flags"
exit "$failed"
