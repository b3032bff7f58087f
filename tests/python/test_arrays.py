#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The package on other libraries' arrays - NumPy, ml_dtypes, torch and JAX by DLPack - in place, and every array that must
not be written. Exits 77, saying why, where NumPy is missing; what else is missing is left out, and said."""

import ctypes
import importlib
import itertools
import mmap
import sys
import warnings

import python_package

fanin = python_package.fanin()
np = python_package.need("numpy")
raises = python_package.raises


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        print("left out: %s cannot be imported" % name)
        return None


torch, jax, ml_dtypes = optional("torch"), optional("jax"), optional("ml_dtypes")

# What arrays are compared with is the installed torch's.
PROFILE = "torch" if torch is None else "torch-" + ".".join(torch.__version__.split(".")[:2])


def normal(array, *arguments, seed=4):
    return fanin.init.normal_(array, *arguments, generator=fanin.Generator(seed))


FUNCTIONS = [fanin.init.normal_, fanin.init.uniform_]
if torch is None or tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 12):
    FUNCTIONS.append(fanin.init.trunc_normal_)  # before, float32 and float64 are within one unit of torch's


def test_layouts():
    """The same bytes as torch for every layout, or where there is no torch, as a contiguous array in memory order."""
    for dtype in (np.float32, np.float64, np.float16):
        for make in (lambda: np.zeros((40, 30), dtype), lambda: np.zeros((30, 40), dtype).T,
                     lambda: np.zeros((40, 60), dtype)[:, ::2], lambda: np.zeros((40, 30, 3, 3), dtype),
                     lambda: np.zeros((41, 30), dtype)[1:], lambda: np.zeros((), dtype), lambda: np.zeros((0, 3), dtype),
                     lambda: np.zeros((3, 5, 4), dtype).transpose(2, 0, 1), lambda: np.asfortranarray(np.zeros((9, 8), dtype)),
                     lambda: np.zeros((2, 3, 1, 2, 1, 2, 1, 2), dtype)):
            for function in FUNCTIONS:
                array, generator = make(), fanin.Generator(4, PROFILE)
                assert function(array, generator=generator) is array
                if torch is None:
                    continue
                expected = torch.from_numpy(make())
                torch.default_generator.manual_seed(4)
                getattr(torch.nn.init, function.__name__)(expected)
                assert np.array_equal(array, expected.numpy()), (dtype, array.shape, array.strides, function)
                assert generator.get_state() == torch.get_rng_state().numpy().tobytes()
    around = np.zeros((4, 6), np.float32)
    normal(around[1:3, 2:4])
    assert np.count_nonzero(around) == 4 and np.count_nonzero(around[1:3, 2:4]) == 4


def test_dtypes():
    names = {np.bool_: "bool", np.uint8: "u8", np.int8: "i8", np.uint16: "u16", np.int16: "i16", np.uint32: "u32",
             np.int32: "i32", np.uint64: "u64", np.int64: "i64", np.float16: "f16", np.float32: "f32", np.float64: "f64",
             np.complex64: "c64"}
    if ml_dtypes is not None:
        names.update({ml_dtypes.bfloat16: "bf16", ml_dtypes.float8_e4m3fn: "f8_e4m3", ml_dtypes.float8_e5m2: "f8_e5m2",
                      ml_dtypes.float8_e4m3fnuz: "f8_e4m3fnuz", ml_dtypes.float8_e5m2fnuz: "f8_e5m2fnuz"})
    for kind, name in names.items():
        array = np.zeros((3, 4), kind)
        assert fanin.view(array).dtype == name
        fanin.init.ones_(array)
        assert (array.astype(np.complex64) == 1).all(), name
        fanin.init.eye_(array)
        assert np.array_equal(array.astype(np.complex64), np.eye(3, 4)), name
    integers = np.zeros((3, 4), np.uint16)
    normal(fanin.view(integers, dtype="bf16"))
    if ml_dtypes is not None:
        floats = normal(np.zeros((3, 4), ml_dtypes.bfloat16))
        assert np.array_equal(floats.view(np.uint16), integers)


def test_kinds_of_arrays():
    expected = normal(np.zeros(20, np.float32))
    mapped = np.frombuffer(mmap.mmap(-1, 80), np.float32)
    assert np.array_equal(normal(mapped), expected)
    matrix = np.zeros((4, 5), np.float32).view(np.matrix)
    assert np.array_equal(np.asarray(normal(matrix)).ravel(), expected)
    big_enough = np.zeros(20, np.dtype(np.float32).newbyteorder("="))
    assert np.array_equal(normal(big_enough), expected)


def test_what_is_refused():
    read_only = np.zeros(20, np.float32)
    read_only.flags.writeable = False
    swapped = np.zeros(20, np.dtype(np.float32).newbyteorder("S"))
    record = np.zeros(5, [("a", np.float32), ("b", np.int16)])
    unaligned = np.frombuffer(bytearray(81), np.uint8)[1:].view(np.float32)
    strided = np.lib.stride_tricks.as_strided
    cases = [(read_only, fanin.ArrayError, "read-only"), (np.broadcast_to(np.zeros(3, np.float32), (4, 3)), fanin.ArrayError, "read-only"),
             (swapped, fanin.DtypeError, "other order"), (record, fanin.DtypeError, "dtype"),
             (record["a"], fanin.ShapeError, "multiple"), (unaligned, fanin.ArrayError, "aligned"),
             (np.zeros(5, object), fanin.DtypeError, "object"), (np.zeros(5, "U3"), fanin.DtypeError, "U3"),
             (np.zeros(5, "M8[s]"), fanin.DtypeError, "datetime"), (np.zeros(5, np.complex128), fanin.DtypeError, "complex128"),
             (np.zeros(5, np.int32), fanin.DtypeError, "random values"), (np.zeros(5, bool), fanin.DtypeError, "random values"),
             (np.zeros(5, np.complex64), fanin.DtypeError, "random values"),
             (np.ma.masked_array(np.zeros(5, np.float32), [1, 0, 0, 0, 0]), fanin.ArrayError, "masked"),
             (np.zeros(9, np.float32)[::-1], fanin.ShapeError, "negative stride"),
             (np.zeros((1,) * 9, np.float32), fanin.ShapeError, "8"),
             (strided(np.zeros(9, np.float32), (3, 3), (4, 4)), fanin.ShapeError, "share memory"),
             (strided(np.zeros(9, np.float32), (3, 4), (0, 4)), fanin.ShapeError, "share memory"),
             (strided(np.zeros(99, np.float32), (5, 5), (12, 8)), fanin.ShapeError, "share memory"),
             (strided(np.zeros(4 << 20, np.float32), (1100, 1100), (1000, 4)), fanin.ShapeError, "share memory"),
             (np.float32(3), fanin.ArrayError, "read-only")]
    for array, error, text in cases:
        before = bytes(np.asarray(array).tobytes()) if getattr(array, "dtype", None) != object else b""
        generator = fanin.Generator(1)
        state = generator.get_state()
        raises(error, text, fanin.init.normal_, array, generator=generator)
        assert generator.get_state() == state
        assert before == (bytes(np.asarray(array).tobytes()) if before else b"")
    # Strides that cross without meeting are no overlap.
    crossing = strided(np.zeros(20, np.float32), (2, 2), (8, 12))
    assert len(set(normal(crossing).ravel().tolist())) == 4
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fanin.init.kaiming_normal_(np.zeros((0, 3), np.float32), generator=fanin.Generator(1))
    assert len(caught) == 1 and "without elements" in str(caught[0].message) and caught[0].filename == __file__


def test_constants_share_what_is_one():
    """A constant on overlapping memory would be harmless, and is refused like any other fill: one rule."""
    raises(fanin.ShapeError, "share memory", fanin.init.ones_,
           np.lib.stride_tricks.as_strided(np.zeros(9, np.float32), (3, 3), (4, 4)))


def test_torch_tensors():
    if torch is None:
        return
    expected = normal(np.zeros((40, 30), np.float32))
    tensor = torch.zeros(40, 30)
    assert normal(tensor) is tensor and np.array_equal(tensor.numpy(), expected) and tensor._version == 1
    half = torch.zeros(64, dtype=torch.bfloat16)
    normal(half)
    assert half.any()
    for dtype in (torch.float8_e4m3fn, torch.float8_e5m2, torch.bool, torch.complex64, torch.int64, torch.uint16):
        fanin.init.ones_(torch.zeros(3, dtype=dtype))
    parameter = torch.nn.Parameter(torch.zeros(40, 30))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized = torch.quantize_per_tensor(torch.zeros(5), 0.1, 0, torch.qint8)
    cases = [(parameter, "requires grad"), (torch.zeros(3, device="meta"), "meta"), (torch.zeros(3).to_sparse(), "layout"),
             (torch.zeros(5, 5).to_sparse_csr(), "layout"), (quantized, "memory"),
             (torch.zeros(3, dtype=torch.complex64).conj(), "conjugated"),
             (torch.zeros(3, dtype=torch.complex64).conj().imag, "negated")]
    for tensor, text in cases:
        raises(fanin.ArrayError, text, normal, tensor)
    assert not parameter.any()
    raises(fanin.ShapeError, "share memory", normal, torch.zeros(3).expand(4, 3))
    raises(fanin.DtypeError, "", fanin.init.ones_, torch.zeros(3, dtype=torch.complex128))
    from torch._subclasses.fake_tensor import FakeTensorMode
    with FakeTensorMode():
        raises(fanin.ArrayError, "", normal, torch.zeros(3))
    raises(fanin.ArrayError, "", torch.vmap(lambda x: normal(x)), torch.zeros(3, 4))
    with torch.inference_mode():
        normal(torch.zeros(3))
    shrunk = torch.zeros(100)
    shrunk.untyped_storage().resize_(0)
    raises(fanin.ArrayError, "storage", normal, shrunk)
    if torch.cuda.is_available():
        raises(fanin.ArrayError, "cuda", normal, torch.zeros(3, device="cuda"))
        pinned = torch.zeros(40, 30).pin_memory()
        assert np.array_equal(normal(pinned).numpy(), expected)


def test_jax_arrays():
    if jax is None:
        return
    for dtype in ("float32", "bfloat16"):
        array = jax.numpy.zeros(20, dtype)
        raises(fanin.ArrayError, "old capsule", normal, array)
        assert not array.any()
    expected = normal(np.zeros(20, np.float32))
    assert np.array_equal(jax.numpy.asarray(normal(np.zeros(20, np.float32))), expected)


class Producer:
    """A DLPack producer that can lie in every field, made by ctypes."""

    class Tensor(ctypes.Structure):
        _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
                    ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
                    ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
                    ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64)]

    def __init__(self, device=1, flags=0, major=1, code=2, bits=32, lanes=1, versioned=True, with_strides=True, offset=0,
                 returned=None, takes_version=True):
        class Versioned(ctypes.Structure):
            _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
                        ("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", Producer.Tensor)]

        self.memory = (ctypes.c_float * 12)()
        self.shape = (ctypes.c_int64 * 2)(2, 3)
        self.strides = (ctypes.c_int64 * 2)(3, 1)
        tensor = Producer.Tensor(ctypes.addressof(self.memory), device or 0, 0, 2, code, bits, lanes, self.shape,
                                 self.strides if with_strides else None, offset)
        self.managed = Versioned(major, 0, None, None, flags, tensor) if versioned else tensor
        self.device, self.versioned, self.returned, self.takes_version = device, versioned, returned, takes_version

    def __dlpack_device__(self):
        if self.device is None:
            raise RuntimeError("no device")
        return self.device, 0

    def __dlpack__(self, **named):
        if named and not self.takes_version:
            raise TypeError("unexpected keyword argument max_version")
        if self.returned is not None:
            return self.returned
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(ctypes.addressof(self.managed), b"dltensor_versioned" if self.versioned else b"dltensor", None)


def test_dlpack():
    expected = normal(np.zeros((2, 3), np.float32)).ravel().tolist()
    for with_strides, offset in itertools.product((True, False), (0, 8)):
        producer = Producer(with_strides=with_strides, offset=offset)
        normal(producer)
        first = offset // 4
        assert producer.memory[first:first + 6] == expected and producer.memory[:first] == [0.0] * first
    for named, error, text in (({"flags": 1}, fanin.ArrayError, "read-only"), ({"flags": 2}, fanin.ArrayError, "copy"),
                               ({"major": 2}, fanin.ArrayError, "DLPack 2"), ({"device": 2}, fanin.ArrayError, "CUDA"),
                               ({"device": 99}, fanin.ArrayError, "99"), ({"device": None}, fanin.ArrayError, "no device"),
                               ({"versioned": False}, fanin.ArrayError, "old capsule"),
                               ({"versioned": False, "takes_version": False}, fanin.ArrayError, "old capsule"),
                               ({"lanes": 4}, fanin.DtypeError, "lanes"), ({"bits": 128}, fanin.DtypeError, "128"),
                               ({"code": 3}, fanin.DtypeError, "code 3"), ({"returned": 5}, fanin.ArrayError, "capsule"),
                               ({"code": 0}, fanin.DtypeError, "random values"), ({"offset": 2}, fanin.ArrayError, "aligned")):
        producer = Producer(**named)
        raises(error, text, normal, producer)
        assert not any(producer.memory), named


def test_plan_tensors():
    plan = fanin.Plan.create(str(python_package.ROOT / "examples" / "gpt2" / "config.json"))
    name = "transformer.wpe.weight"
    array = plan.tensor(name, 3)
    assert array.dtype == np.float32 and array.shape == (1024, 768)
    again = np.zeros_like(array)
    plan.fill({name: again}, 3)
    assert np.array_equal(array, again) and array.any()
    raises(fanin.ShapeError, "contiguous", plan.fill, {name: np.zeros((768, 1024), np.float32).T}, 3)
    if ml_dtypes is not None:
        half = fanin.Plan.create(str(python_package.ROOT / "examples" / "gpt2" / "config.json"), dtype="bf16")
        assert half.tensor(name, 3).dtype == ml_dtypes.bfloat16


if __name__ == "__main__":
    sys.exit(python_package.run(globals()))
