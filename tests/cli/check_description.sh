#!/bin/sh
# SPDX-License-Identifier: MIT
#
# One description of examples/ as a user would try it: print its plan, make its checkpoint, prove it.

set -eu
"${FANIN_COMMAND:?}" plan "$1"
"$FANIN_COMMAND" init "$1" --seed 42 -o out --force
"$FANIN_COMMAND" verify out
"$FANIN_COMMAND" verify out "$1" --seed 42 || { echo "the checkpoint differs from its own description"; exit 1; }
