#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs a test script with the interpreter the build was given; no interpreter is a reason to skip, as CTest understands 77.

set -u
if ! command -v "${FANIN_PYTHON:-python3}" >/dev/null; then
    echo "skipped: there is no ${FANIN_PYTHON:-python3}"
    exit 77
fi
exec "${FANIN_PYTHON:-python3}" "$@"
