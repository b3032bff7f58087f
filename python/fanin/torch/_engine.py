# SPDX-License-Identifier: MIT
"""One fill of a torch tensor from a torch generator, by the library: state out, fill, state back, under one lock. Says
which tensors are fanin's to fill, and leaves every other one to torch."""

import ctypes
import math
import os
import threading
import typing

import torch

from .. import _lib, _threads
from .._lib import lib

# Below this many elements torch's own kernel is done before a state is read and written back.
MIN_NELEM = 3000
# Another thread's draw between reading and writing a state makes the fill start again, this often at most.
_MAX_TRIES = 20

RELEASE = tuple(int(part) for part in torch.__version__.split(".")[:2])

UNIFORM, NORMAL, TRUNC_NORMAL = (_lib.FILL_CODES[name] for name in ("uniform", "normal", "trunc_normal"))
_DTYPES = {torch.float32: _lib.DTYPE_CODES["f32"], torch.float64: _lib.DTYPE_CODES["f64"],
           torch.bfloat16: _lib.DTYPE_CODES["bf16"], torch.float16: _lib.DTYPE_CODES["f16"]}

# Over get_state, fill and set_state of every generator, and over torch's own fills while fanin's may run: the call into
# the library lets other Python threads run, and one of them could read the state before it is written back. Held again
# by the thread that has it, since torch's fills may end in each other.
lock = threading.RLock()

_pool: typing.Optional[_threads.Pool] = None


def _begin_child():
    # The forking thread holds the lock; in the child it is alone, and the pool's threads are not there.
    global _pool
    _pool = None
    lock.release()


os.register_at_fork(before=lambda: lock.acquire(), after_in_parent=lambda: lock.release(), after_in_child=_begin_child)


# -- Which bits -------------------------------------------------------------------------------------------------------

# (kind, by uniforms, in scalar steps, dtype) -> the profile under which the library does it as this torch does; 0: none.
_Case = typing.Tuple[int, bool, bool, torch.dtype]
_profiles: typing.Dict[_Case, int] = {}


def _case_of(tensor, kind, values) -> _Case:
    # As torch decides: normal_ goes in scalar steps over few elements, and over memory in another order.
    by_uniforms = kind == UNIFORM or (kind == TRUNC_NORMAL and trunc_normal_mass(*values) <= 0.3)
    scalar = not by_uniforms and (tensor.numel() < 16 or not tensor.is_contiguous())
    return kind, by_uniforms, scalar, tensor.dtype


def trunc_normal_mass(mean, std, a, b) -> float:
    """How much of the normal distribution lies between the bounds; torch's two ways of drawing part at 0.3."""
    return (math.erf((b - mean) / std / math.sqrt(2.0)) - math.erf((a - mean) / std / math.sqrt(2.0))) / 2.0


def _find_profile(case) -> int:
    """Compares torch's own kernel with the library's, once for each case: a build of torch for another processor, or a
    newer torch, may round otherwise, and such fills stay torch's."""
    _profiles[case] = 0  # torch's own, should its way lead here again
    for name in ("torch-%d.%d" % RELEASE, "torch-%d.%d:unfused" % RELEASE):
        profile, error = ctypes.c_uint32(), _lib.Error()
        if lib.fanin_profile_parse(name.encode(), ctypes.byref(profile), ctypes.byref(error)) == 0 and \
                _agrees(profile.value, case):
            _profiles[case] = profile.value
            break
    return _profiles[case]


def prepare() -> None:
    """Makes the comparisons that fills lead to, in a thread of its own: modes and transforms belong to the thread that is
    in them, and have no part in this."""
    cases = [(kind, kind == UNIFORM, scalar, dtype) for kind, scalar in ((UNIFORM, False), (NORMAL, False), (NORMAL, True))
             for dtype in _DTYPES]
    missing = [case for case in cases if case not in _profiles]
    if missing:
        thread = threading.Thread(target=lambda: [_find_profile(case) for case in missing], name="fanin-compare")
        thread.start()
        thread.join()


