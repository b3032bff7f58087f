# SPDX-License-Identifier: MIT
"""The C library, loaded with ctypes: its functions as one table of C prototypes, its structs, and its errors as
exceptions. A test compiles the table and the structs against the public headers."""

import ctypes
import os
import pathlib
import sys
import typing
import warnings

from . import errors

MAX_DIMS = 8
TORCH_STATE_NBYTES = 5056
NO_POSITION = 2**64 - 1
SIZE_MAX = 2 ** (8 * ctypes.sizeof(ctypes.c_size_t)) - 1

# By the values of fanin_dtype, from 1 on.
DTYPES = ("bool", "f4", "f6_e2m3", "f6_e3m2", "u8", "i8", "f8_e5m2", "f8_e4m3", "f8_e8m0", "f8_e4m3fnuz",
          "f8_e5m2fnuz", "i16", "u16", "f16", "bf16", "i32", "u32", "f32", "c64", "f64", "i64", "u64")
DTYPE_CODES = {name: code for code, name in enumerate(DTYPES, 1)}
LAYOUTS = ("out_in", "in_out", "transposed")
FAN_MODES = ("fan_in", "fan_out")
# By the values of fanin_fill_kind, from 1 on.
FILL_KINDS = ("constant", "uniform", "normal", "trunc_normal", "eye", "dirac", "orthogonal", "sparse")
FILL_CODES = {name: code for code, name in enumerate(FILL_KINDS, 1)}


# -- Structs ----------------------------------------------------------------------------------------------------------


class Error(ctypes.Structure):
    C_NAME = "fanin_error"
    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 1024), ("warning", ctypes.c_char * 512)]


class Tensor(ctypes.Structure):
    C_NAME = "fanin_tensor"
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int), ("ndim", ctypes.c_int32),
                ("shape", ctypes.c_int64 * MAX_DIMS), ("strides", ctypes.c_int64 * MAX_DIMS),
                ("layout", ctypes.c_int), ("groups", ctypes.c_int32)]


class Generator(ctypes.Structure):
    C_NAME = "fanin_generator"
    _fields_ = [("profile", ctypes.c_uint32), ("left", ctypes.c_int32), ("seed", ctypes.c_uint64),
                ("next", ctypes.c_uint32), ("has_next_normal", ctypes.c_bool),
                ("has_next_float_normal", ctypes.c_bool), ("next_float_normal", ctypes.c_float),
                ("next_normal", ctypes.c_double), ("words", ctypes.c_uint32 * 624)]


class Fill(ctypes.Structure):
    C_NAME = "fanin_fill"
    _fields_ = [("kind", ctypes.c_int), ("value", ctypes.c_double * 4)]


class FillStream(ctypes.Structure):
    C_NAME = "fanin_fill_stream"
    _fields_ = [("ndraws", ctypes.c_uint64), ("data_dependent", ctypes.c_bool), ("scalar", ctypes.c_bool),
                ("has_cached", ctypes.c_bool)]


class Fans(ctypes.Structure):
    C_NAME = "fanin_fans"
    _fields_ = [("in", ctypes.c_int64), ("out", ctypes.c_int64)]


class Parallel(ctypes.Structure):
    C_NAME = "fanin_parallel"
    _fields_ = [("run", ctypes.c_void_p), ("user", ctypes.c_void_p), ("nthreads", ctypes.c_uint)]


class Call(ctypes.Structure):
    C_NAME = "fanin_call"
    _fields_ = [("initializer", ctypes.c_void_p), ("values", ctypes.c_double * 6)]


class Resolved(ctypes.Structure):
    C_NAME = "fanin_resolved"
    _fields_ = [("fill", Fill), ("fan_in", ctypes.c_int64), ("fan_out", ctypes.c_int64), ("gain", ctypes.c_double),
                ("std", ctypes.c_double), ("bound", ctypes.c_double), ("warning", ctypes.c_char * 512)]


