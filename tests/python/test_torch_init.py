#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fanin.torch.init beside torch.nn.init: bytes, generator states, version counters, warnings and errors, over functions,
dtypes, layouts and generators. Exits 77, saying why, where torch is not importable."""

import contextlib
import inspect
import itertools
import sys
import threading
import warnings

import python_package

fanin = python_package.fanin()
torch = python_package.need("torch")
import fanin.torch  # noqa: E402
import fanin.torch.init as ours  # noqa: E402

theirs = torch.nn.init
NAMES = getattr(theirs, "__all__", ours.__all__)  # older ones have no list
torch.set_num_threads(1)
FLOATS = torch.float32, torch.float64, torch.bfloat16, torch.float16

CALLS = {
    "uniform_": [(), (-0.3, 0.7), (1, 2), (0.5, 0.5)],
    "normal_": [(), (0.1, 0.02), (0, 2), (0.0, 0.0)],
    "trunc_normal_": [(), (0.0, 0.02), (0.5, 0.7, 0.4, 0.9), (0.0, 1.0, 2.0, 3.0), (0, 1, -1, 1), (5.0, 1.0, -1.0, 1.0)],
    "constant_": [(0.3,)],
    "ones_": [()],
    "zeros_": [()],
    "eye_": [()],
    "dirac_": [(), (2,)],
    "xavier_uniform_": [(), (1.7,)],
    "xavier_normal_": [(), (1.7,)],
    "kaiming_uniform_": [(), (5**0.5,), (0.1, "fan_out", "relu"), (0, "fan_in", "tanh")],
    "kaiming_normal_": [(), (0.1, "FAN_OUT", "relu"), (0, "fan_in", "selu")],
    "orthogonal_": [(), (0.7,)],
    "sparse_": [(0.3,), (0.1, 0.5)],
}
SHAPES = [(), (0,), (1,), (7,), (15,), (16,), (17,), (3000,), (4099,), (5, 0), (0, 3), (4, 4), (5, 3), (64, 70),
          (6, 4, 3), (40, 30, 3, 3), (2, 3, 2, 2, 2)]


def layouts(shape, dtype):
    """Name -> a function that makes a tensor of this shape in that layout, with the same bytes each time."""
    def plain():
        return torch.full(shape, 0.25, dtype=dtype)

    yield "plain", plain
    if len(shape) >= 2:
        yield "transposed", lambda: torch.full(shape[::-1], 0.25, dtype=dtype).permute(*range(len(shape))[::-1])
    if len(shape) >= 1:
        yield "sliced", lambda: torch.full((*shape[:-1], 2 * shape[-1]), 0.25, dtype=dtype)[..., ::2]
        yield "offset", lambda: torch.full((shape[0] + 1, *shape[1:]), 0.25, dtype=dtype)[1:]
    if len(shape) == 4:
        yield "channels_last", lambda: plain().contiguous(memory_format=torch.channels_last)
    yield "parameter", lambda: torch.nn.Parameter(plain())
    yield "unused generator", plain  # takes an explicit generator; see compare


def outcome(function, make, arguments, explicit):
    """Everything that can be seen of a call."""
    torch.default_generator.manual_seed(17)
    named, generator = {}, None
    if explicit and "generator" in inspect.signature(function).parameters:
        generator = torch.Generator()
        generator.manual_seed(18)
        named["generator"] = generator
    tensor = make()
    version = tensor._version
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(tensor, *arguments, **named)
            error = None if result is tensor else "another tensor was returned"
        except Exception as e:
            error = type(e).__name__, str(e)
    whole = tensor.detach().as_strided((tensor.untyped_storage().nbytes() // tensor.element_size(),), (1,), 0)
    return {"bytes": whole.contiguous().view(torch.uint8) if whole.numel() else None, "error": error,
            "version": tensor._version - version,
            "warnings": [(w.category, str(w.message)) for w in caught],
            "default state": torch.get_rng_state(),
            "state": None if generator is None else generator.get_state(),
            "requires_grad": tensor.requires_grad}


def compare(name, make, arguments, explicit, what):
    found = outcome(getattr(ours, name), make, arguments, explicit)
    expected = outcome(getattr(theirs, name), make, arguments, explicit)
    for key, value in expected.items():
        other = found[key]
        same = torch.equal(other, value) if isinstance(value, torch.Tensor) and isinstance(other, torch.Tensor) else \
            other is value if isinstance(value, torch.Tensor) else other == value
        if not same:
            raise AssertionError("%s%r on %s: %s differs: %s" % (name, arguments, what, key, (
                "%r instead of %r" % (found[key], value))[:600]))


def test_all_functions():
    count = 0
    for name, calls in CALLS.items():
        for shape, dtype in itertools.product(SHAPES, FLOATS):
            for layout, make in layouts(shape, dtype):
                if layout != "plain" and max(shape, default=0) > 1000 and dtype is not torch.float32:
                    continue
                for arguments in calls:
                    compare(name, make, arguments, layout == "unused generator", (shape, dtype, layout))
                    count += 1
    print("%d calls" % count)


def test_large_tensors_on_two_threads():
    torch.set_num_threads(2)
    for dtype in FLOATS:
        for name, arguments in (("uniform_", ()), ("normal_", (0.0, 0.02)), ("trunc_normal_", (0.0, 0.02)),
                                ("trunc_normal_", ())):
            shape = (2 << 20) + 5, 1
            results = []
            for module in (ours, theirs):
                torch.default_generator.manual_seed(5)
                tensor = torch.empty(shape, dtype=dtype)
                getattr(module, name)(tensor, *arguments)
                results.append((tensor.view(torch.int64 if dtype is torch.float64 else
                                            torch.int32 if dtype is torch.float32 else torch.int16),
                                torch.get_rng_state()))
            assert torch.equal(results[0][0], results[1][0]), (dtype, name)
            assert torch.equal(results[0][1], results[1][1]), (dtype, name)


def test_signatures():
    assert set(ours.__all__) == set(NAMES)
    for name in NAMES:
        expected = inspect.signature(getattr(theirs, name)).parameters.values()
        found = inspect.signature(getattr(ours, name), follow_wrapped=False).parameters.values()
        if name.endswith("_") or name == "calculate_gain":
            assert [(p.name, p.kind, p.default) for p in found] == [(p.name, p.kind, p.default) for p in expected], name
        assert getattr(ours, name).__name__ == name and getattr(ours, name).__doc__, name
    assert ours._calculate_fan_in_and_fan_out(torch.empty(3, 4, 5)) == (20, 15)
    assert ours._no_grad_fill_ is theirs._no_grad_fill_
    python_package.raises(AttributeError, "nonsense", lambda: ours.nonsense)


def test_in_the_place_of_torch_nn_init():
    """What old code finds when these functions are put into torch.nn.init itself: no call of one ends in itself."""
    names = [name for name in NAMES if name.endswith("_")]
    originals = {name: getattr(theirs, name) for name in names}

    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, arguments=(), named=None):
            return function(*arguments, **(named or {}))

    expected = outcome(originals["kaiming_uniform_"], lambda: torch.zeros(64, 64), (5**0.5,), False)
    try:
        for name in names:
            setattr(theirs, name, getattr(ours, name))
        can_accelerate = hasattr(torch.library, "get_kernel")
        for enter in (contextlib.nullcontext, Mode, *([fanin.torch.accelerate] if can_accelerate else [])):
            for name in names:
                with enter():
                    found = outcome(getattr(theirs, name), lambda: torch.zeros(64, 64), CALLS[name][0], False)
                    assert found["error"] is None or name == "dirac_", (name, found["error"])
                    getattr(theirs, name)(torch.zeros(8, 8, 3 if name == "dirac_" else 1, device="meta").squeeze(-1),
                                          *CALLS[name][0])
            with enter():
                found = outcome(theirs.kaiming_uniform_, lambda: torch.zeros(64, 64), (5**0.5,), False)
                assert torch.equal(found["bytes"], expected["bytes"])
    finally:
        for name in names:
            setattr(theirs, name, originals[name])


def test_deprecated_names():
    for name in NAMES:
        if not name.endswith("_") and name != "calculate_gain":
            arguments = {"constant": (0.5,), "sparse": (0.5,)}.get(name, ())
            make = (lambda: torch.zeros(4, 4, 3)) if name == "dirac" else (lambda: torch.zeros(64, 64))
            compare(name, make, arguments, False, "a deprecated name")


def test_what_torch_refuses():
    overlapping = torch.zeros(3).expand(2000, 3)
    sparse = torch.zeros(5, 5).to_sparse()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized = torch.quantize_per_tensor(torch.zeros(5, 5), 0.1, 0, torch.qint8)
    with torch.inference_mode():
        inference = torch.zeros(64, 64)
    leaf = torch.zeros(64, 64, requires_grad=True)
    cases = [("normal_", lambda: overlapping, ()), ("uniform_", lambda: overlapping, ()),
             ("trunc_normal_", lambda: overlapping, ()), ("kaiming_normal_", lambda: overlapping, ()),
             ("normal_", lambda: torch.zeros(4000, dtype=torch.int32), ()),
             ("uniform_", lambda: torch.zeros(4000, dtype=torch.int64), ()),
             ("trunc_normal_", lambda: torch.zeros(4000, dtype=torch.int64), ()),
             ("normal_", lambda: torch.zeros(4000, dtype=torch.bool), ()),
             ("normal_", lambda: torch.zeros(64, 64), (0.0, -1.0)),
             ("uniform_", lambda: torch.zeros(64, 64), (1.0, 0.0)),
             ("uniform_", lambda: torch.zeros(64, 64), (0.0, float("inf"))),
             ("uniform_", lambda: torch.zeros(64, 64), (float("nan"), 1.0)),
             ("uniform_", lambda: torch.zeros(64, 64, dtype=torch.float16), (-1e6, 1e6)),
             ("trunc_normal_", lambda: torch.zeros(64, 64), (0.0, 0.0)),
             ("trunc_normal_", lambda: torch.zeros(64, 64), (0.0, 1.0, 2.0, -2.0)),
             ("normal_", lambda: torch.zeros(64, 64), ("a", 1.0)), ("normal_", lambda: torch.zeros(64, 64), (None,)),
             ("xavier_normal_", lambda: torch.zeros(64), ()), ("kaiming_uniform_", lambda: torch.zeros(64), ()),
             ("kaiming_uniform_", lambda: torch.zeros(64, 64), (0, "fan_sideways")),
             ("kaiming_uniform_", lambda: torch.zeros(64, 64), (0, "fan_in", "nonsense")),
             ("kaiming_uniform_", lambda: torch.zeros(64, 64), ("x",)), ("eye_", lambda: torch.zeros(4), ()),
             ("dirac_", lambda: torch.zeros(4, 4), ()), ("sparse_", lambda: torch.zeros(4, 4, 4), (0.5,)),
             ("orthogonal_", lambda: torch.zeros(4), ()), ("orthogonal_", lambda: torch.zeros(4, 4, dtype=torch.bfloat16), ()),
             ("normal_", lambda: [1.0, 2.0], ()), ("uniform_", lambda: None, ())]
    for name, make, arguments in cases:
        errors = []
        for module in (ours, theirs):
            try:
                getattr(module, name)(make(), *arguments)
                errors.append(None)
            except Exception as e:
                errors.append((type(e), str(e)))
        assert errors[0] == errors[1], (name, arguments, errors)
        assert errors[0] is not None or name == "trunc_normal_", (name, arguments)
    for name, tensor in itertools.product(("normal_", "uniform_", "trunc_normal_", "kaiming_normal_"),
                                          (sparse, quantized, inference)):
        errors = []
        for module in (ours, theirs):
            try:
                getattr(module, name)(tensor)
                errors.append(None)
            except Exception as e:
                errors.append((type(e), str(e)))
        assert errors[0] == errors[1], (name, tensor.layout, errors)
    ours.normal_(leaf)  # under no_grad, as torch's own
    assert leaf.is_leaf and leaf.requires_grad and leaf.grad_fn is None
    python_package.raises((RuntimeError, TypeError), "", ours.normal_, torch.zeros(64, 64), generator="no generator")


def test_wrong_generators():
    class Elsewhere:
        device = "cuda"

    for module in (ours, theirs):
        python_package.raises(TypeError, "generator", module.normal_, torch.zeros(64, 64), generator=Elsewhere())
        python_package.raises(TypeError, "generator", module.uniform_, torch.zeros(64, 64), generator=5)
    meta = None
    try:
        meta = torch.Generator(device="meta")
    except RuntimeError:
        pass
    if meta is not None:
        for name in ("normal_", "trunc_normal_"):
            errors = []
            for module in (ours, theirs):
                try:
                    getattr(module, name)(torch.zeros(64, 64), generator=meta)
                    errors.append(None)
                except Exception as e:
                    errors.append((type(e), str(e)))
            assert errors[0] == errors[1] and errors[0], errors


def test_other_tensors():
    """Meta, fake, subclasses, complex, negated, vmap, forward-mode gradients: torch's own functions see them."""
    meta = torch.empty(100, 100, device="meta")
    assert ours.normal_(meta) is meta and ours.trunc_normal_(meta) is meta and ours.kaiming_uniform_(meta) is meta
    compare("normal_", lambda: torch.zeros(80, 80, dtype=torch.complex64).real, (), False, "the real part")
    negated = torch.zeros(80, 80, dtype=torch.complex64).conj().imag
    for module in (ours, theirs):
        torch.default_generator.manual_seed(3)
        module.normal_(negated)
        bits = negated.clone() if module is ours else bits
    assert torch.equal(bits, negated)

    from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
    with FakeTensorMode():
        fake = torch.empty(100, 100)
        for name in ("normal_", "uniform_", "kaiming_normal_"):
            getattr(ours, name)(fake)
        assert isinstance(fake, FakeTensor)

    seen = []

    class Logged(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, arguments=(), named=None):
            seen.append(getattr(function, "__name__", function))
            return super().__torch_function__(function, types, arguments, named or {})

    ours.uniform_(torch.zeros(64, 64).as_subclass(Logged))
    assert "uniform_" in seen

    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, arguments=(), named=None):
            seen.append(function)
            return function(*arguments, **(named or {}))

    with Mode():
        ours.normal_(torch.zeros(64, 64))
    assert theirs.normal_ in seen

    for name in ("normal_", "uniform_"):
        for randomness in ("different", "same"):
            results = []
            for module in (ours, theirs):
                torch.default_generator.manual_seed(9)
                results.append(torch.vmap(lambda x: getattr(module, name)(x.clone()), randomness=randomness)(
                    torch.zeros(3, 64, 64)))
            assert torch.equal(*results)
        python_package.raises(RuntimeError, "randomness", torch.vmap(getattr(ours, name)), torch.zeros(3, 64, 64))

    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(torch.zeros(64, 64), torch.ones(64, 64))
        ours.normal_(dual)
        tangent = torch.autograd.forward_ad.unpack_dual(dual).tangent
        expected = torch.autograd.forward_ad.make_dual(torch.zeros(64, 64), torch.ones(64, 64))
        theirs.normal_(expected)
        other = torch.autograd.forward_ad.unpack_dual(expected).tangent
        assert (tangent is None) == (other is None) and (tangent is None or torch.equal(tangent, other))


