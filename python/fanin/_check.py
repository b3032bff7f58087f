# SPDX-License-Identifier: MIT
"""Diagnoses: whether weights are initialized as they should be. What is given - a path, arrays by name - becomes the
library's fanin_weights, and what it finds becomes objects."""

import ctypes
import html
import json
import math
import os
import sys
import threading
import typing
import unicodedata

from . import _lib, _tensor, _threads
from ._lib import lib
from .errors import ArgumentError, ArrayError, DtypeError, FaninError, ShapeError
from .plan import Plan

_SEVERITIES = ("info", "warn", "error")
_MAX_NDIM = 64

# -- Results ----------------------------------------------------------------------------------------------------------


class Finding(typing.NamedTuple):
    """One finding, about one tensor or the same of several.

    measured, expected: the numbers, None where there is none. rule: 'PATTERN=INIT(args)', with which fanin makes these
    tensors as they should be; missing: what has to be known for one. means: what it is, to somebody new to it.
    """

    id: str
    title: str
    severity: str
    where: str
    what: str
    measured: typing.Optional[float]
    expected: typing.Optional[float]
    expectation: typing.Optional[str]
    consequence: typing.Optional[str]
    rule: typing.Optional[str]
    missing: typing.Optional[str]
    command: typing.Optional[str]
    means: str
    fix: str
    source: str
    tensors: typing.Tuple[str, ...]

    def __str__(self) -> str:
        lines = ["%s %s %s: %s" % (self.severity, self.id, self.where, self.title), "  " + self.what]
        if self.expectation:
            lines.append("  expected: " + self.expectation)
        if self.consequence:
            lines.append("  -> " + self.consequence)
        if self.rule:
            lines.append("  made anew by " + self.rule)
        elif self.missing:
            lines.append("  mending needs " + self.missing)
        return "\n".join(_visible(line) for line in lines)


class Diagnosis:
    """What `fanin.check` found. `findings` are worst first; `ok` is whether none of them is above "info".

    It is true as a condition if it is ok, prints as text, and shows itself in notebooks. `notes` says what could not be
    told of the layers, and what would tell it.
    """

    name: str
    known_by: str
    findings: typing.Tuple[Finding, ...]
    notes: typing.Tuple[str, ...]

    def __init__(self) -> None:
        raise TypeError("a diagnosis is made by fanin.check")

    @classmethod
    def _of(cls, pointer, notes=()):
        made = cls.__new__(cls)
        made._free = lib.fanin_diagnosis_free
        made._pointer = pointer
        summary = lib.fanin_diagnosis_summarize(pointer).contents
        made.name, made.known_by = _text(summary.name) or "weights", _text(summary.known_by) or "names and shapes"
        made._counts = tuple(lib.fanin_diagnosis_severity_count(pointer, s) for s in range(len(_SEVERITIES)))
        made._ntensors = lib.fanin_diagnosis_tensor_count(pointer)
        made.findings = tuple(made._finding_at(i) for i in range(lib.fanin_diagnosis_finding_count(pointer)))
        made.notes = tuple(notes)
        return made

    def __del__(self) -> None:
        if getattr(self, "_free", None) is not None:
            self._free(self._pointer)

    def _finding_at(self, i):
        c = lib.fanin_diagnosis_finding_at(self._pointer, i).contents
        check = c.check.contents
        names = tuple(_text(lib.fanin_diagnosis_tensor_at(self._pointer, c.tensors[k]).contents.name)
                      for k in range(c.ntensors))
        return Finding(_text(check.id), _text(check.title), _SEVERITIES[c.severity], _text(c.where), _text(c.what),
                       _number(c.measured), _number(c.expected), _text(c.expectation), _text(c.consequence),
                       _text(c.rule), _text(c.missing), _text(c.command), _text(check.means), _text(check.fix),
                       _text(check.source), names)

    @property
    def ok(self) -> bool:
        """Whether there is neither a warning nor an error."""
        return self._counts[1] + self._counts[2] == 0

    def __bool__(self) -> bool:
        return self.ok

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> typing.Iterator[Finding]:
        return iter(self.findings)

    def to_json(self) -> str:
        """Everything, with the statistics of each tensor, as JSON (docs/check.schema.json)."""
        text = ctypes.c_void_p()
        _lib.call(lib.fanin_diagnosis_to_json, self._pointer, ctypes.byref(text))
        return _lib.take_text(text)

    def to_html(self) -> str:
        """One page that needs nothing else, with plots and a table of tensors; the same text each time."""
        text = ctypes.c_void_p()
        _lib.call(lib.fanin_diagnosis_to_html, self._pointer, ctypes.byref(text))
        return _lib.take_text(text)

    @property
    def verdict(self) -> str:
        """ "2 errors, 1 warning", or "nothing found". """
        words = [(self._counts[2], "error"), (self._counts[1], "warning"), (self._counts[0], "note")]
        return ", ".join("%d %s%s" % (n, word, "" if n == 1 else "s") for n, word in words if n) or "nothing found"

    def __repr__(self) -> str:
        return "<fanin.Diagnosis of %s: %s>" % (_visible(self.name), self.verdict)

    def __str__(self) -> str:
        parts = ["%s: %s in %d tensor%s, known by %s" % (_visible(self.name), self.verdict, self._ntensors,
                                                         "" if self._ntensors == 1 else "s", _visible(self.known_by))]
        parts += [str(finding) for finding in self.findings]
        parts += [_visible(note) for note in self.notes]
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        """For notebooks: the verdict and the findings, in the notebook's own colours."""
        colours = {"error": "#d55e00", "warn": "#e69f00", "info": "#56b4e9"}
        rows = ["<p><b>%s</b> %s: <b>%s</b> in %d tensors, known by %s</p>"
                % ("\u2714" if self.ok else "\u2716" if self._counts[2] else "\u25b2", _escaped(self.name),
                   _escaped(self.verdict), self._ntensors, _escaped(self.known_by))]
        for finding in self.findings:
            lines = ["<b>%s</b> <code>%s</code> %s" % (finding.severity, finding.id, _escaped(finding.title)),
                     "<code>%s</code>" % _escaped(finding.where),
                     _escaped(finding.what) + ("; expected: " + _escaped(finding.expectation) if finding.expectation else "")]
            if finding.consequence:
                lines.append("\u2192 " + _escaped(finding.consequence))
            if finding.rule:
                lines.append("made anew by <code>%s</code>" % _escaped(finding.rule))
            elif finding.missing:
                lines.append("mending needs " + _escaped(finding.missing))
            rows.append('<div style="border-left:4px solid %s;padding:2px 12px;margin:8px 0;text-align:left">%s</div>'
                        % (colours[finding.severity], "<br/>".join(lines)))
        rows += ["<p><small>%s</small></p>" % _escaped(note) for note in self.notes]
        return "<div>%s</div>" % "".join(rows)