class PlanOptions(ctypes.Structure):
    C_NAME = "fanin_plan_options"
    _fields_ = [("size", ctypes.c_size_t), ("profile", ctypes.c_uint32), ("dtype", ctypes.c_int)]


class PlanTensor(ctypes.Structure):
    C_NAME = "fanin_plan_tensor"
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("ndim", ctypes.c_int32),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("nelem", ctypes.c_uint64), ("nbytes", ctypes.c_uint64),
                ("tied_to", ctypes.c_char_p), ("storage", ctypes.c_size_t), ("offset", ctypes.c_int64),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("is_buffer", ctypes.c_bool),
                ("is_persistent", ctypes.c_bool), ("refused", ctypes.c_char_p)]


class Digest(ctypes.Structure):
    C_NAME = "fanin_digest"
    _fields_ = [("bytes", ctypes.c_uint8 * 32)]


# Called with (user, bytes made, bytes in all); false stops the run.
Progress = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64)


class RunOptions(ctypes.Structure):
    C_NAME = "fanin_run_options"
    _fields_ = [("size", ctypes.c_size_t), ("seed", ctypes.c_uint64), ("progress", Progress),
                ("user", ctypes.c_void_p), ("parallel", ctypes.POINTER(Parallel))]


class Slice(ctypes.Structure):
    C_NAME = "fanin_slice"
    _fields_ = [("tensor", ctypes.c_size_t), ("offsets", ctypes.POINTER(ctypes.c_int64)), ("destination", Tensor)]


class WriteOptions(ctypes.Structure):
    C_NAME = "fanin_write_options"
    _fields_ = [("size", ctypes.c_size_t), ("path", ctypes.c_char_p), ("max_shard_nbytes", ctypes.c_uint64),
                ("force", ctypes.c_bool), ("config_json", ctypes.c_char_p), ("source", ctypes.c_char_p),
                ("no_digest", ctypes.c_bool)]


class WriteResult(ctypes.Structure):
    C_NAME = "fanin_write_result"
    _fields_ = [("digest", Digest), ("nbytes", ctypes.c_uint64), ("nfiles", ctypes.c_size_t)]


# Called with (user, number of the tensor, offset, where the bytes go, how many, error), from any thread.
Read = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64, ctypes.c_void_p,
                        ctypes.c_size_t, ctypes.POINTER(Error))


class CheckpointTensor(ctypes.Structure):
    C_NAME = "fanin_checkpoint_tensor"
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("ndim", ctypes.c_int32),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("nelem", ctypes.c_uint64), ("nbytes", ctypes.c_uint64),
                ("file", ctypes.c_size_t), ("offset", ctypes.c_uint64)]


class Weight(ctypes.Structure):
    C_NAME = "fanin_weight"
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("ndim", ctypes.c_int32),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("is_buffer", ctypes.c_bool), ("tied_to", ctypes.c_char_p),
                ("layer_kind", ctypes.c_int), ("role", ctypes.c_char_p), ("layout", ctypes.c_int),
                ("groups", ctypes.c_int32), ("activation", ctypes.c_char_p), ("norm_follows", ctypes.c_int),
                ("in_residual", ctypes.c_int), ("chain", ctypes.c_size_t), ("has_seed", ctypes.c_bool)]


class Weights(ctypes.Structure):
    C_NAME = "fanin_weights"
    _fields_ = [("nweights", ctypes.c_size_t), ("weights", ctypes.POINTER(Weight)), ("read", Read),
                ("user", ctypes.c_void_p), ("name", ctypes.c_char_p), ("has_seed", ctypes.c_bool),
                ("seed", ctypes.c_uint64), ("metadata", ctypes.c_char_p)]


class Check(ctypes.Structure):
    C_NAME = "fanin_check"
    _fields_ = [("id", ctypes.c_char_p), ("title", ctypes.c_char_p), ("measures", ctypes.c_char_p),
                ("rule", ctypes.c_char_p), ("worst", ctypes.c_int), ("means", ctypes.c_char_p),
                ("fix", ctypes.c_char_p), ("source", ctypes.c_char_p), ("deep", ctypes.c_bool)]


