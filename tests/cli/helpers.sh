# SPDX-License-Identifier: MIT
#
# What the cases share. A transcript shows the command, what it printed on both streams, and how it ended.

# try COMMAND...: runs it and adds it to the transcript. $FILES is shown as such.
try() {
    shown=
    for word in "$@"; do
        case $word in
        '' | *[!A-Za-z0-9_.,:/=+-]*) word="'$word'" ;;
        esac
        shown="$shown $word"
    done
    printf '$%s\n' "$shown" | sed "s,$FILES,\$FILES,g"
    tried=0
    "$@" >try.out 2>&1 || tried=$?
    sed "s,$FILES,\$FILES,g" try.out
    rm -f try.out
    [ "$tried" -eq 0 ] || echo "[exit $tried]"
}

skip() {
    echo "$*"
    exit 77
}