def _text(value):
    return None if value is None else value.decode("utf-8", "surrogateescape")


def _number(value):
    return None if math.isnan(value) else value


def _visible(text):
    """Names may hold anything: what cannot be seen, or moves what is around it, is written as an escape."""
    def shown(c):
        if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
            return "\\x%02x" % (ord(c) & 0xff) if ord(c) < 0x100 or 0xdc80 <= ord(c) <= 0xdcff else "\\u{%x}" % ord(c)
        return c
    return "".join(map(shown, text))


def _escaped(text):
    return html.escape(_visible(text))


# -- Arrays -----------------------------------------------------------------------------------------------------------


class Weight:
    """One tensor and what is known of its layer; `facts` are fields of fanin_weight by name.

    address is None as long as its bytes lie on a device, or with gaps: then `load` gives an object with contiguous
    memory and its address.
    """

    def __init__(self, name, array, **facts):
        self.name, self.facts = name, facts
        try:
            self.dtype, self.shape, self.address, self.owner, self.load = _describe(array)
        except FaninError as e:
            raise type(e)("%s: %s" % (_visible(name), e)) from None
        self.nbytes = math.prod(self.shape) * lib.fanin_dtype_nbits(_lib.DTYPE_CODES[self.dtype]) // 8


def _describe(array):
    """(dtype, shape, address or None, what keeps the memory, how to get contiguous memory)"""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and isinstance(array, torch.Tensor):
        return _describe_torch(torch, array)
    if isinstance(array, _tensor.View):
        if not lib.fanin_tensor_is_contiguous(ctypes.byref(array._c)):
            raise ShapeError("the view is not contiguous; pass the array itself")
        return array.dtype, array.shape, array._c.data, array, None
    if numpy is None and not isinstance(array, (list, tuple, dict, str)):
        try:
            import numpy
        except ImportError:
            return _describe(_tensor.view(array))
    if isinstance(array, (list, tuple, dict, str, bytes, int, float, complex, type(None))):
        raise ArrayError("%s is no array" % type(array).__name__)
    return _describe_numpy(numpy, array)