class Finding(ctypes.Structure):
    C_NAME = "fanin_finding"
    _fields_ = [("check", ctypes.POINTER(Check)), ("severity", ctypes.c_int), ("ntensors", ctypes.c_size_t),
                ("tensors", ctypes.POINTER(ctypes.c_size_t)), ("where", ctypes.c_char_p), ("what", ctypes.c_char_p),
                ("measured", ctypes.c_double), ("expected", ctypes.c_double), ("expectation", ctypes.c_char_p),
                ("consequence", ctypes.c_char_p), ("rule", ctypes.c_char_p), ("missing", ctypes.c_char_p),
                ("command", ctypes.c_char_p)]


class DiagnosisOptions(ctypes.Structure):
    C_NAME = "fanin_diagnosis_options"
    _fields_ = [("size", ctypes.c_size_t), ("parallel", ctypes.POINTER(Parallel)), ("progress", Progress),
                ("user", ctypes.c_void_p), ("model", ctypes.c_void_p), ("plan", ctypes.c_void_p),
                ("config", ctypes.c_char_p), ("activation", ctypes.c_char_p), ("expect", ctypes.c_bool),
                ("deep", ctypes.c_bool), ("target", ctypes.c_int), ("plan_is_partial", ctypes.c_bool),
                ("command", ctypes.c_char_p)]


class Law(ctypes.Structure):
    C_NAME = "fanin_law"
    _fields_ = [("kind", ctypes.c_int), ("value", ctypes.c_double), ("mean", ctypes.c_double),
                ("std", ctypes.c_double), ("low", ctypes.c_double), ("high", ctypes.c_double)]


class DiagnosisTensor(ctypes.Structure):
    C_NAME = "fanin_diagnosis_tensor"
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("ndim", ctypes.c_int32),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("statistics", ctypes.c_void_p),
                ("pattern", ctypes.c_char_p), ("layer_kind", ctypes.c_int), ("role", ctypes.c_char_p),
                ("is_buffer", ctypes.c_bool), ("is_weight", ctypes.c_bool), ("is_random_looking", ctypes.c_bool),
                ("fan_in", ctypes.c_int64), ("fan_out", ctypes.c_int64), ("layer", ctypes.c_int64),
                ("activation", ctypes.c_char_p), ("expected", Law), ("expected_by", ctypes.c_char_p),
                ("expected_std", ctypes.c_double), ("fitted", Law), ("worst", ctypes.c_int)]


class DiagnosisSummary(ctypes.Structure):
    C_NAME = "fanin_diagnosis_summary"
    _fields_ = [("name", ctypes.c_char_p), ("known_by", ctypes.c_char_p), ("family", ctypes.c_char_p),
                ("nelem", ctypes.c_uint64), ("nbytes", ctypes.c_uint64), ("has_seed", ctypes.c_bool),
                ("seed", ctypes.c_uint64), ("profile", ctypes.c_char_p), ("target", ctypes.c_int),
                ("deep", ctypes.c_bool), ("expect", ctypes.c_bool)]


STRUCTS = {struct.C_NAME: struct
           for struct in (Error, Tensor, Generator, Fill, FillStream, Fans, Parallel, Call, Resolved, PlanOptions,
                          PlanTensor, Digest, RunOptions, Slice, WriteOptions, WriteResult, CheckpointTensor, Weight, Weights, Check,
                          Finding, DiagnosisOptions, Law, DiagnosisTensor, DiagnosisSummary)}

# -- Functions --------------------------------------------------------------------------------------------------------

