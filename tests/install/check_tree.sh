#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Rules about files as such: every source begins with its licence, file names are unique in the tree (so that a name in
# a message or a stack trace is enough), no line ends in blanks, links between documents lead somewhere.

set -u
cd "${FANIN_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1

if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    files=$(git ls-files --cached --others --exclude-standard)
else
    files=$(find . -type f -not -path './build/*' | sed 's,^\./,,')
fi
failed=0
complain() {
    echo "$1"
    failed=1
}

for file in $files; do
    [ -f "$file" ] || continue
    case $file in
    *.c | *.h | *.cmake | *.in | *.sh | *.py | CMakeLists.txt | */CMakeLists.txt | Makefile | .ci/run | .clang-tidy)
        head -n 2 "$file" | grep -q 'SPDX-License-Identifier: MIT' ||
            complain "$file: the first line (the second after #!) must be the SPDX line"
        if grep -nE '[[:blank:]]+$' "$file" | sed "s,^,$file:,;s,\$, <- blanks at the end," | grep .; then
            failed=1
        fi
        ;;
    esac
done

# Names that their tools fix may repeat, and fanin.torch.init is named after torch.nn.init; so may inputs of tests, which are named in folders that say what they are.
twins=$(printf '%s\n' "$files" | grep -E '\.(c|h|sh|py|md|cmake|in)$' | grep -vE '(^|/)(README\.md|__init__\.py)$|^python/fanin/torch/init\.py$' |
    while read -r file; do [ -f "$file" ] && basename "$file"; done | sort | uniq -d)
for name in $twins; do
    complain "$name: the name is taken more than once: $(printf '%s\n' "$files" | grep "/$name\$" | tr '\n' ' ')"
done

for file in $(printf '%s\n' "$files" | grep '\.md$'); do
    [ -f "$file" ] || continue
    for link in $(grep -oE '\]\([^)# ]+' "$file" | sed 's/^](//' | grep -vE '^[a-z]+:'); do
        [ -e "$(dirname "$file")/$link" ] || complain "$file: a link to $link, which is not there"
    done
done

[ "$failed" -eq 0 ] && echo "$(printf '%s\n' "$files" | wc -l) files checked"
exit "$failed"
