#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The law of dependency: which area may include which. Walks every #include of src/, include/, cli/ and examples/ and
# names each line that points the wrong way.

set -u
cd "${FANIN_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1

# Public headers count as the area whose work they declare; the plain values below belong to everybody.
area_of_public_header() {
    case $1 in
    status | version | dtype | tensor | hooks | generator | parallel) echo base ;;
    init | fill | initializer | layer) echo init ;;
    model) echo model ;;
    checkpoint) echo format ;;
    plan) echo plan ;;
    run) echo run ;;
    statistics | check | which | same) echo diagnose ;;
    fanin) echo everything ;;
    *) echo unknown ;;
    esac
}

# What an area may include besides itself.
allowed_for() {
    case $1 in
    base) echo "" ;;
    kernel) echo "base" ;;
    rng) echo "base kernel" ;;
    init) echo "base kernel rng" ;;
    format) echo "base" ;;
    sink) echo "base format" ;;
    model) echo "base init format recipe" ;;
    recipe) echo "base init model" ;;
    plan) echo "base kernel rng init model recipe" ;;
    run) echo "base kernel rng init format sink plan" ;;
    diagnose) echo "base kernel rng init format sink model recipe plan run" ;;
    report) echo "base diagnose format model plan run" ;;
    *) echo "nothing: this area has no rule; add it to check_includes.sh and docs/design.md" ;;
    esac
}

failed=0
complain() {
    echo "$1"
    failed=1
}

# file:line:"what" or <what>
includes_of() {
    grep -nE '^[[:space:]]*#[[:space:]]*include' "$1" |
        sed -nE 's/^([0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*(["<][^">]*[">]).*/\1 \2/p'
}

count=0
for folder in src/*/; do
    area=$(basename "$folder")
    allowed=" $area $(allowed_for "$area") "
    for file in $(find "$folder" -name '*.[ch]' | sort); do
        while read -r line what; do
            [ -n "$line" ] || continue
            count=$((count + 1))
            header=${what#[\"<]}
            header=${header%[\">]}
            case $what in
            \<fanin/*) complain "$file:$line: own headers are included with quotes: $what" ; continue ;;
            \<*) continue ;;
            esac
            case $header in
            fanin/*) target=$(area_of_public_header "$(basename "$header" .h)") ;;
            */*) target=${header%%/*} ;;
            *) complain "$file:$line: write the area before the file: \"$area/$header\"" ; continue ;;
            esac
            case $allowed in
            *" $target "*) ;;
            *) complain "$file:$line: $area must not depend on $target ($what)" ;;
            esac
            # What a model or a recipe is made of stays its own: others see one header of it.
            case $area:$header in
            plan:model/model_data.h | plan:recipe/recipe.h | model:recipe/recipe.h | recipe:model/model_data.h) ;;
            model:model/* | recipe:recipe/*) ;;
            *:model/* | *:recipe/*) complain "$file:$line: only model/model_data.h and recipe/recipe.h are for others ($what)" ;;
            esac
        done <<END
$(includes_of "$file")
END
    done
done

# Public headers keep to the same order among themselves; fanin.h is there to include them all.
for file in include/fanin/*.h; do
    [ "$(basename "$file")" != fanin.h ] || continue
    area=$(area_of_public_header "$(basename "$file" .h)")
    allowed=" $area $(allowed_for "$area") "
    while read -r line what; do
        case $what in
        \"fanin/*) ;;
        *) continue ;;
        esac
        target=$(area_of_public_header "$(basename "${what%\"}" .h)")
        case $allowed in
        *" $target "*) ;;
        *) complain "$file:$line: a header of $area must not include one of $target ($what)" ;;
        esac
    done <<END
$(includes_of "$file")
END
done

# Clients: the public interface, their own folder, the system.
for file in $(find include cli examples -name '*.[ch]' | sort); do
    while read -r line what; do
        [ -n "$line" ] || continue
        count=$((count + 1))
        header=${what#[\"<]}
        header=${header%[\">]}
        case $file:$header in
        *:fanin/*) [ -f "include/$header" ] || complain "$file:$line: there is no public header $header" ;;
        cli/*) case $what in
            \"*) [ -f "cli/$header" ] || complain "$file:$line: cli may include only fanin/ and its own headers ($what)" ;;
            esac ;;
        *) case $what in
            \"*) complain "$file:$line: only fanin/ and system headers may be included here ($what)" ;;
            esac ;;
        esac
    done <<END
$(includes_of "$file")
END
done

[ "$count" -gt 0 ] || complain "no #include was found at all: is this the source tree?"
[ "$failed" -eq 0 ] && echo "$count includes, all in the right direction"
exit "$failed"
