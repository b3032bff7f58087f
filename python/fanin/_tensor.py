# SPDX-License-Identifier: MIT
"""Views: the memory of an array, in place and without a copy, as the library's fanin_tensor. Reads NumPy arrays, the
buffer protocol, and DLPack; refuses what cannot or must not be written."""

import ctypes
import itertools
import operator
import sys
import typing

from . import _lib
from .errors import ArrayError, ArgumentError, DtypeError, ShapeError

# -- Element types by the names others give them ----------------------------------------------------------------------

_BY_NUMPY_NAME = {"bool": "bool", "uint8": "u8", "int8": "i8", "uint16": "u16", "int16": "i16", "uint32": "u32",
                  "int32": "i32", "uint64": "u64", "int64": "i64", "float16": "f16", "float32": "f32",
                  "float64": "f64", "complex64": "c64", "bfloat16": "bf16", "float8_e4m3fn": "f8_e4m3",
                  "float8_e5m2": "f8_e5m2", "float8_e8m0fnu": "f8_e8m0", "float8_e4m3fnuz": "f8_e4m3fnuz",
                  "float8_e5m2fnuz": "f8_e5m2fnuz"}

def numpy_name(dtype: str) -> typing.Optional[str]:
    """NumPy's, or ml_dtypes', name of an element type; None if there is none."""
    return next((name for name, ours in _BY_NUMPY_NAME.items() if ours == dtype), None)


# DLPack's (code, bits).
_BY_DLPACK = {(0, 8): "i8", (0, 16): "i16", (0, 32): "i32", (0, 64): "i64", (1, 8): "u8", (1, 16): "u16",
              (1, 32): "u32", (1, 64): "u64", (2, 16): "f16", (2, 32): "f32", (2, 64): "f64", (4, 16): "bf16",
              (5, 64): "c64", (6, 8): "bool", (10, 8): "f8_e4m3", (11, 8): "f8_e4m3fnuz", (12, 8): "f8_e5m2",
              (13, 8): "f8_e5m2fnuz", (14, 8): "f8_e8m0"}

_BUFFER_FLOATS = {"e": "f16", "f": "f32", "d": "f64", "?": "bool", "Zf": "c64"}
_BUFFER_INTEGERS = {"b": "i", "h": "i", "i": "i", "l": "i", "q": "i", "n": "i",
                    "B": "u", "H": "u", "I": "u", "L": "u", "Q": "u", "N": "u"}


class View:
    """Memory of somebody else: what every function of `fanin.init` writes to. Made by `fanin.view`.

    It keeps what it was made from alive.
    """

    __slots__ = ("_c", "_owner", "_written")

    def __init__(self, address, dtype, shape, strides, owner, written=None):
        """strides in elements; written: called after the memory was changed."""
        if len(shape) > _lib.MAX_DIMS:
            raise ShapeError("%d dimensions; a view has 0 to %d: merge those that are contiguous, by a reshape"
                             % (len(shape), _lib.MAX_DIMS))
        self._c = _lib.Tensor(data=address, dtype=_lib.DTYPE_CODES[dtype], ndim=len(shape))
        self._c.shape[:len(shape)] = shape
        self._c.strides[:len(shape)] = strides
        self._owner = owner
        self._written = written

    @property
    def dtype(self) -> str:
        """The element type by fanin's name: "f32", "bf16" ..."""
        return _lib.DTYPES[self._c.dtype - 1]

    @property
    def shape(self) -> typing.Tuple[int, ...]:
        """The size of each dimension."""
        return tuple(self._c.shape[:self._c.ndim])

    @property
    def strides(self) -> typing.Tuple[int, ...]:
        """The distance between neighbours in each dimension, in elements."""
        return tuple(self._c.strides[:self._c.ndim])

    @property
    def layout(self) -> str:
        """Which axes are the fans: "out_in", "in_out" or "transposed"."""
        return _lib.LAYOUTS[self._c.layout]

    @property
    def groups(self) -> int:
        """How many groups the fans are divided into."""
        return self._c.groups or 1

    def __repr__(self) -> str:
        return "<fanin.View %s %s>" % ("x".join(map(str, self.shape)) or "scalar", self.dtype)


