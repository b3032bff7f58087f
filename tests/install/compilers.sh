#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The same plan gives the same bytes: gcc and clang, -O0, -O3 and -march=native, every machine variant, with the host
# libm's FMA masked, in one file and in shards. What is compared is the content digest.

set -eu
root=${FANIN_SOURCE_DIR:?}
model=$root/tests/install/matrix.json
digest_of() { # profile command...: the digest that init prints
    profile=$1
    shift
    rm -rf out
    "$@" init "$model" --seed 42 --profile "$profile" -o out --json >out.json 2>out.log || {
        cat out.json out.log >&2
        echo "init failed: $* --profile $profile" >&2
        exit 1
    }
    digest=$(sed -nE 's/.*"digest": ?"([0-9a-f]{64})".*/\1/p' out.json | head -n 1)
    [ -n "$digest" ] || { cat out.json >&2; echo "no digest was printed by: $*" >&2; exit 1; }
    echo "$digest"
}

# What each profile gives here, to be found again everywhere: a line each of profile and digest.
: >expected
for profile in torch-2.13 torch-2.12 torch-2.1 torch-2.0 torch-1.13 torch-2.13:unfused torch-1.13:unfused; do
    digest=$(digest_of $profile "${FANIN_COMMAND:?}")
    echo "$profile $digest" >>expected
done
cat expected
[ "$(cut -d' ' -f2 expected | sort -u | wc -l)" -eq 7 ] || { echo "two profiles give the same bytes: the model is too tame"; exit 1; }
cells=0
check() { # what command...
    what=$1
    shift
    while read -r profile digest; do
        found=$(digest_of "$profile" "$@")
        cells=$((cells + 1))
        if [ "$found" != "$digest" ]; then
            echo "$found  $what, $profile: other bytes"
            exit 1
        fi
    done <expected
}
isas=$("$FANIN_COMMAND" version --json | tr ',{}[]' '\n' | sed -nE 's/.*"name": ?"(scalar|avx2|avx512|neon)".*/\1/p')
[ -n "$isas" ] || { echo "fanin version --json lists no machine variants"; exit 1; }
run_all() { # what binary
    for isa in $isas; do
        if FANIN_ISA=$isa "$2" version >/dev/null 2>&1; then
            check "$1, $isa" env FANIN_ISA="$isa" "$2"
        else
            echo "$1: this processor does not run $isa"
        fi
    done
    # glibc chooses fma and its friends by processor; masked, they are done in integers.
    check "$1, FMA masked" env GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F,-AVX2_Usable,-FMA_Usable FANIN_ISA=scalar "$2"
}

run_all "build under test" "$FANIN_COMMAND"

# Shards, and each tensor a file of its own.
for size in 100KB 1KB; do
    rm -rf shards
    "$FANIN_COMMAND" init "$model" --seed 42 -o shards --max-shard-size $size --json >out.json || { cat out.json; exit 1; }
    grep -q "$(sed -n 's/^torch-2.13 //p' expected)" out.json || { echo "shards of $size: other bytes"; cat out.json; exit 1; }
    "$FANIN_COMMAND" verify shards >verify.log || { cat verify.log; echo "shards of $size do not verify"; exit 1; }
    echo "shards of $size: $(find shards -name '*.safetensors' | wc -l) files"
    cells=$((cells + 1))
done

# With the build under test, usually gcc -O3, each compiler at both ends.
for compiler in gcc clang; do
    case $compiler in
    gcc) levels="-O0,-O3 -march=native" ;;
    clang) levels="-O0,-O3" ;;
    esac
    if ! command -v $compiler >/dev/null; then
        echo "$compiler is not here"
        continue
    fi
    for flags in "${levels%,*}" "${levels#*,}"; do
        folder=build-$(echo "$compiler$flags" | tr -dc 'a-zA-Z0-9')
        cmake -S "$root" -B "$folder" -DCMAKE_C_COMPILER=$compiler -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS="$flags" \
            -DBUILD_TESTING=OFF >configure.log 2>&1 || { cat configure.log; exit 1; }
        cmake --build "$folder" --target fanin_command >build.log 2>&1 || { cat build.log; exit 1; }
        run_all "$compiler $flags" "$PWD/$folder/bin/fanin"
        echo "$compiler $flags: the same"
    done
done
echo "$cells cells: one digest for each profile"