# C, so that a compiler can check it against the headers; parameter names are left out.
PROTOTYPES = """
const char *fanin_version(void);
const char *fanin_isa_active(void);
fanin_status fanin_isa_force(const char *, fanin_error *);

const char *fanin_dtype_name(fanin_dtype);
fanin_dtype fanin_dtype_from_name(const char *);
unsigned fanin_dtype_nbits(fanin_dtype);

int64_t fanin_tensor_nelem(const fanin_tensor *);
bool fanin_tensor_is_contiguous(const fanin_tensor *);
fanin_status fanin_calculate_fans(const fanin_tensor *, fanin_fans *, fanin_error *);

fanin_status fanin_profile_parse(const char *, fanin_profile *, fanin_error *);
const char *fanin_profile_name(fanin_profile);
size_t fanin_profile_count(void);
fanin_profile fanin_profile_at(size_t);
const char *fanin_profile_description(fanin_profile);
fanin_generator fanin_generator_create(fanin_profile, uint64_t);
uint32_t fanin_generator_u32(fanin_generator *);
uint64_t fanin_generator_u64(fanin_generator *);
void fanin_generator_skip(fanin_generator *, uint64_t);
void fanin_generator_get_torch_state(const fanin_generator *, uint8_t[5056]);
fanin_status fanin_generator_set_torch_state(fanin_generator *, const uint8_t *, size_t, fanin_error *);

fanin_nonlinearity fanin_nonlinearity_from_name(const char *);
const char *fanin_nonlinearity_name(fanin_nonlinearity);
fanin_status fanin_calculate_gain(fanin_nonlinearity, const double *, double *, fanin_error *);
fanin_status fanin_randperm(int64_t *, int64_t, fanin_generator *, fanin_error *);

fanin_status fanin_fill_check(const fanin_fill *, const fanin_tensor *, fanin_profile, fanin_error *);
fanin_status fanin_fill_run(const fanin_fill *, const fanin_tensor *, fanin_generator *, fanin_error *);
fanin_status fanin_fill_run_parallel(const fanin_fill *, const fanin_tensor *, fanin_generator *,
                                     const fanin_parallel *, fanin_error *);
fanin_status fanin_fill_run_fresh(const fanin_fill *, const fanin_tensor *, fanin_generator *, const fanin_parallel *,
                                  bool *, fanin_error *);
fanin_status fanin_fill_measure(const fanin_fill *, const fanin_tensor *, fanin_profile, fanin_fill_stream *,
                                fanin_error *);

fanin_status fanin_call_parse(const char *, const fanin_variable *, size_t, fanin_call *, fanin_error *);
fanin_status fanin_call_begin(const char *, fanin_call *, fanin_error *);
fanin_status fanin_call_set(fanin_call *, const char *, const char *, double, const fanin_variable *, size_t,
                            fanin_error *);
fanin_status fanin_call_finish(const fanin_call *, fanin_error *);
void fanin_call_format(const fanin_call *, char *, size_t);
fanin_status fanin_call_resolve(const fanin_call *, const fanin_tensor *, fanin_resolved *, fanin_error *);

unsigned fanin_processor_count(void);
fanin_status fanin_pool_create(unsigned, fanin_pool **, fanin_error *);
void fanin_pool_free(fanin_pool *);
fanin_parallel fanin_pool_parallel(fanin_pool *);
bool fanin_parallel_touch(const fanin_parallel *, void *, size_t, bool);

fanin_status fanin_model_read(const char *, fanin_model **, fanin_error *);
fanin_status fanin_model_parse(const char *, size_t, const char *, fanin_model **, fanin_error *);
void fanin_model_free(fanin_model *);
fanin_status fanin_recipe_create(fanin_recipe **, fanin_error *);
fanin_status fanin_recipe_read(fanin_recipe *, const char *, fanin_error *);
fanin_status fanin_recipe_set(fanin_recipe *, const char *, fanin_error *);
void fanin_recipe_free(fanin_recipe *);
void fanin_release(void *);

fanin_status fanin_plan_create(const fanin_model *, const fanin_recipe *, const fanin_plan_options *, fanin_plan **,
                               fanin_error *);
void fanin_plan_free(fanin_plan *);
fanin_profile fanin_plan_profile(const fanin_plan *);
size_t fanin_plan_tensor_count(const fanin_plan *);
const fanin_plan_tensor *fanin_plan_tensor_at(const fanin_plan *, size_t);
size_t fanin_plan_tensor_find(const fanin_plan *, const char *);
size_t fanin_plan_op_count(const fanin_plan *);
uint64_t fanin_plan_ndraws(const fanin_plan *);
size_t fanin_plan_warning_count(const fanin_plan *);
const char *fanin_plan_warning_at(const fanin_plan *, size_t);
fanin_status fanin_plan_to_json(const fanin_plan *, char **, fanin_error *);
fanin_status fanin_plan_parse(const char *, size_t, const char *, fanin_plan **, fanin_error *);
fanin_status fanin_plan_sha256(const fanin_plan *, char[65], fanin_error *);

fanin_status fanin_run_tensor(const fanin_plan *, const fanin_run_options *, size_t, void *, fanin_error *);
fanin_status fanin_run_slices(const fanin_plan *, const fanin_run_options *, const fanin_slice *, size_t,
                              fanin_error *);
fanin_status fanin_run_memory(const fanin_plan *, const fanin_run_options *, void *const *, fanin_error *);
fanin_status fanin_run_digest(const fanin_plan *, const fanin_run_options *, fanin_digest *, fanin_error *);
void fanin_digest_hex(const fanin_digest *, char[65]);
fanin_status fanin_plan_part(const fanin_plan *, const bool *, fanin_plan **, fanin_error *);

fanin_status fanin_checkpoint_open(const char *, fanin_checkpoint **, fanin_error *);
void fanin_checkpoint_close(fanin_checkpoint *);
size_t fanin_checkpoint_tensor_count(const fanin_checkpoint *);
const fanin_checkpoint_tensor *fanin_checkpoint_tensor_at(const fanin_checkpoint *, size_t);

fanin_layer_kind fanin_layer_kind_from_name(const char *);
fanin_status fanin_diagnose(const fanin_weights *, const fanin_diagnosis_options *, fanin_diagnosis **, fanin_error *);
fanin_status fanin_diagnose_checkpoint(const fanin_checkpoint *, const fanin_diagnosis_options *, fanin_diagnosis **,
                                       fanin_error *);
void fanin_diagnosis_free(fanin_diagnosis *);
const fanin_diagnosis_summary *fanin_diagnosis_summarize(const fanin_diagnosis *);
size_t fanin_diagnosis_severity_count(const fanin_diagnosis *, fanin_severity);
size_t fanin_diagnosis_finding_count(const fanin_diagnosis *);
const fanin_finding *fanin_diagnosis_finding_at(const fanin_diagnosis *, size_t);
size_t fanin_diagnosis_tensor_count(const fanin_diagnosis *);
const fanin_diagnosis_tensor *fanin_diagnosis_tensor_at(const fanin_diagnosis *, size_t);
fanin_status fanin_diagnosis_to_json(const fanin_diagnosis *, char **, fanin_error *);
fanin_status fanin_diagnosis_to_html(const fanin_diagnosis *, char **, fanin_error *);
fanin_status fanin_run_checkpoint(const fanin_plan *, const fanin_run_options *, const fanin_write_options *,
                                  fanin_write_result *, fanin_error *);
"""