def _describe_numpy(numpy, array):
    if not isinstance(array, numpy.ndarray):
        if not any(hasattr(array, name) for name in ("__array__", "__array_interface__", "__dlpack__", "__buffer__")):
            try:
                memoryview(array)
            except TypeError:
                raise ArrayError("%s is no array: it has neither __array__, nor DLPack, nor the buffer protocol"
                                 % type(array).__name__) from None
        try:
            array = numpy.asarray(array)
        except Exception as e:
            raise ArrayError("%s does not become a NumPy array: %s" % (type(array).__name__, e)) from e
    if isinstance(array, numpy.ma.MaskedArray):
        raise ArrayError("a masked array: pass its data (array.data), the mask has no part in it")
    dtype = _tensor._BY_NUMPY_NAME.get(array.dtype.name)
    if dtype is None or array.dtype.fields is not None:
        raise DtypeError("NumPy's dtype %s is none that fanin knows" % array.dtype)
    if array.flags.c_contiguous and array.dtype.isnative and array.flags.aligned:
        return dtype, array.shape, array.__array_interface__["data"][0], array, None

    def load():
        copy = numpy.require(array, array.dtype.newbyteorder("="), ["C", "A"])
        return copy, copy.__array_interface__["data"][0]

    return dtype, array.shape, None, array, load


def _describe_torch(torch, tensor):
    tensor = tensor.detach()
    if tensor.device.type == "meta":
        raise ArrayError("the tensor is on the meta device: it has a shape, and no values; make or load them first")
    if hasattr(tensor, "full_tensor"):
        raise ArrayError("a DTensor is on several ranks; pass tensor.full_tensor()")
    if tensor.is_quantized:
        raise DtypeError("a quantized tensor; pass tensor.dequantize()")
    if tensor.layout is not torch.strided:
        raise ArrayError("the tensor's layout is %s; pass tensor.to_dense()" % tensor.layout)
    if tensor.is_nested:
        raise ArrayError("a nested tensor has no one shape; pass its parts")
    name = str(tensor.dtype).rpartition(".")[2]
    dtype = _tensor._BY_NUMPY_NAME.get(name)
    if dtype is None:
        raise DtypeError("torch's %s is none that fanin knows" % tensor.dtype)
    shape = tuple(tensor.shape)
    plain = tensor.device.type == "cpu" and tensor.is_contiguous() and not tensor.is_neg() and not tensor.is_conj()
    if plain and type(tensor) in (torch.Tensor, torch.nn.Parameter):
        try:
            return dtype, shape, tensor.data_ptr(), tensor, None
        except RuntimeError as e:
            raise ArrayError("the tensor has no memory: %s" % e) from None

    def load():
        copy = tensor.to("cpu").resolve_conj().resolve_neg().contiguous()
        return copy, copy.data_ptr()

    return dtype, shape, None, tensor, load


class _Reader:
    """The library's way to the bytes: called from its threads. No exception may leave it; the first is kept."""

    def __init__(self, weights):
        self.weights, self.raised = weights, None
        self.lock = threading.Lock()
        self.loaded = {}  # number -> [object, address, bytes still to be read]
        self.callback = _lib.Read(self.read)

    def read(self, _, i, offset, data, nbytes, error):
        try:
            if self.raised is None:
                weight = self.weights[i]
                if weight.address is not None:
                    ctypes.memmove(data, weight.address + offset, nbytes)
                    return 0
                with self.lock:
                    if i not in self.loaded:
                        self.loaded[i] = [*weight.load(), weight.nbytes]
                    kept = self.loaded[i]
                ctypes.memmove(data, kept[1] + offset, nbytes)
                with self.lock:
                    kept[2] -= nbytes
                    if kept[2] <= 0:
                        self.loaded.pop(i, None)
                return 0
        except BaseException as e:
            self.raised = self.raised or e
        try:
            error.contents.status = 1
            error.contents.message = b"an exception in Python"
        except BaseException:
            pass
        return 1


# -- What is known besides --------------------------------------------------------------------------------------------


def _is_path(value):
    return isinstance(value, (str, bytes, os.PathLike))


def _config_text(config):
    """The text of a config.json: from its path, its text, a mapping, or a transformers config."""
    if config is None:
        return None
    if hasattr(config, "to_json_string"):
        config = config.to_json_string()
    elif isinstance(config, typing.Mapping):
        config = json.dumps(config)
    if isinstance(config, str) and config.lstrip().startswith("{"):
        return config.encode("utf-8")
    if not _is_path(config):
        raise TypeError("config is a path, the text of a config.json, or a mapping, not %s" % type(config).__name__)
    with open(config, "rb") as file:
        return file.read()


