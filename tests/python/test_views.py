#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The package without NumPy and torch: generators, views of the buffer protocol, every initializer against the command,
plans, and what each refuses. Needs nothing but Python."""

import array
import copy
import ctypes
import math
import mmap
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import threading
import warnings

import python_package

fanin = python_package.fanin()
raises = python_package.raises
COMMAND = os.environ.get("FANIN_COMMAND")
NBYTES = {"f32": 4, "f64": 8, "bf16": 2, "f16": 2, "i64": 8, "u8": 1}
CALLS = {
    "uniform(-0.5, 1.5)": lambda w, g: fanin.init.uniform_(w, -0.5, 1.5, generator=g),
    "normal(0.1, 0.02)": lambda w, g: fanin.init.normal_(w, 0.1, std=0.02, generator=g),
    "trunc_normal(std=0.02)": lambda w, g: fanin.init.trunc_normal_(w, std=0.02, generator=g),
    "trunc_normal": lambda w, g: fanin.init.trunc_normal_(w, generator=g),
    "constant(0.3)": lambda w, g: fanin.init.constant_(w, 0.3),
    "ones": lambda w, g: fanin.init.ones_(w),
    "zeros": lambda w, g: fanin.init.zeros_(w),
    "eye": lambda w, g: fanin.init.eye_(w),
    "xavier_uniform(gain=2)": lambda w, g: fanin.init.xavier_uniform_(w, 2, generator=g),
    "xavier_normal": lambda w, g: fanin.init.xavier_normal_(w, generator=g),
    "kaiming_uniform(a=sqrt(5))": lambda w, g: fanin.init.kaiming_uniform_(w, math.sqrt(5), generator=g),
    "kaiming_normal(mode=fan_out, nonlinearity=relu)":
        lambda w, g: fanin.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu", generator=g),
    "orthogonal": lambda w, g: fanin.init.orthogonal_(w, generator=g),
    "sparse(sparsity=0.3)": lambda w, g: fanin.init.sparse_(w, 0.3, generator=g),
}


def weight(shape, dtype="f32", **named):
    """A view of fresh bytes, and the bytes."""
    data = bytearray(NBYTES[dtype] * math.prod(shape))
    raw = memoryview(data)
    kind = {"f32": "f", "f64": "d", "bf16": "H", "f16": "H", "i64": "q", "u8": "B"}[dtype]
    return fanin.view(raw.cast(kind).cast("B").cast(kind, shape) if shape else raw.cast(kind).cast("B").cast(kind, ()),
                      dtype=dtype, **named), data


def test_initializers_against_the_command():
    if not COMMAND:
        print("there is no command to compare with")
        return
    for dtype in ("f32", "f64", "bf16", "f16"):
        for call, function in CALLS.items():
            if call == "orthogonal" and NBYTES[dtype] == 2:
                continue
            subprocess.run([COMMAND, "fill", call, "--shape", "40,30", "--dtype", dtype, "--seed", "42", "-o", "w.bin",
                            "--force"], check=True, stdout=subprocess.DEVNULL)
            expected = pathlib.Path("w.bin").read_bytes()
            view, data = weight((40, 30), dtype)
            assert function(view, fanin.Generator(42)) is view
            assert data == expected, (call, dtype)
            view, data = weight((40, 30), dtype)
            fanin.init.fill_(view, call, generator=fanin.Generator(42))
            assert data == expected, ("as text", call, dtype)


def test_known_weight():
    view, data = weight((512, 256))
    fanin.init.kaiming_uniform_(view, math.sqrt(5), generator=fanin.Generator(42))
    # torch.manual_seed(42); nn.Linear(256, 512).weight[0, :3]
    assert struct.unpack("<3f", data[:12]) == struct.unpack("<3f", struct.pack("<3f", 0.047783658, 0.051875494, -0.01464203))


def test_dirac_and_permutations():
    view, data = weight((4, 2, 3), "u8")
    fanin.init.dirac_(view, 2)
    assert sum(data) == 4 and data[1] == 1
    view, data = weight((100,), "i64")
    fanin.init.randperm(view, generator=fanin.Generator(1))
    assert sorted(struct.unpack("<100q", data)) == list(range(100))
    raises(ValueError, "int64", fanin.init.randperm, weight((100,))[0], generator=fanin.Generator(1))


def test_threads_change_nothing():
    results = []
    for count in (1, 2, 3, 0):
        fanin.set_num_threads(count)
        assert fanin.get_num_threads() == count or count == 0
        data = bytearray(4 * (5 << 20))
        generator = fanin.Generator(7)
        fanin.init.normal_(memoryview(data).cast("f"), generator=generator)
        results.append((hash(bytes(data)), generator.get_state()))
    assert len(set(results)) == 1
    raises(ValueError, "-1", fanin.set_num_threads, -1)
    raises(ValueError, "1025", fanin.set_num_threads, 1025)
    raises(TypeError, "", fanin.set_num_threads, 1.5)


def test_generator():
    generator = fanin.Generator(42)
    assert [generator.random() for _ in range(2)] == [1608637542, 3421126067]
    assert fanin.Generator(42).random64() == 1608637542 << 32 | 3421126067
    other = copy.copy(generator)
    assert other == generator and other is not generator and copy.deepcopy(generator) == generator
    other.random()
    assert other != generator and generator != 3
    assert pickle.loads(pickle.dumps(other)) == other
    generator.manual_seed(5).skip(3)
    slow = fanin.Generator(5)
    for _ in range(3):
        slow.random()
    assert slow == generator
    generator.skip(2**63)
    assert fanin.Generator(-1).initial_seed() == 2**64 - 1 and fanin.Generator(2**64 - 1) == fanin.Generator(-1)
    assert fanin.Generator(1).profile == "torch-2.13" and fanin.Generator(1, "torch-2.6").profile == "torch-2.1"
    assert fanin.Generator(1, "torch-2.6:unfused") != fanin.Generator(1) and "torch-1.13" in fanin.profiles()
    state = slow.get_state()
    assert len(state) == 5056
    generator.set_state(bytearray(state))
    assert generator.get_state() == state
    raises(ValueError, "5056", generator.set_state, b"abc")
    raises(ValueError, "not a torch CPU generator state", generator.set_state, bytes(5056))
    raises(TypeError, "state", generator.set_state, "text")
    assert generator.get_state() == state
    raises(ValueError, "2^64", fanin.Generator, 2**64)
    raises(ValueError, "2^63", fanin.Generator, -(2**63) - 1)
    raises(TypeError, "seed", fanin.Generator, "42")
    raises(TypeError, "seed", fanin.Generator, 1.5)
    raises(fanin.UnsupportedError, "torch-0.4", fanin.Generator, 1, "torch-0.4")
    raises(ValueError, "nonsense", fanin.Generator, 1, "nonsense")
    raises(TypeError, "profile", fanin.Generator, 1, 2.13)
    raises(ValueError, "-1", generator.skip, -1)
    raises(ValueError, str(2**64), generator.skip, 2**64)
    raises(TypeError, "", generator.skip, 0.5)
    raises(TypeError, "unhashable", hash, generator)


def test_buffers():
    generator = fanin.Generator(1)
    expected = fanin.init.normal_(array.array("f", [0] * 20), generator=fanin.Generator(1)).tobytes()
    kinds = [bytearray(80), (ctypes.c_float * 20)(), mmap.mmap(-1, 80)]
    for memory in kinds:
        generator.manual_seed(1)
        view = memory if isinstance(memory, ctypes.Array) else memoryview(memory).cast("f")
        fanin.init.normal_(view, generator=generator)
        assert bytes(memoryview(memory).cast("B")) == expected, type(memory)
    view, _ = weight((2, 3, 4), "bf16")
    assert view.shape == (2, 3, 4) and view.strides == (12, 4, 1) and view.dtype == "bf16" and view.groups == 1
    assert "2x3x4 bf16" in repr(view) and view.layout == "out_in"
    strided = memoryview(bytearray(80)).cast("f")[::2]
    fanin.init.constant_(strided, 2.0)
    assert list(strided) == [2.0] * 10
    for kind, dtype in (("b", "i8"), ("B", "u8"), ("h", "i16"), ("H", "u16"), ("i", "i32"), ("I", "u32"), ("q", "i64"),
                        ("Q", "u64"), ("f", "f32"), ("d", "f64")):
        values = array.array(kind, [0] * 5)
        assert fanin.view(values).dtype == dtype
        fanin.init.constant_(values, 3)
        assert values.tolist() == [3] * 5
    # A buffer that is lent cannot be resized away under a fill.
    data = bytearray(80)
    held = fanin.view(data)
    raises(BufferError, "", data.extend, b"more")
    del held
    data.extend(b"more")


def test_layout_of_fans():
    bounds = []
    for named in ({}, {"layout": "in_out"}, {"layout": "transposed", "groups": 2}):
        view, data = weight((8, 6), "f64", **named)
        fanin.init.kaiming_uniform_(view, math.sqrt(5), generator=fanin.Generator(1))
        bounds.append(max(abs(v) for v in struct.unpack("<48d", data)))
    assert len(set(bounds)) == 3
    view = fanin.view(weight((8, 6), layout="in_out", groups=2)[0], dtype="u32")
    assert view.layout == "in_out" and view.groups == 2 and view.dtype == "u32"


def test_what_is_refused():
    generator = fanin.Generator(3)
    state = generator.get_state()
    normal = lambda memory, *arguments: fanin.init.normal_(memory, *arguments, generator=generator)  # noqa: E731
    floats = array.array("f", [0.5] * 20)
    raises(fanin.ArrayError, "read-only", normal, b"1234")
    raises(fanin.ArrayError, "read-only", normal, memoryview(bytearray(8)).toreadonly())
    raises(fanin.ArrayError, "no array", normal, [1.0, 2.0])
    raises(fanin.ArrayError, "no array", normal, None)
    raises(fanin.ArrayError, "no array", normal, "text")
    raises(TypeError, "no array", normal, 5)
    raises(fanin.DtypeError, "random values", normal, array.array("i", [0] * 20))
    raises(TypeError, "random values", normal, bytearray(8))
    raises(fanin.ArgumentError, "std", normal, floats, 0.0, -1.0)
    raises(ValueError, "std", normal, floats, 0.0, float("nan"))
    raises(ValueError, "from", fanin.init.uniform_, floats, 2.0, 1.0, generator=generator)
    raises(ValueError, "", fanin.init.uniform_, floats, 0.0, math.inf, generator=generator)
    raises(ValueError, "would not end", fanin.init.trunc_normal_, floats, 0.0, 1e-4, 0.5, 1.0, generator=generator)
    raises(fanin.ShapeError, "dimension", fanin.init.xavier_normal_, floats, generator=generator)
    raises(ValueError, "dimension", fanin.init.eye_, floats)
    raises(ValueError, "", fanin.init.dirac_, weight((3, 2, 3))[0], 2)
    raises(ValueError, "", fanin.init.dirac_, weight((3, 2, 3))[0], 0)
    raises(ValueError, "negative stride", normal, memoryview(floats)[::-1])
    raises(TypeError, "number", normal, floats, "0.1")
    raises(TypeError, "number", normal, floats, None)
    raises(TypeError, "number", normal, floats, [1.0])
    raises(TypeError, "word", fanin.init.kaiming_normal_, weight((3, 3))[0], mode=1, generator=generator)
    raises(ValueError, "fan_in", fanin.init.kaiming_normal_, weight((3, 3))[0], mode="sideways", generator=generator)
    raises(ValueError, "relu", fanin.init.kaiming_normal_, weight((3, 3))[0], nonlinearity="gelu", generator=generator)
    raises(TypeError, "generator", fanin.init.normal_, floats)
    raises(TypeError, "fanin.Generator", fanin.init.normal_, floats, generator=None)
    raises(TypeError, "fanin.Generator", fanin.init.normal_, floats, generator=42)
    raises(TypeError, "text", fanin.init.fill_, floats, 5)
    raises(ValueError, "", fanin.init.fill_, floats, "normal(0, 0.02", generator=generator)
    raises(ValueError, "", fanin.init.fill_, floats, "nonsense")
    raises(ValueError, "generator", fanin.init.fill_, floats, "normal")
    raises(ValueError, "overflow", fanin.init.constant_, weight((3,), "f16")[0], 1e6)
    raises(fanin.DtypeError, "elements of 16 bits", fanin.view, floats, dtype="bf16")
    raises(fanin.DtypeError, "no dtype", fanin.view, floats, dtype="f33")
    raises(TypeError, "dtype", fanin.view, floats, dtype=32)
    raises(ValueError, "layout", fanin.view, floats, layout="sideways")
    raises(ValueError, "groups", fanin.view, floats, groups=0)
    raises(ValueError, "8", normal, memoryview(bytearray(4)).cast("B").cast("f", (1,) * 9))
    raises(ValueError, "nonlinearity", fanin.init.calculate_gain, "gelu")
    raises(TypeError, "", fanin.init.calculate_gain, None)
    raises(TypeError, "number", fanin.init.calculate_gain, "leaky_relu", "x")
    record = type("Record", (ctypes.Structure,), {"_fields_": [("a", ctypes.c_float)]})
    raises(fanin.DtypeError, "format", normal, (record * 3)())
    pointers = (ctypes.POINTER(ctypes.c_float) * 3)()
    raises(fanin.DtypeError, "format", normal, pointers)
    assert generator.get_state() == state and floats.tolist() == [0.5] * 20
    assert fanin.init.calculate_gain("tanh") == 5 / 3 and fanin.init.calculate_gain("leaky_relu", 0) == math.sqrt(2)


def test_warnings():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fanin.init.trunc_normal_(array.array("f", [0] * 9), 10.0, generator=fanin.Generator(1))
    assert len(caught) == 1 and "more than 2 std" in str(caught[0].message), [str(w.message) for w in caught]
    assert caught[0].filename == __file__ and caught[0].category is UserWarning


def test_errors_are_exceptions():
    for error in fanin.errors.BY_STATUS[1:]:
        assert issubclass(error, fanin.FaninError)
    assert issubclass(fanin.OutOfMemoryError, MemoryError) and issubclass(fanin.FileError, OSError)
    assert issubclass(fanin.OutputExistsError, FileExistsError) and issubclass(fanin.UnsupportedError, NotImplementedError)


def test_one_generator_in_threads():
    generator = fanin.Generator(9)
    memories = [array.array("f", [0] * 4096) for _ in range(16)]
    threads = [threading.Thread(target=lambda m: fanin.init.uniform_(m, generator=generator), args=(m,)) for m in memories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = fanin.Generator(9)
    expected = sorted(fanin.init.uniform_(array.array("f", [0] * 4096), generator=again).tobytes() for _ in memories)
    assert sorted(m.tobytes() for m in memories) == expected and generator == again


def test_plans():
    root = python_package.ROOT
    description = str(root / "examples" / "gpt2" / "config.json")
    plan = fanin.Plan.create(description, dtype="bf16")
    assert plan.profile == "torch-2.13" and plan.ndraws > 0 and len(plan.sha256) == 64 and len(plan) == len(plan.tensors)
    again = fanin.Plan.parse(plan.to_json())
    assert again.sha256 == plan.sha256 and again.tensors == plan.tensors
    plan.save("plan.json")
    assert fanin.Plan.load("plan.json").sha256 == plan.sha256 and os.listdir(".").count("plan.json") == 1
    name = "transformer.h.0.attn.c_attn.weight"
    tensor = next(t for t in plan.tensors if t.name == name)
    assert name in plan and tensor.dtype == "bf16" and "149 tensors" in repr(plan) and plan.warnings
    one, data = weight(tensor.shape, "bf16")
    plan.fill({name: one}, 5)
    views = {t.name: weight(t.shape, "bf16") for t in plan.tensors if t.nelem < 1 << 20 or t.name == name}
    for count in (1, 2):
        fanin.set_num_threads(count)
        for _, memory in views.values():
            memory[:] = bytes(len(memory))
        plan.fill({n: v for n, (v, _) in views.items()}, 5)
        assert views[name][1] == data
    tied = next(t for t in plan.tensors if t.tied_to)
    small = fanin.Plan.create(str(root / "examples" / "gpt2" / "config.json"))
    assert small.digest(1) != small.digest(2) and tied.name in small
    raises(KeyError, "nonsense", plan.fill, {"nonsense": one}, 5)
    raises(fanin.ShapeError, "shape", plan.fill, {name: weight((3, 3), "bf16")[0]}, 5)
    raises(fanin.DtypeError, "bf16", plan.fill, {name: weight(tensor.shape, "f32")[0]}, 5)
    raises(ValueError, "2^64", plan.fill, {name: one}, 2**64)
    raises(TypeError, "seed", plan.fill, {name: one}, "5")
    raises(TypeError, "Plan.load", fanin.Plan)
    raises(fanin.FormatError, "here:1:", fanin.Plan.parse, '{"format":', "here")
    raises(ValueError, "", fanin.Plan.parse, b"\xff\xfe")
    raises(FileNotFoundError, "", fanin.Plan.load, "absent.json")
    raises(fanin.FaninError, "absent", fanin.Plan.create, "absent.json")
    raises(fanin.DtypeError, "f33", fanin.Plan.create, description, dtype="f33")
    raises(fanin.UnsupportedError, "torch-0.1", fanin.Plan.create, description, profile="torch-0.1")


def test_library_is_found():
    """Each way to it, and what is said where there is none."""
    program = "import fanin; print(fanin._lib.lib.path)"
    environment = dict(os.environ, PYTHONPATH=str(python_package.ROOT / "python"))
    found = subprocess.run([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert found.stdout.strip() == environment["FANIN_LIBRARY"]
    for value, text in (("/nowhere/libfanin.so", "/nowhere/libfanin.so"), (__file__, "cannot be loaded")):
        environment["FANIN_LIBRARY"] = value
        failed = subprocess.run([sys.executable, "-c", program], env=environment, stderr=subprocess.PIPE, text=True)
        assert failed.returncode == 1 and "ImportError" in failed.stderr and text in failed.stderr, failed.stderr


if __name__ == "__main__":
    sys.exit(python_package.run(globals()))