_VALUES = {"void": None, "bool": ctypes.c_bool, "double": ctypes.c_double, "int64_t": ctypes.c_int64,
           "uint32_t": ctypes.c_uint32, "uint64_t": ctypes.c_uint64, "size_t": ctypes.c_size_t,
           "unsigned": ctypes.c_uint, "fanin_status": ctypes.c_int, "fanin_dtype": ctypes.c_int,
           "fanin_nonlinearity": ctypes.c_int, "fanin_layer_kind": ctypes.c_int, "fanin_severity": ctypes.c_int, "fanin_profile": ctypes.c_uint32}
# Pointers to what Python does not look into: bytes, and the library's opaque objects.
_OPAQUE = ("void", "uint8_t", "fanin_model", "fanin_recipe", "fanin_plan", "fanin_pool", "fanin_variable", "fanin_checkpoint",
           "fanin_diagnosis")


def _ctype_of(text):
    """The ctypes type of a C type such as `const fanin_tensor *`; an array is passed as a pointer."""
    text = text.replace("[", " *").rstrip("]0123456789")
    depth = text.count("*")
    word = " ".join(w for w in text.replace("*", " ").split() if w != "const")
    if word == "char":
        # Text that the library gives away has to be released, so its address must stay an address.
        return {1: ctypes.c_char_p if "const" in text else ctypes.POINTER(ctypes.c_char),
                2: ctypes.POINTER(ctypes.c_void_p)}[depth]
    if depth and word in _OPAQUE:
        kind, depth = ctypes.c_void_p, depth - 1
    else:
        kind = STRUCTS[word] if word in STRUCTS else _VALUES[word]
    for _ in range(depth):
        kind = ctypes.POINTER(kind)
    return kind