def test_inference_mode():
    results = []
    for module in (ours, theirs):
        with torch.inference_mode():
            torch.default_generator.manual_seed(4)
            tensor = torch.empty(100, 100)
            module.normal_(tensor)
            module.trunc_normal_(tensor[:50])
            normal = torch.ones(3)
        module.uniform_(normal.clone())
        results.append((tensor.clone(), torch.get_rng_state()))
    assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])
    outside = torch.zeros(100, 100)
    versions = []
    for module in (ours, theirs):
        before = outside._version
        with torch.inference_mode():
            module.normal_(outside)
        versions.append(outside._version - before)
    assert versions[0] == versions[1]


def test_tracers():
    def build(x):
        return ours.normal_(x.clone())

    torch.default_generator.manual_seed(8)
    expected = theirs.normal_(torch.zeros(64, 64))
    torch.default_generator.manual_seed(8)
    assert torch.equal(torch.compile(build, backend="eager", fullgraph=True)(torch.zeros(64, 64)), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.default_generator.manual_seed(8)
        traced = torch.jit.trace(lambda x: ours.normal_(x.clone()), torch.zeros(64, 64), check_trace=False)
        torch.default_generator.manual_seed(8)
        assert torch.equal(traced(torch.zeros(64, 64)), expected)


def test_autograd_sees_the_change():
    weight = torch.rand(64, 64, requires_grad=True)
    squared = weight * weight
    result = squared * squared  # keeps `squared` for its gradient
    ours.normal_(squared)
    python_package.raises(RuntimeError, "modified by an inplace operation", result.sum().backward)


def test_trunc_normal_that_would_not_end():
    if fanin.torch._engine.RELEASE < (2, 12):
        print("torch %s draws no value again" % torch.__version__)
        return
    tensor = torch.zeros(1000)
    state = torch.get_rng_state()
    python_package.raises(ValueError, "would not end", ours.trunc_normal_, tensor, 0.0, 1e-4, 0.5, 1.0)
    assert torch.equal(torch.get_rng_state(), state) and not tensor.any()


def test_memory_that_is_not_there():
    tensor = torch.zeros(100, 100)
    tensor.untyped_storage().resize_(16)
    for name in ("normal_", "uniform_", "trunc_normal_", "xavier_normal_"):
        python_package.raises(RuntimeError, "storage", getattr(ours, name), tensor)


def test_state_that_is_no_generators():
    """A state torch accepts but can't come from drawing: torch's own kernel does it."""
    generator = torch.Generator()
    generator.manual_seed(1)
    state = generator.get_state()
    state[8:12] = torch.tensor([100, 0, 0, 0], dtype=torch.uint8)  # left
    state[16:24] = torch.tensor([50] + [0] * 7, dtype=torch.uint8)  # next
    results = []
    for module in (ours, theirs):
        generator.set_state(state)
        results.append(module.uniform_(torch.zeros(5000), generator=generator))
    assert torch.equal(*results)


def test_threads_do_not_share_draws():
    for size in (5000, 1 << 20):
        tensors = [torch.empty(size) for _ in range(8)]
        torch.default_generator.manual_seed(0)
        threads = [threading.Thread(target=ours.normal_, args=(tensor,)) for tensor in tensors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = sorted(tensor.numpy().tobytes() for tensor in tensors)
        torch.default_generator.manual_seed(0)
        expected = sorted(theirs.normal_(torch.empty(size)).numpy().tobytes() for _ in tensors)
        if size % 16 == 0:
            assert found == expected
        assert len(set(found)) == len(tensors)


if __name__ == "__main__":
    sys.exit(python_package.run(globals()))
