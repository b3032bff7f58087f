#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The safetensors writer and reader, the index and .npy headers against the reference packages.

Writes with test_safetensors --write and with the reference the same tensors, and compares bytes; gives every hostile
file to the reference reader and compares what is accepted. Exits 77, saying why, where a package is missing.
"""
import ctypes
import io
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

SKIP = 77
HOSTILE = pathlib.Path(__file__).resolve().parent.parent / "hostile" / "safetensors"

# What the reference accepts and we refuse, each with the reason.
STRICTER = {
    "bad-duplicate-name": "its hash map keeps the last one",
    "bad-duplicate-name-escaped": "the same",
    "bad-duplicate-metadata-key": "the same",
    "bad-metadata-null": "it reads null as absent; the format says an object of strings",
    "bad-name-with-nul": "names are C strings here",
    "bad-shape-zero-by-2-to-64-minus-1": "its dimensions have 64 bits, ours and torch's 63",
    "bad-shape-65-dims": "no limit on dimensions there",
    "bad-shape-1000-dims": "the same",
    "bad-values-without-end": "the same: 8001 dimensions",
    "bad-depth-5": "what an unknown field holds may nest there",
}


def skip(why):
    print("skipped: " + why)
    return SKIP


def read_raw(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + length]), data[8 + length:]


def compare_writer(torch, save, folder):
    dtypes = {"BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "F8_E5M2": torch.float8_e5m2,
              "F8_E4M3": torch.float8_e4m3fn, "F8_E8M0": torch.float8_e8m0fnu, "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
              "F8_E5M2FNUZ": torch.float8_e5m2fnuz, "I16": torch.int16, "U16": torch.uint16, "F16": torch.float16,
              "BF16": torch.bfloat16, "I32": torch.int32, "U32": torch.uint32, "F32": torch.float32,
              "C64": torch.complex64, "F64": torch.float64, "I64": torch.int64, "U64": torch.uint64}
    faults = 0
    paths = sorted(folder.glob("*.safetensors"))
    assert len(paths) >= 7
    for path in paths:
        header, data = read_raw(path)
        metadata = header.pop("__metadata__", None)
        tensors = {}
        for name in sorted(header, key=hash):  # any order but the file's
            entry = header[name]
            begin, end = entry["data_offsets"]
            flat = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.uint8)
            tensors[name] = flat.view(dtypes[entry["dtype"]]).reshape(entry["shape"])
        same = save(tensors, metadata) == path.read_bytes()
        faults += not same
        print("%-24s %3d tensors  %s" % (path.name, len(header), "equal" if same else "DIFFERENT"))
    return faults


def compare_reader(safetensors):
    faults = 0
    expected = {}
    for line in (HOSTILE / "expected.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            stem, status, _ = line.split(" | ", 2)
            expected[stem] = status == "ok"
    for stem, accepted in expected.items():
        try:
            safetensors.deserialize((HOSTILE / (stem + ".safetensors")).read_bytes())
            theirs = True
        except Exception:
            theirs = False
        if theirs != (accepted or stem in STRICTER):
            print("%s: we %s it, the reference does not" % (stem, "accept" if accepted else "refuse"))
            faults += 1
    print("%d hostile files: %d faults; %d refused here and accepted there" % (len(expected), faults, len(STRICTER)))
    return faults


class Tensor(ctypes.Structure):
    """fanin_tensor of fanin/tensor.h."""
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int), ("ndim", ctypes.c_int32),
                ("shape", ctypes.c_int64 * 8), ("strides", ctypes.c_int64 * 8), ("layout", ctypes.c_int),
                ("groups", ctypes.c_int32)]


def compare_npy(numpy, library, folder):
    library.fanin_dtype_from_name.argtypes = [ctypes.c_char_p]
    library.fanin_write_tensor.argtypes = [ctypes.c_char_p, ctypes.POINTER(Tensor), ctypes.c_bool, ctypes.c_void_p]
    path = folder / "w.npy"
    shapes = [(), (0,), (1,), (7,), (16,), (1000000,), (2, 3), (3, 0, 2), (1, 2, 1, 2, 1, 2, 1, 2), (10, 10, 10),
              (100000, 1), (1, 100000)]
    names = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32",
             "float64", "complex64"]
    try:
        import ml_dtypes  # makes the name known to NumPy
        names.append(ml_dtypes.bfloat16.__name__)
    except ImportError:
        print("bfloat16 is not compared: ml_dtypes cannot be imported")
    faults = count = 0
    for name in names:
        for shape in shapes:
            n = int(numpy.prod(shape, dtype=numpy.int64))
            array = (numpy.arange(n) % 2 == 0 if name == "bool" else numpy.arange(n) % 100).astype(name).reshape(shape)
            for strided in (False, True):
                view = numpy.repeat(array, 2, axis=0)[::2] if strided and shape else array
                strides = [s // view.itemsize for s in view.strides]
                tensor = Tensor(data=view.ctypes.data, dtype=library.fanin_dtype_from_name(name.encode()),
                                ndim=len(shape), shape=(ctypes.c_int64 * 8)(*shape),
                                strides=(ctypes.c_int64 * 8)(*strides))
                status = library.fanin_write_tensor(str(path).encode(), ctypes.byref(tensor), True, None)
                expected = io.BytesIO()
                numpy.save(expected, array)
                if status != 0 or path.read_bytes() != expected.getvalue():
                    print("%s %s strided=%s: status %d, other bytes than numpy.save" % (name, shape, strided, status))
                    faults += 1
                count += 1
    print("%d .npy files, numpy %s: %d faults" % (count, numpy.__version__, faults))
    return faults


def main():
    try:
        import numpy
        import safetensors
        import safetensors.torch
        import torch
    except ImportError as e:
        return skip("the reference cannot be imported (%s)" % e)
    if not hasattr(torch, "float8_e8m0fnu"):
        return skip("torch %s lacks dtypes that are compared" % torch.__version__)
    build = os.environ.get("FANIN_BUILD_DIR", "build")
    program, library = os.path.join(build, "tests", "test_safetensors"), os.path.join(build, "libfanin.so")
    for needed in (program, library):
        if not os.path.exists(needed):
            return skip("%s is not there" % needed)
    print("safetensors %s, torch %s" % (safetensors.__version__, torch.__version__))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "--write", folder], check=True)
        faults = compare_writer(torch, safetensors.torch.save, pathlib.Path(folder))
        if os.environ.get("FANIN_SANITIZE"):
            print(".npy files are not compared: a sanitizer cannot be loaded into a running interpreter")
        else:
            faults += compare_npy(numpy, ctypes.CDLL(os.path.abspath(library)), pathlib.Path(folder))
    faults += compare_reader(safetensors)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