def _agrees(profile, case):
    kind, by_uniforms, scalar, dtype = case
    generator = torch.Generator(device="cpu")
    generator.manual_seed(20)
    ours, theirs = (torch.zeros(2 * 4096 + 2 * 21, dtype=dtype, device="cpu")[::2 if scalar else 1] for _ in range(2))
    state = generator.get_state()
    if kind == UNIFORM:
        values = -0.3, 1.7
        theirs.uniform_(*values, generator=generator)
    elif kind == NORMAL:
        values = 0.1, 0.7
        theirs.normal_(*values, generator=generator)
    else:
        values = (0.1, 0.7, 1.0, 1.5) if by_uniforms else (0.1, 0.7, -1.0, 1.0)
        torch.nn.init.trunc_normal_(theirs, *values, generator=generator)
    c, error = _lib.Generator(profile=profile), _lib.Error()
    fill = _lib.Fill(kind=kind, value=values + (0.0,) * (4 - len(values)))
    view = _lib.Tensor(data=ours.data_ptr(), dtype=_DTYPES[dtype], ndim=1)
    view.shape[0], view.strides[0] = ours.numel(), ours.stride(0)
    if lib.fanin_generator_set_torch_state(c, state.data_ptr(), state.numel(), ctypes.byref(error)) != 0 or \
            lib.fanin_fill_run(ctypes.byref(fill), ctypes.byref(view), c, ctypes.byref(error)) != 0:
        return False
    lib.fanin_generator_get_torch_state(c, state.data_ptr())
    return torch.equal(ours, theirs) and torch.equal(state, generator.get_state())


# -- Which tensors ----------------------------------------------------------------------------------------------------

_keys_of = torch._C._dispatch_keys
_tls_keys = torch._C._dispatch_tls_local_include_set


def _keys(*names):
    found = torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, names[0]))
    for name in names[1:]:
        found = found.add(getattr(torch._C.DispatchKey, name))
    return found.raw_repr()


# The dispatcher's own words for a dense tensor on the CPU that nothing wraps, and for a thread in which no mode, no
# transform (vmap, grad), no tracer and no fake tensors are at work; and both again for inference mode.
_INFERENCE_TENSOR = _keys("CPU", "AutocastCPU")
_PLAIN_TENSORS = _keys("CPU", "ADInplaceOrView", "AutogradCPU", "AutocastCPU"), _INFERENCE_TENSOR
_INFERENCE_MODE = _keys("BackendSelect")
_PLAIN_THREADS = _keys("BackendSelect", "ADInplaceOrView"), _INFERENCE_MODE
_TYPES = torch.Tensor, torch.nn.Parameter


def is_plain(tensor, generator) -> bool:
    """Whether the tensor's memory may be written past the dispatcher: nobody would notice but by the version counter,
    which the caller has to raise."""
    if type(tensor) not in _TYPES or not (generator is None or isinstance(generator, torch.Generator)):
        return False
    keys, thread = _keys_of(tensor).raw_repr(), _tls_keys().raw_repr()
    if keys not in _PLAIN_TENSORS or thread not in _PLAIN_THREADS:
        return False
    # Outside of inference mode a tensor made in it may not be changed, as torch will say.
    return (keys != _INFERENCE_TENSOR or thread == _INFERENCE_MODE) and not torch._C._len_torch_function_stack() and \
        torch.autograd.forward_ad._current_level < 0


def are_numbers(*values) -> bool:
    """Whether torch would take each for a float without looking twice."""
    return all(type(value) is float or (type(value) is int and -(2**53) < value < 2**53) for value in values)


# -- The fill ---------------------------------------------------------------------------------------------------------

_libc = ctypes.CDLL(None)
_libc.memcmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]

# Scratch of the one call that holds the lock.
_fill = _lib.Fill()
_tensor = _lib.Tensor()
_generator = _lib.Generator()
_before = _lib.Generator()  # as it was before a trunc_normal_
_huge = ctypes.c_bool()
_error = _lib.Error()
_fill_ref, _tensor_ref, _generator_ref, _huge_ref, _error_ref = (
    ctypes.byref(x) for x in (_fill, _tensor, _generator, _huge, _error))
# The same function in a call that keeps other Python threads waiting.
_run_alone = ctypes.PyDLL(lib.path).fanin_fill_run_fresh
_run_alone.restype, _run_alone.argtypes = lib.fanin_fill_run_fresh.restype, lib.fanin_fill_run_fresh.argtypes
_default_generator = torch.default_generator
_WITHOUT_END = b"torch would not end"  # of the library's message


def reach_of(tensor) -> int:
    """How many elements lie between the first and the last, both included; 0 without elements. Raises RuntimeError where
    that is beyond the storage: torch would write there all the same."""
    numel = tensor.numel()
    if numel == 0:
        return 0
    reach = numel if tensor.is_contiguous() else \
        1 + sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride()))
    if (tensor.storage_offset() + reach) * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise RuntimeError("the tensor of shape %s reaches beyond its storage of %d bytes"
                           % (tuple(tensor.shape), tensor.untyped_storage().nbytes()))
    return reach


