#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the .npy files of this folder and expected.txt: what fanin_checkpoint_open must say of each."""
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
PLAIN = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
expected = []


def raw(name, data, status, part):
    (HERE / (name + ".npy")).write_bytes(data)
    expected.append("%s | %s | %s\n" % (name, status, part))


def file(name, literal, status, part, data=bytes(24), major=1, minor=0, length=None, padded=True):
    text = literal.encode("latin-1")
    if padded:
        text += b" " * ((64 - ((10 if major == 1 else 12) + len(text) + 1) % 64) % 64) + b"\n"
    length = len(text) if length is None else length
    raw(name, b"\x93NUMPY" + bytes([major, minor]) + struct.pack("<H" if major == 1 else "<I", length) + text + data,
        status, part)


def good(name, literal, warning="-", **more):
    file("good-" + name, literal, "ok", warning, **more)


def bad(name, literal, part, status="format", **more):
    file("bad-" + name, literal, status, part, **more)


def changed(old, new):
    assert old in PLAIN
    return PLAIN.replace(old, new)


def main():
    good("version-1", PLAIN)
    good("version-2", PLAIN, major=2)
    good("version-3", PLAIN, major=3)
    good("fortran", changed("False", "True"), data=bytes(range(24)))
    good("fortran-3d", "{'descr':'|u1','fortran_order':True,'shape':(2,3,4)}", data=bytes(range(24)))
    good("double-quotes", PLAIN.replace("'", '"'))
    good("other-order", "{'shape': (2, 3), 'fortran_order': False, 'descr': '<f4'}")
    good("python-2", changed("(2, 3)", "(2L, 3L)"))
    good("no-padding", PLAIN, padded=False)
    good("scalar", changed("(2, 3)", "()"), data=bytes(4))
    good("one", changed("(2, 3)", "(6,)"))
    good("empty", changed("(2, 3)", "(0, 9223372036854775807)"), data=b"")
    good("native", changed("<f4", "=f4"))
    good("bf16", changed("<f4", "<V2"), data=bytes(12))
    good("f8-e5m2", changed("<f4", "<f1"), data=bytes(6))
    good("f8-e4m3", changed("<f4", "|V1"), "bytes without a type (V1) are read as f8_e4m3", data=bytes(6))
    raw("bad-empty", b"", "format", "cut short, or another format")
    raw("bad-magic-alone", b"\x93NUMPY", "format", "cut short, or another format")
    raw("bad-version-2-cut", b"\x93NUMPY\x02\0\x01\0", "format", "the file ends before")
    raw("bad-zip", b"PK\x03\x04" + bytes(100), "format", "another format")
    bad("version-0", PLAIN, "version 0.0", "unsupported", major=0)
    bad("version-4", PLAIN, "version 4.0; 1.0, 2.0 and 3.0 are read", "unsupported", major=4)
    bad("version-1-1", PLAIN, "version 1.1", "unsupported", minor=1)
    bad("length-beyond", PLAIN, "60000 bytes long, but the file ends before", length=60000)
    bad("length-2-to-32", PLAIN, "4294967295 bytes long", major=2, length=2**32 - 1)
    bad("length-0", PLAIN, "must begin with {", length=0)
    bad("length-cut", PLAIN, "True or False", length=36)
    bad("header-100-kib", PLAIN + " " * 100000, "at most 65536 are read", major=2)
    bad("short", PLAIN, "24 bytes, but only 23 follow", data=bytes(23))
    bad("long", PLAIN, "1 bytes follow the array", data=bytes(25))
    bad("no-data", PLAIN, "only 0 follow", data=b"")
    bad("big-endian", changed("<f4", ">f4"), "big-endian: save array.astype", "unsupported")
    bad("object", changed("<f4", "|O"), "Python objects are not read", "unsupported")
    bad("string", changed("<f4", "<U8"), "dtype '<U8': convert it", "unsupported")
    bad("structured", changed("'<f4'", "[('x', '<f4')]"), "a structured array", "unsupported")
    bad("complex-128", changed("<f4", "<c16"), "dtype '<c16'", "unsupported")
    bad("long-double", changed("<f4", "<f16"), "dtype '<f16'", "unsupported")
    bad("descr-empty", changed("<f4", ""), "dtype ''", "unsupported")
    bad("descr-long", changed("<f4", "<f4" * 2000), "...", "unsupported")
    bad("descr-number", changed("'<f4'", "4"), "a string in quotes is missing")
    bad("descr-escape", changed("<f4", "\\x3cf4"), "holds an escape")
    bad("descr-drives-terminal", changed("<f4", "\x1b[2J"), "dtype '\\x1b[2J'", "unsupported")
    bad("descr-with-nul", changed("<f4", "<f4\0"), "dtype '<f4\\x00'", "unsupported")
    bad("order-number", changed("False", "0"), "'fortran_order' must be True or False")
    bad("order-string", changed("False", "'False'"), "'fortran_order' must be True or False")
    bad("shape-list", changed("(2, 3)", "[2, 3]"), "'shape' must be a tuple")
    bad("shape-number", changed("(2, 3)", "6"), "'shape' must be a tuple")
    bad("shape-no-tuple", changed("(2, 3)", "(6)"), "a tuple of one ends in a comma")
    bad("shape-negative", changed("(2, 3)", "(-2, -3)"), "a whole number from 0 on")
    bad("shape-float", changed("(2, 3)", "(2.0, 3)"), "separated by commas")
    bad("shape-2-to-63", changed("(2, 3)", "(9223372036854775808,)"), "beyond 2^63 - 1")
    bad("shape-2-to-64", changed("(2, 3)", "(18446744073709551616,)"), "beyond 2^63 - 1")
    bad("shape-wraps", changed("(2, 3)", "(4294967296, 4294967296, 4294967296)"), "overflows")
    bad("shape-bytes-wrap", changed("(2, 3)", "(4611686018427387910,)"), "overflows")
    bad("shape-65", changed("(2, 3)", "(" + "1," * 65 + ")"), "more than 64 dimensions")
    bad("shape-two-commas", changed("(2, 3)", "(2,, 3)"), "a whole number from 0 on")
    bad("shape-comma-alone", changed("(2, 3)", "(,)"), "a whole number from 0 on")
    bad("shape-open", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3", "separated by commas")
    bad("shape-call", changed("(2, 3)", "tuple([2,3])"), "'shape' must be a tuple")
    bad("no-descr", "{'fortran_order': False, 'shape': (2, 3), }", "has no 'descr'")
    bad("no-order", "{'descr': '<f4', 'shape': (2, 3), }", "has no 'fortran_order'")
    bad("no-shape", "{'descr': '<f4', 'fortran_order': False}", "has no 'shape'")
    bad("key-twice", "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", "there already")
    bad("key-unknown", changed("'shape'", "'shapes'"), "a key that the format does not have")
    bad("key-without-quotes", changed("'descr'", "descr"), "a string in quotes is missing")
    bad("key-without-colon", changed("'shape':", "'shape'"), "a key is followed by ':'")
    bad("no-comma", changed("False,", "False"), "entries are separated by commas")
    bad("after", PLAIN + "{}", "nothing may follow the }")
    bad("no-brace", PLAIN[1:], "must begin with {")
    bad("no-literal", "", "must begin with {")
    bad("nesting", "{" * 5000, "a string in quotes is missing")
    lines = ["# file | status | what the message (bad) or a warning (good) holds; written by make_hostile_npy.py\n"]
    (HERE / "expected.txt").write_text("".join(lines + expected))


if __name__ == "__main__":
    main()
