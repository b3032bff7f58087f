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

# slow_spec SECONDS: writes slow.json, a description whose checkpoint takes this machine longer than that.
slow_spec() {
    command -v timeout >/dev/null || skip "no timeout command here"
    blocks=16
    while [ $blocks -le 4096 ]; do
        printf '{"format": "fanin-spec", "version": 1, "dtype": "f64", "tensors": [{"repeat": {"i": [0, %d]},
 "tensors": [{"name": "block.{i}", "shape": [512, 512]}]}], "rules": [{"match": "**", "init": "orthogonal"}]}' \
            $blocks >slow.json
        if ! timeout "$1" fanin init slow.json -o probe.safetensors --seed 1 -q 2>/dev/null; then
            rm -f probe.safetensors*
            return
        fi
        rm -f probe.safetensors*
        blocks=$((blocks * 2))
    done
    skip "this machine is too fast"
}