def _plan_of(plan):
    if plan is None or isinstance(plan, Plan):
        return plan
    if _is_path(plan):
        return Plan.load(plan)
    raise TypeError("plan is a fanin.Plan or the path of one, not %s" % type(plan).__name__)


def _rules_plan(names, recipe, rules):
    """The plan of the tensors that rules are for. names: [(name, dtype, shape)].

    Those that no rule is for have no law: a last rule takes them, and the plan goes on without them.
    """
    spec = json.dumps({"format": "fanin-spec", "version": 1,
                       "tensors": [{"name": name, "dtype": dtype, "shape": list(shape)} for name, dtype, shape in names]})
    model, made, pointer, part = (ctypes.c_void_p() for _ in range(4))
    options = _lib.PlanOptions(size=ctypes.sizeof(_lib.PlanOptions))
    data = spec.encode("utf-8", "surrogateescape")
    try:
        _lib.call(lib.fanin_model_parse, data, len(data), b"the weights", ctypes.byref(model))
        _lib.call(lib.fanin_recipe_create, ctypes.byref(made))
        for rule in rules:
            _lib.call(lib.fanin_recipe_set, made, rule.encode("utf-8"))
        if recipe is not None:
            _lib.call(lib.fanin_recipe_read, made, os.fsencode(recipe))
        _lib.call(lib.fanin_recipe_set, made, b"**=zeros")
        _lib.call(lib.fanin_plan_create, model, made, ctypes.byref(options), ctypes.byref(pointer))
    finally:
        lib.fanin_recipe_free(made)
        lib.fanin_model_free(model)
    whole = Plan._of(pointer)
    last = "set:%d:" % (len(rules) + 1)
    text = json.loads(whole.to_json())
    ruled = {op["s"] for op in text["ops"] if not op.get("explain", {}).get("where", "").startswith(last)}
    keep = (ctypes.c_bool * max(len(whole.tensors), 1))(*(tensor.get("s") in ruled for tensor in text["tensors"]))
    _lib.call(lib.fanin_plan_part, whole._pointer, keep, ctypes.byref(part))
    return Plan._of(part)


# -- check ------------------------------------------------------------------------------------------------------------


def _options(config, plan, activation, expect, deep, target, is_partial):
    pool = _threads.current_pool()
    options = _lib.DiagnosisOptions(size=ctypes.sizeof(_lib.DiagnosisOptions), parallel=pool.pointer, config=config,
                                    activation=None if activation is None else activation.encode("utf-8"),
                                    expect=bool(expect), deep=bool(deep), plan_is_partial=is_partial)
    if plan is not None:
        options.plan = plan._pointer
    if target is not None:
        options.target = lib.fanin_dtype_from_name(target.encode("utf-8", "surrogateescape"))
        if options.target == 0:
            raise DtypeError("there is no dtype %r; fanin knows %s" % (target, ", ".join(_lib.DTYPES)))
    # Whoever calls the library keeps what the struct points to.
    options._kept = (pool, plan, config)
    return options


def _check_path(path, plan, make_options):
    checkpoint, pointer = ctypes.c_void_p(), ctypes.c_void_p()
    try:
        _lib.call(lib.fanin_checkpoint_open, os.fsencode(path), ctypes.byref(checkpoint))
        if callable(plan):
            plan = plan([(tensor.name.decode("utf-8", "surrogateescape"), _lib.DTYPES[tensor.dtype - 1],
                          tuple(tensor.shape[:tensor.ndim]) if tensor.ndim else ())
                         for tensor in (lib.fanin_checkpoint_tensor_at(checkpoint, i).contents
                                        for i in range(lib.fanin_checkpoint_tensor_count(checkpoint)))])
        options = make_options(plan)
        _lib.call(lib.fanin_diagnose_checkpoint, checkpoint, ctypes.byref(options), ctypes.byref(pointer))
    finally:
        lib.fanin_checkpoint_close(checkpoint)
    return Diagnosis._of(pointer)