def _describe(tensor) -> bool:
    """Puts the tensor's memory into the scratch view; false for what is not to be filled by the library: more dimensions
    than a view has, elements that may share memory."""
    c = _tensor
    reach = reach_of(tensor)
    if tensor.is_contiguous():
        c.ndim, c.shape[0], c.strides[0] = 1, reach, 1
    else:
        shape, strides = tensor.shape, tensor.stride()
        if len(shape) > _lib.MAX_DIMS:
            return False
        inner = 1  # the reach of the dimensions so far
        for stride, n in sorted((s, n) for n, s in zip(shape, strides) if n > 1):
            if stride < inner:
                return False
            inner += stride * (n - 1)
        c.ndim = len(shape)
        c.shape[:len(shape)] = shape
        c.strides[:len(shape)] = strides
    c.dtype = _DTYPES[tensor.dtype]
    c.data = tensor.data_ptr()
    return True


def draw(tensor, kind, values, generator) -> bool:
    """Fills the tensor as torch's kernel would, and leaves the generator as it would; false if that is torch's to do,
    with nothing changed. The caller holds the lock, and has seen to it that the tensor is a plain one on the CPU.

    Raises fanin.ArgumentError, a ValueError, for a trunc_normal_ that torch would never finish.
    """
    global _pool
    if tensor.dtype not in _DTYPES or not (math.isfinite(values[0]) and math.isfinite(values[1])):
        return False
    if generator is None:
        generator = _default_generator
    elif generator.device.type != "cpu":
        return False
    case = _case_of(tensor, kind, values)
    profile = _profiles.get(case)
    if profile is None:
        profile = _find_profile(case)
    if not profile or not _describe(tensor):
        return False
    _fill.kind = kind
    _fill.value[:len(values)] = values
    nthreads = torch.get_num_threads()
    pool = _pool
    if pool is None or pool.asked != nthreads:
        _pool = pool = _threads.Pool(nthreads)
    _huge.value = asked = _threads.may_be_huge()
    _generator.profile = profile
    state = generator.get_state()
    address, nbytes = state.data_ptr(), state.numel()
    run = lib.fanin_fill_run_fresh
    for _ in range(_MAX_TRIES):
        if lib.fanin_generator_set_torch_state(_generator, address, nbytes, _error_ref) != 0:
            return False
        if kind == TRUNC_NORMAL:
            ctypes.memmove(ctypes.addressof(_before), ctypes.addressof(_generator), ctypes.sizeof(_before))
        if run(_fill_ref, _tensor_ref, _generator_ref, pool.pointer, _huge_ref, _error_ref) != 0:
            if _WITHOUT_END in _error.message:
                _lib.raise_error(_error)
            return False
        # A thread in a kernel that takes no lock of ours (randperm, dropout) may have drawn meanwhile; not twice, since
        # for its next call it needs Python.
        now = generator.get_state()
        now_address = now.data_ptr()
        if _libc.memcmp(now_address, address, nbytes) == 0:
            break
        state, address, run = now, now_address, _run_alone
    lib.fanin_generator_get_torch_state(_generator, address)
    generator.set_state(state)
    if asked and not _huge.value:
        _threads.found_cold()
    return True


def trunc_normal_(tensor, mean, std, a, b, generator) -> bool:
    """As `draw`, for any plain tensor and with its version counter; false if it is torch's to do. The caller holds the
    lock."""
    if RELEASE < (2, 12):
        # An inverse error function of the host's, whose bits in float32 are its own, and five writes.
        reach_of(tensor)  # only for what it raises
        return False
    if not (are_numbers(mean, std, a, b) and std > 0 and tensor.numel() > 0 and tensor.dtype in _DTYPES):
        return False
    values = float(mean), float(std), float(a), float(b)
    if not draw(tensor, TRUNC_NORMAL, values, generator):
        return False
    # torch writes the tensor once, and a second time after more than one round.
    torch.autograd.graph.increment_version([tensor] * (2 if _took_more_rounds() else 1))
    return True


def _took_more_rounds():
    """Whether the trunc_normal_ just made needed more than the round it began with: then it drew more."""
    stream = _lib.FillStream(has_cached=_before.has_next_normal)
    if lib.fanin_fill_measure(_fill_ref, _tensor_ref, _before.profile, ctypes.byref(stream), _error_ref) != 0 or \
            not stream.data_dependent:
        return False
    lib.fanin_generator_skip(_before, stream.ndraws)
    # In scalar steps an odd number of elements uses the cached normal, or leaves one.
    cached = _before.has_next_normal != (stream.scalar and lib.fanin_tensor_nelem(_tensor_ref) % 2 == 1)
    return cached != _generator.has_next_normal or _before.next != _generator.next or \
        bytes(_before.words) != bytes(_generator.words)
