#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# Writes the hostile (and the odd but good) safetensors files of this folder, and expected.txt: what the reader must say
# of each. Files too large to keep are made by tests/unit/test_hostile_safetensors.c when it runs.

import json
import os
import struct

FOLDER = os.path.dirname(os.path.abspath(__file__))
CASES = []


def framed(header, data=b"", length=None):
    """A file of the 8 length bytes, the header as it is given, and data."""
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def one(dtype='"F32"', shape="[1]", offsets="[0,4]", data=b"\0" * 4, name='"a"', more=""):
    """A file with one tensor, every part of whose entry may be wrong."""
    return framed("{%s:{\"dtype\":%s,\"shape\":%s,\"data_offsets\":%s%s}}" % (name, dtype, shape, offsets, more), data)


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def several(entries, nbytes):
    return framed(compact(entries), bytes(nbytes))


def bad(name, data, message, status="format"):
    CASES.append(("bad-" + name, data, status, message))


def good(name, data, warning="-"):
    CASES.append(("good-" + name, data, "ok", warning))


# -- The frame

bad("empty-file", b"", "0 bytes long")
bad("one-byte", b"\x10", "1 bytes long")
bad("seven-bytes", b"\0" * 7, "7 bytes long")
bad("length-0", framed(""), ":1:1: ")
bad("length-1-of-0", framed("", length=1), "only 0 follow")
bad("length-one-too-many", framed("{}", length=3), "the header is 3 bytes long, but only 2 follow")
bad("length-2-to-63", framed("{}", length=2**63), "9223372036854775808 bytes long, but only 2 follow")
bad("length-2-to-64-minus-1", framed("{}", length=2**64 - 1), "18446744073709551615")
bad("length-of-whole-file", framed("{}", length=10), "only 2 follow")
bad("length-big-endian", struct.pack(">Q", 2) + b"{}", "cut short")
bad("length-cuts-header", framed('{"a":1}', length=4), ":1:")
bad("zip", b"PK\x03\x04" + b"\0" * 60, "PyTorch .pt")
bad("pickle", b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01K\x01s.", "pickle")
bad("gguf", b"GGUF\x03\0\0\0" + b"\0" * 16, "GGUF")
bad("npy", b"\x93NUMPY\x01\0v\0" + b" " * 54, "NumPy")
bad("hdf5", b"\x89HDF\r\n\x1a\n" + b"\0" * 16, "HDF5")
bad("plain-json", b'{"weight_map":{"a":"b"}}', "JSON")
bad("git-lfs-pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git lfs pull")

# -- The JSON

bad("not-an-object-array", framed("[]"), "must be an object")
bad("not-an-object-string", framed('"a"'), "must be an object")
bad("not-an-object-number", framed("17"), "must be an object")
bad("not-an-object-null", framed("null"), "must be an object")
bad("cut-mid-token", framed('{"a":{"dtype":"F3'), ":1:")
bad("cut-after-key", framed('{"a":'), ":1:")
bad("two-values", framed("{}{}"), ":1:3: ")
bad("trailing-nul", framed("{}\0"), ":1:3: ")
bad("trailing-text", framed("{} x"), ":1:4: ")
bad("trailing-comma", framed('{"__metadata__":{},}'), ":1:20: ")
bad("comment", framed("/**/{}"), ":1:1: ")
bad("single-quotes", framed("{'a':1}"), ":1:2: ")
bad("byte-order-mark", framed(b"\xef\xbb\xbf{}"), ":1:1: ")
bad("utf-16", framed("{}".encode("utf-16-le")), "not UTF-8")
bad("utf-8-overlong", framed(b'{"\xc0\xaf":1}'), "UTF-8")
bad("utf-8-surrogate", framed(b'{"\xed\xa0\x80":1}'), "UTF-8")
bad("utf-8-beyond-unicode", framed(b'{"\xf4\x90\x80\x80":1}'), "UTF-8")
bad("utf-8-cut", framed(b'{"\xe2\x82'), ":1:3: ")
bad("latin-1", framed(b'{"\xe9":1}'), "UTF-8")
bad("escape-lone-high-surrogate", framed('{"\\ud800":1}'), "surrogate")
bad("escape-lone-low-surrogate", framed('{"\\udc00":1}'), "surrogate")
bad("escape-unknown", framed('{"\\x41":1}'), ":1:")
bad("raw-newline-in-name", framed('{"a\nb":1}'), ":1:4: ")
bad("depth-5", one(more=',"x":[[[1]]]'), "deep")
bad("depth-100000", framed("[" * 100000), "deep")
bad("duplicate-name", framed('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
                             '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)), '"a"')
bad("duplicate-name-escaped", framed('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
                                     '"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)), '"a"')
bad("duplicate-metadata", framed('{"__metadata__":{},"__metadata__":{}}'), "__metadata__")
bad("duplicate-metadata-key", framed('{"__metadata__":{"k":"1","k":"2"}}'), '"k"')
bad("duplicate-dtype", one(more=',"dtype":"I32"'), '"dtype"')
bad("number-too-large", one(shape="[1e400]"), ":1:")
bad("number-leading-zero", one(shape="[01]"), ":1:")
bad("number-minus-zero", one(shape="[-0]"), ":1:")
bad("number-2-to-64", one(shape="[18446744073709551616]"), ":1:")
bad("number-hex", one(shape="[0x1]"), ":1:")
bad("number-nan", one(shape="[NaN]"), ":1:")
bad("values-without-end", framed('{"a":{"dtype":"F32","shape":[' + "0," * 8000 + '0],"data_offsets":[0,0]}}'), "values")

# -- __metadata__

bad("metadata-number", framed('{"__metadata__":{"k":1}}'), '__metadata__ "k" must be a string, not an integer')
bad("metadata-object", framed('{"__metadata__":{"k":{}}}'), '__metadata__ "k" must be a string')
bad("metadata-array", framed('{"__metadata__":[]}'), "__metadata__ must be an object")
bad("metadata-null", framed('{"__metadata__":null}'), "__metadata__ must be an object")

# -- Entries

bad("entry-null", framed('{"a":null}'), "tensor a: must be an object")
bad("entry-array", framed('{"a":[]}'), "tensor a: must be an object")
bad("entry-string", framed('{"a":"F32"}'), "tensor a: must be an object")
bad("entry-empty", framed('{"a":{}}'), "tensor a: has no dtype")
bad("no-dtype", framed('{"a":{"shape":[1],"data_offsets":[0,4]}}', bytes(4)), "has no dtype")
bad("no-shape", framed('{"a":{"dtype":"F32","data_offsets":[0,4]}}', bytes(4)), "has no shape")
bad("no-offsets", framed('{"a":{"dtype":"F32","shape":[1]}}', bytes(4)), "has no data_offsets")
bad("name-with-nul", one(name='"a\\u0000b"'), "NUL")
bad("name-drives-terminal", one(name='"\\u001b[2J\\u0007"', shape="[2]"), "tensor \\x1b[2J\\x07: ")
bad("name-drives-terminal-c1", one(name='"\\u009b2J"', shape="[2]"), "tensor \\xc2\\x9b2J: ")
bad("name-64-kib", one(name=compact("n" * 65536), shape="[2]"), "nnn...: ")

bad("dtype-unknown", one(dtype='"F33"'), 'unknown dtype "F33"')
bad("dtype-lower-case", one(dtype='"f32"'), 'unknown dtype "f32"')
bad("dtype-torch", one(dtype='"float32"'), 'unknown dtype "float32"')
bad("dtype-empty", one(dtype='""'), 'unknown dtype ""')
bad("dtype-null", one(dtype="null"), "dtype must be a string")
bad("dtype-number", one(dtype="32"), "dtype must be a string")
bad("dtype-with-nul", one(dtype='"F32\\u0000"'), "unknown dtype")
bad("f4-odd", one(dtype='"F4"', shape="[3]", offsets="[0,2]", data=b"\0\0"), "no whole number of bytes")
bad("f6-three", one(dtype='"F6_E2M3"', shape="[3]", offsets="[0,3]", data=b"\0\0\0"), "no whole number of bytes")

bad("shape-null", one(shape="null"), "shape must be a list")
bad("shape-number", one(shape="1"), "shape must be a list")
bad("shape-string", one(shape='"1"'), "shape must be a list")
bad("shape-object", one(shape="{}"), "shape must be a list")
bad("shape-nested", one(shape="[[1]]"), "a dimension must be an integer")
bad("shape-negative", one(shape="[-1]"), "a dimension must be an integer")
bad("shape-fraction", one(shape="[1.0]"), "a dimension must be an integer")
bad("shape-exponent", one(shape="[1e0]"), "a dimension must be an integer")
bad("shape-of-strings", one(shape='["1"]'), "a dimension must be an integer")
bad("shape-of-bools", one(shape="[true]"), "a dimension must be an integer")
bad("shape-65-dims", one(shape="[" + ",".join(["1"] * 65) + "]"), "more than 64 dimensions")
bad("shape-1000-dims", one(shape="[" + ",".join(["1"] * 1000) + "]"), "more than 64 dimensions")
bad("shape-overflow", one(shape="[2,18446744073709551614]"), "overflows 64 bits")
bad("shape-overflow-squares", one(shape="[4294967296,4294967296]"), "overflows 64 bits")
bad("shape-overflow-2-to-63-by-2", one(shape="[9223372036854775808,2]"), "overflows 64 bits")
bad("shape-overflow-before-zero", one(shape="[9223372036854775808,2,0]", offsets="[0,0]", data=b""),
    "overflows 64 bits")
bad("shape-zero-by-2-to-64-minus-1", one(shape="[0,18446744073709551615]", offsets="[0,0]", data=b""),
    "beyond 2^63 - 1")
bad("shape-size-overflow", one(dtype='"F64"', shape="[4611686018427387904]"), "its size overflows")

bad("offsets-null", one(offsets="null"), "data_offsets must be two integers")
bad("offsets-one", one(offsets="[0]"), "data_offsets must be two integers")
bad("offsets-three", one(offsets="[0,4,4]"), "data_offsets must be two integers")
bad("offsets-strings", one(offsets='["0","4"]'), "data_offsets must be two integers")
bad("offsets-negative", one(offsets="[-4,0]"), "data_offsets must be two integers")
bad("offsets-fraction", one(offsets="[0,4.0]"), "data_offsets must be two integers")
bad("offsets-reversed", one(offsets="[4,0]"), "end before they begin")
bad("offsets-at-2-to-64", one(offsets="[0,18446744073709551615]"), "ends at byte 18446744073709551615")
bad("offsets-from-2-to-64", one(offsets="[18446744073709551612,18446744073709551615]"), "ends at byte")
bad("offsets-start-at-1", one(offsets="[1,5]", data=bytes(5)), "a hole: bytes 0 to 1")
bad("offsets-past-the-end", one(offsets="[0,8]", shape="[2]"), "the file holds only 4 bytes")
bad("offsets-too-small", one(offsets="[0,4]", shape="[2]"), "make 8 bytes, data_offsets 4")
bad("offsets-too-large", one(offsets="[0,8]", data=bytes(8)), "make 4 bytes, data_offsets 8")
bad("offsets-of-zero-elements", one(shape="[0]"), "make 0 bytes, data_offsets 4")
bad("offsets-equal", several({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 0, 4)}, 4), "inside tensor a")
bad("offsets-overlap", several({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, 12),
    "tensor b begins at byte 4")
bad("offsets-inside", several({"a": entry("F32", [4], 0, 16), "b": entry("F32", [1], 4, 8)}, 16), "inside tensor a")
bad("offsets-hole", several({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 8, 12)}, 12),
    "a hole: bytes 4 to 8")
bad("offsets-empty-past-end", several({"a": entry("F32", [1], 0, 4), "b": entry("F32", [0], 8, 8)}, 4),
    "ends at byte 8")
bad("offsets-empty-in-a-tensor", several({"a": entry("F32", [2], 0, 8), "b": entry("F32", [0], 4, 4)}, 8),
    "inside tensor a")
bad("no-tensors-but-data", framed("{}", bytes(8)), "8 bytes after the last tensor")
bad("trailing-bytes", one(data=bytes(5)), "1 bytes after the last tensor")
bad("trailing-zip", one(data=bytes(4) + b"PK\x05\x06" + bytes(18)), "22 bytes after the last tensor")
bad("trailing-pdf", one(data=bytes(4) + b"%PDF-1.4"), "8 bytes after the last tensor")
bad("missing-bytes", one(data=bytes(3)), "holds only 3 bytes")

# -- Odd, but all is as the format says

ALL = ["BOOL", "F4", "F6_E2M3", "F6_E3M2", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ",
       "I16", "U16", "F16", "BF16", "I32", "U32", "F32", "C64", "F64", "I64", "U64"]
NBITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "C64": 64, "BOOL": 8, "BF16": 16}
nbits = [NBITS.get(t) or int("".join(c for c in t.split("_")[0] if c.isdigit())) for t in ALL]
ends = [sum(nbits[:i + 1]) // 2 for i in range(len(ALL))]

good("no-tensors", framed("{}"))
good("only-metadata", framed('{"__metadata__":{"format":"pt"}}'))
good("empty-metadata", framed('{"__metadata__":{}}'))
good("minimal", one())
good("leading-blanks", framed(" \t\r\n" + '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)))
good("trailing-blanks", framed('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} \t\r\n', bytes(4)))
good("spaced-json", framed('{ "a" : { "data_offsets" : [ 0 , 4 ] ,\n "shape" : [ 1 ] , "dtype" : "F32" } }', bytes(4)))
good("scalar", one(shape="[]"))
good("zero-elements", one(shape="[0]", offsets="[0,0]", data=b""))
good("zero-by-large", one(shape="[0,9223372036854775807]", offsets="[0,0]", data=b""))
good("zero-elements-between", several({"a": entry("F32", [1], 0, 4), "b": entry("F32", [3, 0], 4, 4),
                                       "c": entry("U8", [0], 4, 4), "d": entry("F32", [1], 4, 8)}, 8))
good("64-dims", one(shape="[" + ",".join(["1"] * 64) + "]"))
good("f4-even", one(dtype='"F4"', shape="[4]", offsets="[0,2]", data=b"\0\0"))
good("f6-four", one(dtype='"F6_E3M2"', shape="[4]", offsets="[0,3]", data=b"\0\0\0"))
good("every-dtype", several({t: entry(t, [4], 0 if i == 0 else ends[i - 1], ends[i]) for i, t in enumerate(ALL)},
                            ends[-1]))
good("unaligned", several({"a": entry("U8", [3], 0, 3), "b": entry("F32", [1], 3, 7)}, 7))
good("header-order-is-free", several({"z": entry("F32", [1], 4, 8), "a": entry("F32", [1], 0, 4)}, 8))
good("nan-and-inf", one(shape="[2]", offsets="[0,8]", data=struct.pack("<ff", float("nan"), float("inf"))))
good("unknown-field", one(more=',"stride":[1]'), 'tensor a: the unknown field "stride" is ignored.')
good("many-unknown-fields", one(more="".join(',"x%d":0' % i for i in range(20))), "12 more unknown fields")
good("name-empty", one(name='""'))
good("name-newline", one(name='"a\\nb"'))
good("name-escape", one(name='"\\u001b[31m"'))
good("name-script", one(name='"<script>alert(1)</script>"'))
good("name-path", one(name='"../../etc/passwd"'))
good("name-surrogate-pair", one(name='"\\ud83d\\ude00"'))
good("name-64-kib", one(name=compact("n" * 65536)))
good("names-differ-by-normalization", several({"\u00e9": entry("U8", [1], 0, 1), "e\u0301": entry("U8", [1], 1, 2)}, 2))
good("name-like-metadata", one(name='"__metadata__ "'))

for stem, data, _, _ in CASES:
    with open(os.path.join(FOLDER, stem + ".safetensors"), "wb") as file:
        file.write(data)
with open(os.path.join(FOLDER, "expected.txt"), "w", encoding="utf-8") as file:
    file.write("# file | status | what the message (bad) or a warning (good) holds; written by make_hostile_safetensors.py\n")
    for stem, _, status, text in CASES:
        file.write("%s | %s | %s\n" % (stem, status, text))