def view(array: typing.Any, dtype: typing.Optional[str] = None, layout: str = "out_in", groups: int = 1) -> View:
    """The memory of `array`, in place, as every function of `fanin.init` takes it.

    array: a NumPy array (with ml_dtypes' bfloat16 and 8-bit floats), anything with DLPack 1.0 in the memory of this
        process, a torch tensor on the CPU, or anything with the buffer protocol (`bytearray`, `array.array`, `mmap`,
        ctypes arrays). Any strides that are positive and do not overlap; up to 8 dimensions.
    dtype: reads the same bytes as another type of the same size: `view(uint16_array, dtype="bf16")`.
    layout: which axes of a weight are its fans. "out_in" is torch's [out, in / groups, kernel...]; "in_out" is
        [kernel..., in / groups, out] (Keras, JAX, GPT-2's Conv1D); "transposed" is [in, out / groups, kernel...].
    groups: with more than 1 a fan counts what one output (or input) is connected to.
    Raises fanin.ArrayError (a TypeError) for what is read-only, on a device, or no array; fanin.DtypeError for an
    element type that fanin does not know; fanin.ShapeError for overlapping or flipped memory.
    """
    found = array if isinstance(array, View) else _read(array)
    c = _lib.Tensor.from_buffer_copy(found._c)
    made = View.__new__(View)
    made._c, made._owner, made._written = c, found._owner, found._written
    if dtype is not None:
        c.dtype = _retyped(made.dtype, dtype)
    if layout not in _lib.LAYOUTS:
        raise ArgumentError("layout %r is none of %s" % (layout, ", ".join(_lib.LAYOUTS)))
    count = operator.index(groups)
    if not 1 <= count < 2**31:
        raise ArgumentError("groups must be at least 1, and fit 31 bits; it is %d" % count)
    if not isinstance(array, View) or layout != "out_in" or count != 1:
        c.layout = _lib.LAYOUTS.index(layout)
        c.groups = 0 if count == 1 else count
    return made


def as_view(array: typing.Any) -> View:
    """`array` itself if it is a view, else a view of it."""
    return array if isinstance(array, View) else _read(array)


def _retyped(old: str, new: str) -> int:
    if not isinstance(new, str):
        raise TypeError("dtype is a name such as \"bf16\", not %s" % type(new).__name__)
    code = _lib.lib.fanin_dtype_from_name(new.encode("utf-8", "surrogateescape"))
    if code == 0:
        raise DtypeError("there is no dtype %r; fanin knows %s" % (new, ", ".join(_lib.DTYPES)))
    nbits = _lib.lib.fanin_dtype_nbits(code)
    if nbits != _lib.lib.fanin_dtype_nbits(_lib.DTYPE_CODES[old]):
        raise DtypeError("%s has elements of %d bits, the array has %s; pass an array of elements of that size"
                         % (new, nbits, old))
    return code


# -- Which protocol ---------------------------------------------------------------------------------------------------


def _read(array):
    numpy = sys.modules.get("numpy")
    torch = sys.modules.get("torch")
    if numpy is not None and isinstance(array, numpy.ndarray):
        found = _from_numpy(numpy, array)
    elif torch is not None and isinstance(array, torch.Tensor):
        found = _from_torch(torch, array)
    elif hasattr(array, "__dlpack__"):
        found = _from_dlpack(array, False)
    else:
        found = _from_buffer(array)
    _check_memory(found)
    return found


def _from_numpy(numpy, array):
    if isinstance(array, numpy.ma.MaskedArray):
        raise ArrayError("a masked array: fill its data (array.data), the mask has no part in it")
    dtype = _BY_NUMPY_NAME.get(array.dtype.name)
    if dtype is None or array.dtype.fields is not None:
        raise DtypeError("NumPy's dtype %s is none that fanin knows; use one of %s"
                         % (array.dtype, ", ".join(sorted(_BY_NUMPY_NAME))))
    if not array.dtype.isnative:
        raise DtypeError("the array's bytes are in the other order (%s); use array.dtype.newbyteorder('=')"
                         % array.dtype.str)
    if not array.flags.writeable:
        raise ArrayError("the array is read-only; pass one that may be written, or a copy")
    strides = _in_elements(array.strides, array.shape, array.itemsize)
    return View(array.__array_interface__["data"][0], dtype, array.shape, strides, array)


