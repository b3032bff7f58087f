#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the Python package believes about the C library - prototypes, structs, enum values - against the public headers,
by a compiler. Needs neither NumPy nor torch; exits 77 where the library was built with sanitizers."""

import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile

import python_package

fanin = python_package.fanin()
from fanin import _lib  # noqa: E402

# The table's functions once more beside the headers: a compiler refuses a declaration that differs.
# Callbacks and opaque pointers are not looked into on the Python side, so C is where their types are checked.
PROGRAM = """
#include <stdio.h>
#include <fanin/fanin.h>
%(prototypes)s
int main(void)
{
%(lines)s
    return 0;
}
"""


def enum_values():
    """C name -> the value that Python uses."""
    found = {"FANIN_MAX_DIMS": _lib.MAX_DIMS, "FANIN_TORCH_STATE_NBYTES": _lib.TORCH_STATE_NBYTES,
             "FANIN_DTYPE_COUNT": len(_lib.DTYPES) + 1, "FANIN_FILL_KIND_COUNT": len(_lib.FILL_KINDS) + 1,
             "FANIN_FAN_IN": _lib.FAN_MODES.index("fan_in"), "FANIN_FAN_OUT": _lib.FAN_MODES.index("fan_out")}
    found.update(("FANIN_" + name.upper(), code) for name, code in _lib.DTYPE_CODES.items())
    found.update(("FANIN_FILL_" + name.upper(), code) for name, code in _lib.FILL_CODES.items())
    found.update(("FANIN_LAYOUT_" + name.upper(), code) for code, name in enumerate(_lib.LAYOUTS))
    for code, error in enumerate(fanin.errors.BY_STATUS):
        found["FANIN_OK" if error is None else "FANIN_ERROR_" + error.status.upper()] = code
    return found


def compiled(folder, program):
    """What the program prints: name -> number."""
    (folder / "bindings.c").write_text(program)
    root = pathlib.Path(os.environ["FANIN_SOURCE_DIR"])
    compiler = os.environ.get("FANIN_CC", "cc")
    subprocess.run([compiler, "-std=c17", "-Wall", "-Wextra", "-Werror", "-I", str(root / "include"), "bindings.c", "-o",
                    "bindings"], check=True, cwd=folder)
    output = subprocess.run([str(folder / "bindings")], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {name: int(value) for name, value in (line.rsplit(" ", 1) for line in output.splitlines())}


def main():
    expected = {}
    lines = []
    for name, struct in _lib.STRUCTS.items():
        expected["sizeof(%s)" % name] = ctypes.sizeof(struct)
        lines.append('    printf("sizeof(%s) %%zu\\n", sizeof(%s));' % (name, name))
        for field, _ in ((f[0], f[1]) for f in struct._fields_):
            expected["offsetof(%s,%s)" % (name, field)] = getattr(struct, field).offset
            lines.append('    printf("offsetof(%s,%s) %%zu\\n", offsetof(%s, %s));' % (name, field, name, field))
            expected["sizeof(%s.%s)" % (name, field)] = getattr(struct, field).size
            lines.append('    printf("sizeof(%s.%s) %%zu\\n", sizeof(((%s *)0)->%s));' % (name, field, name, field))
    for name, value in enum_values().items():
        expected[name] = value
        lines.append('    printf("%s %%ld\\n", (long)%s);' % (name, name))
    with tempfile.TemporaryDirectory() as folder:
        found = compiled(pathlib.Path(folder), PROGRAM % {"prototypes": _lib.PROTOTYPES, "lines": "\n".join(lines)})
    faults = 0
    for name, value in expected.items():
        if found.get(name) != value:
            print("%s is %s in the headers and %s in Python" % (name, found.get(name), value))
            faults += 1
    table = _lib.parse_prototypes(_lib.PROTOTYPES)
    for name in table:
        getattr(_lib.lib, name)  # binds it: its types are known, and the library has it
    print("%d functions, %d structs, %d numbers" % (len(table), len(_lib.STRUCTS), len(expected)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
