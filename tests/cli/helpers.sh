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

write_slow_spec() {
    printf '{"format": "fanin-spec", "version": 1, "dtype": "f64", "tensors": [{"repeat": {"i": [0, %d]},
 "tensors": [{"name": "block.{i}", "shape": [512, 512]}]}], "rules": [{"match": "**", "init": "orthogonal"}]}' \
        "$1" >slow.json
}

# slow_spec SECONDS: writes slow.json, a description whose checkpoint takes this machine longer than that: twice what
# once did, which may have run beside other tests.
slow_spec() {
    command -v timeout >/dev/null || skip "no timeout command here"
    blocks=16
    while [ $blocks -le 4096 ]; do
        write_slow_spec $blocks
        blocks=$((blocks * 2))
        if ! timeout "$1" fanin init slow.json -o probe.safetensors --seed 1 -q 2>/dev/null; then
            rm -f probe.safetensors*
            write_slow_spec $blocks
            return
        fi
        rm -f probe.safetensors*
    done
    skip "this machine is too fast"
}

# poke FILE TENSOR INDEX BYTES: writes bytes (as printf escapes) over element INDEX of a float32 tensor.
poke() {
    header=$(od -An -tu8 -N8 "$1" | tr -d ' ')
    begin=$(head -c $((8 + header)) "$1" | tail -c "$header" |
        sed -n "s/.*\"$2\":{\"dtype\":\"F32\",\"shape\":\[[0-9,]*\],\"data_offsets\":\[\([0-9]*\),.*/\1/p")
    # shellcheck disable=SC2059
    printf "$4" | dd of="$1" bs=1 seek=$((8 + header + begin + 4 * $3)) conv=notrunc 2>/dev/null
}

# Bytes for poke.
nan='\000\000\300\177'