def _in_elements(strides, shape, itemsize):
    """Strides in bytes as strides in elements; what the stride of a dimension without neighbours is does not matter."""
    found = []
    for stride, n in zip(strides, shape):
        if n > 1 and 0 not in shape and stride % itemsize:
            raise ShapeError("a stride of %d bytes is no multiple of the %d bytes of an element (a field of a record?);"
                             " fill an array of its own and copy it there" % (stride, itemsize))
        found.append(stride // itemsize)
    return found


def _row_major(shape):
    """The strides of memory that gives none."""
    strides = [1] * len(shape)
    for i in range(len(shape) - 2, -1, -1):
        strides[i] = strides[i + 1] * max(shape[i + 1], 1)
    return strides


def _check_memory(found):
    """Refuses what a fill could write, but not into the elements that are meant."""
    c = found._c
    nbytes = _lib.lib.fanin_dtype_nbits(c.dtype) // 8
    if not c.data and 0 not in found.shape:
        raise ArrayError("the array has no memory")
    if (c.data or 0) % nbytes and 0 not in found.shape:
        raise ArrayError("the memory begins at an address that is no multiple of %d bytes; use an aligned array" % nbytes)
    if overlaps(found.shape, found.strides):
        raise ShapeError("elements of the array share memory (shape %s, strides %s): fill the array it was made from"
                         % (found.shape, found.strides))


def overlaps(shape, strides) -> bool:
    """Whether two indices lead to one element, or may: beyond a million elements only nested strides are believed."""
    dims = sorted((stride, n) for n, stride in zip(shape, strides) if n > 1)
    if 0 in shape or not dims:
        return False
    if dims[0][0] < 0:
        return False  # a flipped view: the library refuses it, saying so
    reach = 0  # the farthest element of the dimensions so far
    for stride, n in dims:
        if stride <= reach:
            break
        reach += stride * (n - 1)
    else:
        return False
    nelem = 1
    for _, n in dims:
        nelem *= n
    if dims[0][0] == 0 or nelem > 1 << 20:
        return True
    offsets = {sum(at) for at in itertools.product(*(range(0, stride * n, stride) for stride, n in dims))}
    return len(offsets) < nelem


# -- The buffer protocol ----------------------------------------------------------------------------------------------


class _PyBuffer(ctypes.Structure):
    """CPython's Py_buffer (PEP 3118)."""

    _fields_ = [("buf", ctypes.c_void_p), ("obj", ctypes.c_void_p), ("len", ctypes.c_ssize_t),
                ("itemsize", ctypes.c_ssize_t), ("readonly", ctypes.c_int), ("ndim", ctypes.c_int),
                ("format", ctypes.c_char_p), ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
                ("strides", ctypes.POINTER(ctypes.c_ssize_t)), ("suboffsets", ctypes.POINTER(ctypes.c_ssize_t)),
                ("internal", ctypes.c_void_p)]


_PYBUF_FULL_RO = 0x011C  # shape, strides, suboffsets, format; a read-only one is described too, and refused here


class _Export:
    """A buffer for as long as this object lives: its exporter neither moves nor frees it."""

    def __init__(self, array):
        self.buffer = _PyBuffer()
        self._release = ctypes.pythonapi.PyBuffer_Release
        ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(array), ctypes.byref(self.buffer), _PYBUF_FULL_RO)
        self.held = True

    def __del__(self):
        if getattr(self, "held", False):
            self._release(ctypes.byref(self.buffer))


def _from_buffer(array):
    try:
        export = _Export(array)
    except TypeError:
        raise ArrayError("%s is no array: it has neither DLPack nor the buffer protocol" % type(array).__name__) from None
    except BufferError as e:
        raise ArrayError("%s does not give its memory away: %s" % (type(array).__name__, e)) from None
    buffer = export.buffer
    if buffer.readonly:
        raise ArrayError("%s is read-only; pass an array that may be written (bytearray, array.array, a NumPy array)"
                         % type(array).__name__)
    shape = list(buffer.shape[:buffer.ndim]) if buffer.ndim else []
    if buffer.suboffsets and any(offset >= 0 for offset in buffer.suboffsets[:buffer.ndim]):
        raise ArrayError("the array is made of pointers to its rows; pass one piece of memory")
    dtype = _dtype_of_format((buffer.format or b"B").decode("latin-1"), buffer.itemsize)
    if buffer.strides:
        strides = _in_elements(buffer.strides[:buffer.ndim] if buffer.ndim else [], shape, buffer.itemsize)
    else:
        strides = _row_major(shape)
    return View(buffer.buf, dtype, shape, strides, (array, export))


def _dtype_of_format(code, itemsize):
    foreign = ">!" if sys.byteorder == "little" else "<"
    kind = code[1:] if code[:1] in ("@", "=", "<", ">", "!") else code
    if code[:1] in foreign and code[:1] and itemsize > 1:
        raise DtypeError("the array's bytes are in the other order (format %r)" % code)
    dtype = _BUFFER_FLOATS.get(kind)
    if dtype is None and kind in _BUFFER_INTEGERS:
        dtype = "%s%d" % (_BUFFER_INTEGERS[kind], 8 * itemsize)
    if dtype not in _lib.DTYPE_CODES:
        raise DtypeError("elements of the buffer format %r are none that fanin knows" % code)
    return dtype


# -- DLPack -----------------------------------------------------------------------------------------------------------


class _DLTensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
                ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
                ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64)]


class _DLManagedTensor(ctypes.Structure):
    """Before 1.0: says nothing on who may write."""

    _fields_ = [("tensor", _DLTensor)]


class _DLManagedTensorVersioned(ctypes.Structure):
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
                ("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", _DLTensor)]


_READ_ONLY, _IS_COPIED = 1, 2
# Memory that this process can write: plain, and pinned for CUDA or ROCm.
_HOST_DEVICES = (1, 3, 11)
_DEVICE_NAMES = {2: "CUDA", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 13: "CUDA (managed)", 14: "oneAPI"}