def check_weights(weights: typing.Sequence[Weight], name: str, plan: typing.Any, make_options: typing.Any,
                  notes: typing.Sequence[str] = ()) -> Diagnosis:
    """The diagnosis of arrays. plan: a Plan, or what makes one of [(name, dtype, shape)]."""
    records = (_lib.Weight * max(len(weights), 1))()
    kept = []
    for record, weight in zip(records, weights):
        encoded = weight.name.encode("utf-8", "surrogateescape")
        if b"\0" in encoded:
            raise ArgumentError("the name %r holds a NUL character" % weight.name)
        if len(weight.shape) > _MAX_NDIM:
            raise ShapeError("%s has %d dimensions; at most %d" % (_visible(weight.name), len(weight.shape), _MAX_NDIM))
        shape = (ctypes.c_int64 * max(len(weight.shape), 1))(*weight.shape)
        kept.append(shape)
        record.name, record.dtype, record.ndim = encoded, _lib.DTYPE_CODES[weight.dtype], len(weight.shape)
        record.shape = shape
        for field, value in weight.facts.items():
            setattr(record, field, value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value)
    if callable(plan):
        plan = plan([(weight.name, weight.dtype, weight.shape) for weight in weights])
    options = make_options(plan)
    reader = _Reader(weights)
    given = _lib.Weights(nweights=len(weights), weights=records, read=reader.callback,
                         name=name.encode("utf-8", "surrogateescape"))
    pointer, error = ctypes.c_void_p(), _lib.Error()
    status = lib.fanin_diagnose(ctypes.byref(given), ctypes.byref(options), ctypes.byref(pointer), ctypes.byref(error))
    if reader.raised is not None:
        lib.fanin_diagnosis_free(pointer)
        raise reader.raised
    if status != 0:
        _lib.raise_error(error)
    return Diagnosis._of(pointer, notes)


def _ties(weights):
    """Weights that are one memory: the later ones are tied to the first."""
    seen = {}
    for weight in weights:
        if weight.address and weight.nbytes:
            key = (weight.address, weight.dtype, weight.shape)
            first = seen.setdefault(key, weight.name)
            if first is not weight.name:
                weight.facts.setdefault("tied_to", first)


def prepare(config, plan, recipe, rules, activation, expect, deep, target):
    """(plan or what makes one, what makes the options of a plan) of the arguments that all checks share."""
    rules = [rules] if isinstance(rules, str) else list(rules)
    found = _plan_of(plan)
    has_rules = recipe is not None or bool(rules)
    if found is not None and has_rules:
        raise ArgumentError("a plan has its rules; leave out recipe and rules")
    if expect and found is None and not has_rules and config is None:
        raise ArgumentError("expect needs to know what to expect: give plan, recipe, rules or config")
    text = _config_text(config)
    if has_rules:
        found = lambda names: _rules_plan(names, recipe, rules)
    return found, lambda plan: _options(text, plan, activation, expect, deep, target, has_rules)


def check(weights: typing.Any, *, config: typing.Any = None, plan: typing.Any = None,
          recipe: typing.Union[None, str, "os.PathLike[str]"] = None, rules: typing.Union[str, typing.Iterable[str]] = (),
          activation: typing.Optional[str] = None, expect: bool = False, deep: bool = False,
          target: typing.Optional[str] = None, name: typing.Optional[str] = None) -> Diagnosis:
    """Whether weights are initialized as they should be, why not, and what mends them: `fanin check` in Python.

    weights: a checkpoint's path (safetensors, an index of shards, a folder, .npy); a mapping of names to arrays (NumPy,
        torch, JAX, whatever becomes a NumPy array); a torch module, which `fanin.torch.check` reads. Nothing is changed,
        and contiguous memory of the processor is not copied; tensors on devices are fetched one at a time.
    config: the model's config.json: a path, its text, a mapping, or a transformers config.
    plan, recipe, rules: what each tensor should be: a `fanin.Plan` or its path; a file of rules; 'PATTERN=INIT(args)'.
    activation: what follows linear and convolution layers where nothing else tells: "relu", "tanh", "gelu" ...
    expect: test each tensor against its distribution in every way there is. deep: spectra and orthogonality too.
    target: a dtype; also say what storing the weights as it would lose.
    name: what the weights are called in the diagnosis.
    Raises fanin.ArrayError, fanin.DtypeError and fanin.ShapeError, with the tensor's name, for what has no values to
    look at (meta, sparse and quantized tensors); fanin.FileError and fanin.FormatError for files.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(weights, torch.nn.Module):
        from .torch import check as check_module
        return check_module(weights, config=config, plan=plan, recipe=recipe, rules=rules, activation=activation,
                            expect=expect, deep=deep, target=target, name=name)
    found, make_options = prepare(config, plan, recipe, rules, activation, expect, deep, target)
    if _is_path(weights):
        return _check_path(weights, found, make_options)
    if not isinstance(weights, typing.Mapping):
        raise ArgumentError("weights are a path, a mapping of names to arrays, or a torch module, not %s"
                            % type(weights).__name__)
    # Extra state of torch modules is no tensor, or not one of weights.
    made = [Weight(str(key), array) for key, array in weights.items() if not str(key).endswith("_extra_state")]
    _ties(made)
    return check_weights(made, name or "weights", found, make_options)