def parse_prototypes(text):
    """{name: (result type, [parameter types])} with the types as C text."""
    functions = {}
    for declaration in text.split(";")[:-1]:
        head, parameters = " ".join(declaration.split()).rstrip(")").split("(")
        result, star, name = head.rpartition("*")
        if not star:
            result, _, name = head.rpartition(" ")
        functions[name] = ((result + star).strip(), [] if parameters == "void" else parameters.split(", "))
    return functions


class _Library:
    """The functions of the table as attributes; each is bound when it is first asked for."""

    def __init__(self, path):
        self.path = str(path)
        self._table = parse_prototypes(PROTOTYPES)
        self._handle = ctypes.CDLL(self.path)

    def __getattr__(self, name):
        if name not in self._table:
            raise AttributeError("the table of the C library has no %s" % name)
        result, parameters = self._table[name]
        try:
            function = getattr(self._handle, name)
        except AttributeError:
            raise ImportError("%s has no function %s: it is not the library this package belongs to; "
                              "rebuild it, or unset FANIN_LIBRARY" % (self.path, name)) from None
        function.restype = _ctype_of(result)
        function.argtypes = [_ctype_of(parameter) for parameter in parameters]
        setattr(self, name, function)
        return function


def _find_library():
    """FANIN_LIBRARY, else the library inside the package (installed), else that of the source tree's release build."""
    name = "libfanin.dylib" if sys.platform == "darwin" else "libfanin.so"
    forced = os.environ.get("FANIN_LIBRARY")
    if forced:
        return pathlib.Path(forced)
    here = pathlib.Path(__file__).resolve().parent
    candidates = [here / name, here.parent.parent / "build" / "release" / name]
    for path in candidates:
        if path.is_file():
            return path
    raise ImportError("fanin's C library was not found: looked for %s. Install the package (pip install .), build the "
                      "source tree (make build), or set FANIN_LIBRARY=/path/to/%s"
                      % (", ".join(str(path) for path in candidates), name))


def _load():
    path = _find_library()
    try:
        return _Library(path)
    except OSError as e:
        raise ImportError("fanin's C library cannot be loaded: %s" % e) from e


lib: typing.Any = _load()
VERSION = lib.fanin_version().decode()


# -- Errors -----------------------------------------------------------------------------------------------------------


def raise_error(error: Error) -> typing.NoReturn:
    """The exception that belongs to the status, with the library's message."""
    raise errors.BY_STATUS[error.status](error.message.decode("utf-8", "replace"))


def call(function, *arguments, stacklevel: int = 3) -> None:
    """Calls a fallible function, whose last parameter is the error; raises it, or warns what it warns of.

    stacklevel: as warnings.warn counts it from here, 3 being the caller of the function that calls this one.
    """
    error = Error()
    if function(*arguments, ctypes.byref(error)) != 0:
        raise_error(error)
    if error.warning:
        warnings.warn(error.warning.decode("utf-8", "replace"), UserWarning, stacklevel=stacklevel)


def take_text(pointer: ctypes.c_void_p) -> str:
    """Text that the library allocated, as a string of Python's; releases it."""
    try:
        return ctypes.string_at(pointer.value).decode("utf-8")
    finally:
        lib.fanin_release(pointer)