_capsule_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_capsule_is_valid.restype = ctypes.c_int
_capsule_is_valid.argtypes = [ctypes.py_object, ctypes.c_char_p]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


def _from_dlpack(array, trusts_legacy, written=None):
    """trusts_legacy: whether a capsule of the old kind, which cannot say that it is read-only, is believed."""
    name = type(array).__name__
    try:
        device = array.__dlpack_device__()[0]
    except Exception as e:
        raise ArrayError("%s does not say where its memory is: %s" % (name, e)) from e
    if device not in _HOST_DEVICES:
        raise ArrayError("%s is on a device (%s), and fanin writes the memory of the processor; fill an array there and "
                         "copy it" % (name, _DEVICE_NAMES.get(int(device), "DLPack's number %d" % device)))
    try:
        try:
            capsule = array.__dlpack__(max_version=(1, 0))
        except TypeError:
            capsule = array.__dlpack__()
    except Exception as e:
        raise ArrayError("%s does not give its memory away: %s" % (name, e)) from e
    if _capsule_is_valid(capsule, b"dltensor_versioned"):
        managed = ctypes.cast(_capsule_pointer(capsule, b"dltensor_versioned"),
                              ctypes.POINTER(_DLManagedTensorVersioned)).contents
        if managed.major != 1:
            raise ArrayError("%s speaks DLPack %d.%d, and version 1 was asked for" % (name, managed.major, managed.minor))
        if managed.flags & _READ_ONLY:
            raise ArrayError("%s is read-only; pass an array that may be written, or a copy" % name)
        if managed.flags & _IS_COPIED:
            raise ArrayError("%s gave a copy of its memory, so that a fill would be lost; pass an array of plain memory"
                             % name)
    elif _capsule_is_valid(capsule, b"dltensor"):
        if not trusts_legacy:
            raise ArrayError("%s hands out DLPack's old capsule, which cannot say that it is read-only (JAX arrays are);"
                             " fill a NumPy array or a torch tensor and make yours from it" % name)
        managed = ctypes.cast(_capsule_pointer(capsule, b"dltensor"), ctypes.POINTER(_DLManagedTensor)).contents
    else:
        raise ArrayError("what %s.__dlpack__ returns is no DLPack capsule that is still to be used" % name)
    tensor = managed.tensor
    if tensor.device_type not in _HOST_DEVICES:
        raise ArrayError("%s is not in the memory of the processor" % name)
    dtype = _BY_DLPACK.get((tensor.code, tensor.bits)) if tensor.lanes == 1 else None
    if dtype is None:
        raise DtypeError("DLPack's element type (code %d, %d bits, %d lanes) is none that fanin knows"
                         % (tensor.code, tensor.bits, tensor.lanes))
    shape = tensor.shape[:tensor.ndim] if tensor.ndim else []
    strides = (tensor.strides[:tensor.ndim] if tensor.ndim else []) if tensor.strides else _row_major(shape)
    # The capsule stays as it is: left unconsumed, it gives the memory back when it is dropped.
    return View((tensor.data or 0) + tensor.byte_offset, dtype, shape, strides, (array, capsule), written)


def _from_torch(torch, array):
    if type(array) not in (torch.Tensor, torch.nn.Parameter):
        raise ArrayError("%s is a kind of tensor that may have no memory of its own; pass a plain one"
                         % type(array).__name__)
    if array.requires_grad:
        raise ArrayError("the tensor requires grad; pass tensor.detach(), or use fanin.torch.init")
    if array.layout is not torch.strided:
        raise ArrayError("the tensor's layout is %s; only dense tensors have memory to fill" % array.layout)
    if array.device.type != "cpu":
        raise ArrayError("the tensor is on %s, and fanin writes the memory of the processor; fill a tensor there and copy "
                         "it" % array.device)
    if array.is_neg() or array.is_conj():
        raise ArrayError("the tensor is a negated or conjugated view; fill the tensor it was made from")
    as_bytes = array.dtype.is_floating_point and array.element_size() == 1  # which DLPack knows from torch 2.9 on
    found = _from_dlpack(array.view(torch.uint8) if as_bytes else array, True,
                         lambda: torch.autograd.graph.increment_version(array))
    if as_bytes:
        found._c.dtype = _lib.DTYPE_CODES[_BY_NUMPY_NAME[str(array.dtype).partition(".")[2]]]
    reach = 1 + sum((n - 1) * stride for n, stride in zip(found.shape, found.strides))
    if 0 not in found.shape and \
            (array.storage_offset() + reach) * array.element_size() > array.untyped_storage().nbytes():
        raise ArrayError("the tensor reaches beyond its storage of %d bytes" % array.untyped_storage().nbytes())
    return found
