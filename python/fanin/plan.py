# SPDX-License-Identifier: MIT
"""Plans: a whole model as a list of fills, each at its place in the stream; made for any seed, whole or one tensor
alone."""

import ctypes
import os
import typing

from . import _lib, _tensor, _threads
from ._lib import lib
from .errors import ArgumentError, DtypeError, ShapeError
from .generator import as_seed, parse_profile


class PlanTensor(typing.NamedTuple):
    """One name of a plan: dtype by fanin's name, `tied_to` the name it shares its memory with, or None.

    A buffer that is not persistent is no part of a checkpoint. `refused`: why the tensor cannot be made, or None.
    """

    name: str
    dtype: str
    shape: typing.Tuple[int, ...]
    nelem: int
    nbytes: int
    tied_to: typing.Optional[str]
    is_buffer: bool
    is_persistent: bool
    refused: typing.Optional[str]


class Plan:
    """A plan, as `fanin plan --json` or `fanin.torch.record` makes it. Immutable, and the same for every seed.

    Made by `Plan.parse`, `Plan.load` or `Plan.create`. `tensors` lists its names in order.
    """

    def __init__(self) -> None:
        raise TypeError("a plan is made by Plan.load(path), Plan.parse(text) or Plan.create(description)")

    @classmethod
    def _of(cls, pointer):
        plan = cls.__new__(cls)
        plan._free = lib.fanin_plan_free
        plan._pointer = pointer
        plan.tensors = tuple(plan._tensor_at(i) for i in range(lib.fanin_plan_tensor_count(pointer)))
        plan._makers = None
        plan._index = {tensor.name: i for i, tensor in enumerate(plan.tensors)}
        return plan

    def __del__(self) -> None:
        if getattr(self, "_free", None) is not None:
            self._free(self._pointer)

    def _tensor_at(self, i):
        c = lib.fanin_plan_tensor_at(self._pointer, i).contents
        return PlanTensor(c.name.decode(), _lib.DTYPES[c.dtype - 1], tuple(c.shape[:c.ndim]) if c.ndim else (),
                          c.nelem, c.nbytes, None if c.tied_to is None else c.tied_to.decode(), c.is_buffer,
                          c.is_persistent, None if c.refused is None else c.refused.decode())

    @classmethod
    def parse(cls, text: typing.Union[str, bytes], name: str = "plan") -> "Plan":
        """A plan from its JSON (docs/plan-format.md); `name` stands in messages where a file's name would.

        Raises fanin.FormatError, a ValueError, with line and column.
        """
        data = text.encode("utf-8") if isinstance(text, str) else bytes(text)
        pointer = ctypes.c_void_p()
        _lib.call(lib.fanin_plan_parse, data, len(data), os.fsencode(name), ctypes.byref(pointer))
        return cls._of(pointer)

    @classmethod
    def load(cls, path: typing.Union[str, "os.PathLike[str]"]) -> "Plan":
        """A plan from a file that `save`, or `fanin plan --json`, wrote."""
        with open(path, "rb") as file:
            return cls.parse(file.read(), os.fspath(path))

    @classmethod
    def create(cls, description: typing.Union[str, "os.PathLike[str]"],
               recipe: typing.Union[None, str, "os.PathLike[str]"] = None, profile: str = "torch",
               dtype: typing.Optional[str] = None) -> "Plan":
        """A plan from a description: a spec file or a Hugging Face config.json (docs/spec-format.md).

        recipe: a file with rules that go before the description's own. dtype: what f64, f32, bf16 and f16 tensors
        become. Raises fanin.FormatError with file, line and column, and fanin.ArgumentError for a tensor without a rule.
        """
        model, rules, pointer = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        options = _lib.PlanOptions(size=ctypes.sizeof(_lib.PlanOptions), profile=parse_profile(profile))
        if dtype is not None:
            options.dtype = lib.fanin_dtype_from_name(dtype.encode("utf-8", "surrogateescape"))
            if options.dtype == 0:
                raise DtypeError("there is no dtype %r; fanin knows %s" % (dtype, ", ".join(_lib.DTYPES)))
        try:
            _lib.call(lib.fanin_model_read, os.fsencode(description), ctypes.byref(model))
            if recipe is not None:
                _lib.call(lib.fanin_recipe_create, ctypes.byref(rules))
                _lib.call(lib.fanin_recipe_read, rules, os.fsencode(recipe))
            _lib.call(lib.fanin_plan_create, model, rules, ctypes.byref(options), ctypes.byref(pointer))
        finally:
            lib.fanin_recipe_free(rules)
            lib.fanin_model_free(model)
        return cls._of(pointer)

    @property
    def profile(self) -> str:
        """The frozen name of the profile whose bits the plan makes."""
        return lib.fanin_profile_name(lib.fanin_plan_profile(self._pointer)).decode()

    @property
    def ndraws(self) -> int:
        """32-bit draws of the whole plan; an op whose draws depend on the data counts as one round."""
        return lib.fanin_plan_ndraws(self._pointer)

    @property
    def warnings(self) -> typing.Tuple[str, ...]:
        """What planning noticed, in complete sentences with their place."""
        return tuple(lib.fanin_plan_warning_at(self._pointer, i).decode()
                     for i in range(lib.fanin_plan_warning_count(self._pointer)))

    @property
    def sha256(self) -> str:
        """SHA-256 of the plan's compact JSON, in hex."""
        digits = ctypes.create_string_buffer(65)
        _lib.call(lib.fanin_plan_sha256, self._pointer, digits)
        return digits.value.decode()

    def to_json(self) -> str:
        """The plan as compact JSON."""
        text = ctypes.c_void_p()
        _lib.call(lib.fanin_plan_to_json, self._pointer, ctypes.byref(text))
        return _lib.take_text(text)

    def save(self, path: typing.Union[str, "os.PathLike[str]"]) -> None:
        """Writes the plan's JSON, so that the path holds a whole plan or what it held before."""
        partial = "%s.partial-%d" % (os.fspath(path), os.getpid())
        try:
            with open(partial, "w", encoding="utf-8") as file:
                file.write(self.to_json() + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            if os.path.exists(partial):
                os.unlink(partial)

    def __len__(self) -> int:
        return len(self.tensors)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __repr__(self) -> str:
        return "<fanin.Plan: %d tensors, %s>" % (len(self), self.profile)

    def _find(self, name):
        try:
            return self._index[name]
        except KeyError:
            raise KeyError("the plan has no tensor %r" % (name,)) from None

    def _target(self, name, array):
        """A view of `array`, after a look at whether it can hold the tensor."""
        tensor, view = self.tensors[self._find(name)], _tensor.as_view(array)
        if view.dtype != tensor.dtype:
            raise DtypeError("%s is %s in the plan, and the array is %s" % (name, tensor.dtype, view.dtype))
        if view.shape != tensor.shape:
            raise ShapeError("%s has shape %s in the plan, and the array has %s" % (name, tensor.shape, view.shape))
        if not lib.fanin_tensor_is_contiguous(ctypes.byref(view._c)):
            raise ShapeError("the array for %s is not contiguous" % name)
        return view

    def _options(self, seed, pool):
        return _lib.RunOptions(size=ctypes.sizeof(_lib.RunOptions), seed=as_seed(seed), parallel=pool.pointer)

    def fill(self, arrays: typing.Mapping[str, typing.Any], seed: int) -> None:
        """Makes the tensors named, in place, side by side on `fanin.get_num_threads()` threads.

        arrays: name -> contiguous array of the tensor's dtype and shape (as `fanin.view` takes it). Each equals what the
        whole plan makes, whichever others are asked for. Raises KeyError for a name that the plan lacks,
        fanin.ShapeError and fanin.DtypeError for arrays that do not fit; nothing was written then.
        """
        views = {name: self._target(name, array) for name, array in arrays.items()}
        memory = (ctypes.c_void_p * len(self.tensors))()
        for name, view in views.items():
            memory[self._find(name)] = view._c.data
        pool = _threads.current_pool()
        options = self._options(seed, pool)
        # A tied name has no memory of its own in a run over all: alone it is made like any other.
        tied = [name for name in views if self.tensors[self._find(name)].tied_to is not None]
        for name in tied:
            memory[self._find(name)] = None
        _lib.call(lib.fanin_run_memory, self._pointer, ctypes.byref(options), memory)
        for name in tied:
            _lib.call(lib.fanin_run_tensor, self._pointer, ctypes.byref(options), self._find(name), views[name]._c.data)
        for view in views.values():
            if view._written is not None:
                view._written()

    def fill_blocks(self, blocks: typing.Iterable[typing.Tuple[str, typing.Sequence[int], typing.Any]], seed: int) -> None:
        """Makes blocks of tensors, in place, side by side on `fanin.get_num_threads()` threads.

        blocks: (name, start, array): elements start[d] to start[d] + array.shape[d] - 1 of each dimension d go to an array
            of the tensor's dtype, with any strides (as `fanin.view` takes it). Each equals that block of the whole
            tensor; hardly more than the block is made. A name may come several times.
        Raises KeyError for a name that the plan lacks, fanin.ShapeError and fanin.DtypeError for a block that does not
        fit; nothing was written then.
        """
        found = []
        for name, start, array in blocks:
            index, view = self._find(name), _tensor.as_view(array)
            tensor = self.tensors[index]
            if view.dtype != tensor.dtype:
                raise DtypeError("%s is %s in the plan, and the array is %s" % (name, tensor.dtype, view.dtype))
            ends = [begin + size for begin, size in zip(start, view.shape)]
            if not len(start) == len(view.shape) == len(tensor.shape) or any(
                    begin < 0 or end > size for begin, end, size in zip(start, ends, tensor.shape)):
                raise ShapeError("%s has shape %s in the plan; there is no block of shape %s at %s in it"
                                 % (name, tensor.shape, view.shape, tuple(start)))
            found.append((index, (ctypes.c_int64 * _lib.MAX_DIMS)(*start), view))
        slices = (_lib.Slice * len(found))()
        for slice_, (index, offsets, view) in zip(slices, found):
            slice_.tensor, slice_.offsets, slice_.destination = index, offsets, view._c
        pool = _threads.current_pool()
        options = self._options(seed, pool)
        _lib.call(lib.fanin_run_slices, self._pointer, ctypes.byref(options), slices, len(found))
        for _, _, view in found:
            if view._written is not None:
                view._written()

    def tensor(self, name: str, seed: int) -> typing.Any:
        """One tensor as a new NumPy array; types that NumPy lacks need the package ml_dtypes."""
        tensor = self.tensors[self._find(name)]
        array = _empty(tensor)
        self.fill({name: array}, seed)
        return array

    def arrays(self, seed: int, names: typing.Optional[typing.Iterable[str]] = None) -> typing.Dict[str, typing.Any]:
        """Tensors as new NumPy arrays by name, without torch; tied names share one array.

        names: all that a checkpoint holds, if None, but for those that the library cannot make (`PlanTensor.refused`).
            Where the plan says `bits: host` its values are near torch's; `state_dict` has torch's own.
        Raises fanin.UnsupportedError, with the reason, for a name that cannot be made.
        """
        if names is None:
            names = [tensor.name for tensor in self.tensors if tensor.is_persistent and tensor.refused is None]
        names = list(names)
        owners = {name: self.tensors[self._find(name)].tied_to or name for name in names}
        made = {owner: _empty(self.tensors[self._find(owner)]) for owner in dict.fromkeys(owners.values())}
        self.fill(made, seed)
        return {name: made[owners[name]] for name in names}

    def state_dict(self, seed: int, names: typing.Optional[typing.Iterable[str]] = None,
                   shard: typing.Any = None) -> typing.Dict[str, typing.Any]:
        """Tensors of torch by name: the state_dict of the model that the plan was recorded from; tied names share one.

        names: parameters and persistent buffers, if None, but for those that the recorder refused. shard: `fanin.torch.Shard(dim, rank, world)`, to make only
        this rank's part of each parameter. Needs torch.
        """
        from .torch import _materialize

        return _materialize.state_dict(self, as_seed(seed), names, shard)

    def materialize(self, model: typing.Any, seed: int, shard: typing.Any = None) -> typing.Any:
        """Fills a torch model in place, on `fanin.get_num_threads()` threads, and returns it.

        The model gets the bytes that its constructor would have made after `torch.manual_seed(seed)`: parameters and
        buffers, those that are in no state_dict too. Tensors on the meta device get memory; tensors with memory (after
        `to_empty`) are overwritten in it. Names that the plan ties are one tensor afterwards, also where `to_empty` has
        made them two; `requires_grad` and attributes stay. Of DTensor parameters (FSDP2,
        tensor parallel) each rank makes only its own part.

        shard: `fanin.torch.Shard(dim, rank, world)`: parameters become this rank's torch.chunk piece along `dim`.

        Raises fanin.ArgumentError for names, fanin.ShapeError and fanin.DtypeError for tensors that do not fit the plan,
        fanin.UnsupportedError for tensors that the plan refuses and for other devices; nothing was changed then.
        """
        from .torch import _materialize

        return _materialize.materialize(self, model, as_seed(seed), shard)

    def digest(self, seed: int) -> str:
        """The content digest, in hex, of the checkpoint that the plan makes from this seed; nothing is written."""
        digest, digits = _lib.Digest(), ctypes.create_string_buffer(65)
        pool = _threads.current_pool()
        options = self._options(seed, pool)
        _lib.call(lib.fanin_run_digest, self._pointer, ctypes.byref(options), ctypes.byref(digest))
        lib.fanin_digest_hex(ctypes.byref(digest), digits)
        return digits.value.decode()


def _empty(tensor):
    try:
        import numpy
    except ImportError:
        raise ArgumentError("new arrays are NumPy's, which is not installed; give Plan.fill memory of your own") from None
    name = _tensor.numpy_name(tensor.dtype)
    if name is None:
        raise DtypeError("NumPy has no type for %s; give Plan.fill memory of your own" % tensor.dtype)
    try:
        dtype = numpy.dtype(name)
    except TypeError:
        try:
            import ml_dtypes
        except ImportError:
            raise DtypeError("NumPy has %s only with the package ml_dtypes; or give Plan.fill a view: "
                             "fanin.view(array_of_integers, dtype=%r)" % (name, tensor.dtype)) from None
        dtype = numpy.dtype(getattr(ml_dtypes, name))
    return numpy.empty(tensor.shape, dtype)
