#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fanin.torch.accelerate(): the same bytes and generator states as torch's own kernels, and what torch promises around
them: threads, forks, modes, transforms, compilers, version counters. Exits 77, saying why, where torch is missing."""

import contextlib
import inspect
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import warnings

import python_package

fanin = python_package.fanin()
torch = python_package.need("torch")
import fanin.torch  # noqa: E402
if not hasattr(torch.library, "get_kernel"):
    python_package.raises(NotImplementedError, "needs torch 2.11", fanin.torch.accelerate().__enter__)
    python_package.skip("torch %s has no torch.library.get_kernel, and accelerate() says so" % torch.__version__)
from fanin.torch import _engine  # noqa: E402

accelerate = fanin.torch.accelerate
FLOATS = torch.float32, torch.float64, torch.bfloat16, torch.float16
torch.set_num_threads(2)


def seed(value):
    torch.default_generator.manual_seed(value)


@contextlib.contextmanager
def counted():
    """Counts the fills that are fanin's."""
    done = []
    draw = _engine.draw

    def counting(*arguments):
        result = draw(*arguments)
        done.append(result)
        return result

    _engine.draw = counting
    try:
        yield done
    finally:
        _engine.draw = draw


def both(build):
    """What `build` gives without and with acceleration, each with the generator's state afterwards."""
    seed(3)
    expected = build(), torch.get_rng_state()
    with accelerate():
        seed(3)
        found = build(), torch.get_rng_state()
    return expected, found


def bytes_of(tensor):
    return tensor.detach().contiguous().view(torch.uint8) if tensor.numel() and tensor.dim() else tensor.detach()


def assert_same(build):
    expected, found = both(build)
    for one, other in zip(expected[0] if isinstance(expected[0], (list, tuple)) else [expected[0]],
                          found[0] if isinstance(found[0], (list, tuple)) else [found[0]]):
        assert one.stride() == other.stride() and one.dtype == other.dtype
        assert torch.equal(bytes_of(one), bytes_of(other)), build
    assert torch.equal(expected[1], found[1]), build


def test_fills():
    count = 0
    for dtype, n in itertools.product(FLOATS, (1, 15, 16, 17, 2999, 3000, 3001, 4096, 5003, 70001, (2 << 20) + 35)):
        if n > 1 << 20 and dtype is torch.float64:
            continue
        assert_same(lambda: torch.empty(n, dtype=dtype).normal_(0.1, 0.7))
        assert_same(lambda: torch.empty(n, dtype=dtype).uniform_(-0.3, 0.7))
        count += 2
    for dtype in FLOATS:
        assert_same(lambda: torch.zeros(90, 120, dtype=dtype).t().normal_())
        assert_same(lambda: torch.zeros(90, 120, dtype=dtype)[:, ::2].uniform_())
        assert_same(lambda: torch.zeros(40, 30, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last).normal_())
        assert_same(lambda: torch.nn.init.trunc_normal_(torch.zeros(100, 100, dtype=dtype), std=0.02))
        assert_same(lambda: torch.nn.init.trunc_normal_(torch.zeros(100, 100, dtype=dtype)))
        assert_same(lambda: torch.nn.init.trunc_normal_(torch.zeros(100, 100, dtype=dtype), 0.0, 1.0, 2.0, 3.0))
    assert_same(lambda: [torch.randn(5000), torch.rand(5000), torch.randn_like(torch.zeros(64, 64)),
                         torch.normal(0.0, 2.0, (70, 70)), torch.randn(7), torch.randperm(5000), torch.rand(3000)])
    assert_same(lambda: [torch.zeros(5000, dtype=torch.complex64).normal_(), torch.randn(5000)])
    print("%d sizes" % count)


def test_who_fills():
    """The table in docs/python.md."""
    with counted() as done, accelerate():
        for dtype in FLOATS:
            for make in (lambda: torch.zeros(64, 64, dtype=dtype), lambda: torch.zeros(64, 64, dtype=dtype).t(),
                         lambda: torch.zeros(64, 128, dtype=dtype)[:, ::2], lambda: torch.zeros(3, 4000, dtype=dtype)[1]):
                for fill in (lambda t: t.normal_(), lambda t: t.uniform_(), torch.nn.init.trunc_normal_):
                    del done[:]
                    fill(make())
                    assert done[-1:] == [True], (dtype, make, fill, done)
        for fill in (lambda: torch.zeros(2999).normal_(), lambda: torch.zeros(2999).uniform_(),
                     lambda: torch.zeros(64, 64, dtype=torch.int32).random_(),
                     lambda: torch.randperm(5000), lambda: torch.zeros(5000).bernoulli_()):
            del done[:]
            fill()
            assert True not in done, (fill, done)
        del done[:]
        torch.zeros(2, 1, 2, 1, 2, 1, 2, 1, 1000).transpose(0, 8).normal_()  # nine dimensions that are not one run
        torch.zeros(5000).as_strided((100, 100), (40, 1)).normal_()  # elements that share memory
        torch.zeros(5000).normal_(float("inf"))
        assert done == [False] * 3, done


def test_modules():
    build = [lambda: torch.nn.Linear(300, 200), lambda: torch.nn.Conv2d(30, 40, 3), lambda: torch.nn.LSTM(60, 70, 2),
             lambda: torch.nn.Embedding(1000, 30, padding_idx=3), lambda: torch.nn.MultiheadAttention(64, 4),
             lambda: torch.nn.Transformer(64, 4, 2, 2, 128), lambda: torch.nn.Linear(300, 200, dtype=torch.bfloat16)]
    for make in build:
        assert_same(lambda: [t for t in make().state_dict().values()])


def test_transformers():
    try:
        import transformers
    except ImportError as e:
        print("transformers: %s" % e)
        return
    for make, config in ((transformers.GPT2LMHeadModel, transformers.GPT2Config(n_layer=2, n_embd=96, vocab_size=999)),
                         (transformers.LlamaForCausalLM, transformers.LlamaConfig(
                             hidden_size=96, intermediate_size=200, num_hidden_layers=2, num_attention_heads=4,
                             vocab_size=999, dtype=torch.bfloat16)),
                         (transformers.ViTModel, transformers.ViTConfig(hidden_size=96, num_hidden_layers=2,
                                                                        intermediate_size=200, num_attention_heads=4))):
        assert_same(lambda: list(make(config).state_dict().values()))


def test_explicit_generators():
    for fill in (lambda t, g: t.normal_(generator=g), lambda t, g: t.uniform_(generator=g),
                 lambda t, g: torch.nn.init.trunc_normal_(t, generator=g)):
        states = []
        for enter in (contextlib.nullcontext, accelerate):
            generator = torch.Generator()
            generator.manual_seed(12)
            seed(1)
            with enter():
                tensors = [fill(torch.zeros(n), generator) for n in (5, 5000, 17, 100000)]
            states.append((tensors, generator.get_state(), torch.get_rng_state()))
        assert all(torch.equal(a, b) for a, b in zip(states[0][0], states[1][0]))
        assert torch.equal(states[0][1], states[1][1]) and torch.equal(states[0][2], states[1][2])


def is_native():
    return "RegisterCPU" in repr(torch.library.get_kernel("aten::normal_", "CPU"))


def test_undone():
    code = torch.nn.init._no_grad_trunc_normal_.__code__
    assert is_native()
    with accelerate():
        assert not is_native() and torch.nn.init._no_grad_trunc_normal_.__code__ is not code
        with accelerate():
            assert not is_native()
        assert not is_native()
    assert is_native() and torch.nn.init._no_grad_trunc_normal_.__code__ is code
    one, two = accelerate(), accelerate()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)  # not in the order of entering
    assert not is_native()
    two.__exit__(None, None, None)
    assert is_native()
    for error in (ValueError, KeyboardInterrupt, SystemExit, GeneratorExit):
        try:
            with accelerate():
                with accelerate():
                    raise error
        except error:
            pass
        assert is_native() and torch.nn.init._no_grad_trunc_normal_.__code__ is code
    same = accelerate()
    with same, same:
        assert not is_native()
    assert is_native()

    @accelerate()
    def build():
        assert not is_native()
        return torch.randn(5000)

    seed(1)
    first = build()
    assert is_native()
    seed(1)
    assert torch.equal(first, torch.randn(5000))

    def generate():
        with accelerate():
            yield 1

    running = generate()
    next(running)
    assert not is_native()
    running.close()
    assert is_native()
    for _ in range(3):  # an error of torch's inside
        try:
            with accelerate():
                torch.zeros(5000).normal_(0.0, -1.0)
        except RuntimeError as e:
            assert "std" in str(e)
    assert is_native()


def test_errors_are_torchs():
    cases = [lambda: torch.zeros(64, 64).normal_(0.0, -1.0), lambda: torch.zeros(64, 64).uniform_(1.0, 0.0),
             lambda: torch.zeros(64, 64).uniform_(float("nan"), 0.0), lambda: torch.zeros(64, 64).uniform_(0.0, float("inf")),
             lambda: torch.zeros(64, 64, dtype=torch.int64).normal_(), lambda: torch.zeros(64, 64, dtype=torch.int8).uniform_(),
             lambda: torch.zeros(64).expand(64, 64).normal_(), lambda: torch.zeros(64).expand(64, 64).uniform_(),
             lambda: torch.zeros(64, 64, requires_grad=True).normal_(),
             lambda: torch.zeros(64, 64).to_sparse().normal_(), lambda: torch.zeros(64, 64).to_sparse().uniform_(),
             lambda: torch.nn.init.trunc_normal_(torch.zeros(64).expand(64, 64)),
             lambda: torch.nn.init.trunc_normal_(torch.zeros(64, 64), std=0.0),
             lambda: torch.nn.init.trunc_normal_(torch.zeros(64, 64), a=2.0, b=-2.0),
             lambda: torch.nn.init.trunc_normal_(torch.zeros(64, 64), std=None)]
    with torch.inference_mode():
        inference = torch.zeros(64, 64)
    cases += [lambda: inference.normal_(), lambda: torch.nn.init.trunc_normal_(inference)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized = torch.quantize_per_tensor(torch.zeros(64, 64), 0.1, 0, torch.qint8)
    cases += [lambda: quantized.normal_(), lambda: quantized.uniform_()]
    for case in cases:
        errors, states = [], []
        for enter in (contextlib.nullcontext, accelerate):
            seed(6)
            with enter():
                try:
                    case()
                    errors.append(None)
                except Exception as e:
                    errors.append((type(e), str(e).partition(" is only available for these backends")[0]))
            states.append(torch.get_rng_state())
        assert errors[0] is not None, inspect.getsource(case)
        assert errors[0] == errors[1], errors
        assert torch.equal(*states), inspect.getsource(case)
    with accelerate():
        python_package.raises(ValueError, "would not end", torch.nn.init.trunc_normal_, torch.zeros(5000), 0.0, 1e-4, 0.5,
                              1.0)
        tensor = torch.zeros(100, 100)
        tensor.untyped_storage().resize_(16)
        python_package.raises(RuntimeError, "storage", tensor.normal_)


def test_warnings_are_torchs():
    for arguments in ((10.0, 1.0), (0.0, 0.02)):
        caught = []
        for enter in (contextlib.nullcontext, accelerate):
            with enter(), warnings.catch_warnings(record=True) as found:
                warnings.simplefilter("always")
                torch.nn.init.trunc_normal_(torch.zeros(100), *arguments)
            caught.append([(w.category, str(w.message)) for w in found])
        assert caught[0] == caught[1], caught
    with accelerate(), warnings.catch_warnings():
        warnings.simplefilter("error")
        with accelerate():
            torch.zeros(5000).normal_()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with accelerate():
            pass


def test_autograd():
    versions = []
    for enter in (contextlib.nullcontext, accelerate):
        with enter():
            tensor = torch.zeros(5000)
            tensor.normal_()
            tensor[:4000].uniform_()
            torch.nn.init.trunc_normal_(tensor)
            torch.nn.init.trunc_normal_(tensor, std=0.1)
            with torch.inference_mode():
                tensor.normal_()
            versions.append(tensor._version)
            leaf = torch.zeros(5000, requires_grad=True)
            with torch.no_grad():
                leaf.normal_()
            assert leaf.is_leaf and leaf.requires_grad and leaf.grad_fn is None
            result = (leaf * 2).normal_()
            assert type(result.grad_fn).__name__.startswith("Normal")
            result.sum().backward()
            assert not leaf.grad.any()
            squared = leaf * leaf
            result = squared * squared
            with torch.no_grad():
                squared.uniform_()
            python_package.raises(RuntimeError, "modified by an inplace operation", result.sum().backward)
    assert versions[0] == versions[1], versions


def test_modes_and_transforms():
    for randomness in ("different", "same"):
        assert_same(lambda: torch.vmap(lambda x: x.clone().normal_(), randomness=randomness)(torch.zeros(3, 5000)))
        assert_same(lambda: torch.vmap(lambda x: torch.randn(5000) + x, randomness=randomness)(torch.zeros(3, 1)))
    with accelerate():
        python_package.raises(RuntimeError, "randomness", torch.vmap(lambda x: x.normal_()), torch.zeros(3, 5000))
    assert_same(lambda: torch.func.grad(lambda x: (x * torch.randn(5000)).sum())(torch.ones(5000)))

    def in_inference_mode():
        with torch.inference_mode():
            return torch.empty(5000).normal_(), torch.nn.init.trunc_normal_(torch.empty(5000)), torch.rand(4000)

    assert_same(in_inference_mode)
    from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
    state = torch.get_rng_state()
    with accelerate():
        with FakeTensorMode():
            fake = torch.empty(5000).normal_()
            assert isinstance(fake, FakeTensor) and isinstance(torch.nn.Linear(100, 100).weight.data, FakeTensor)
        meta = torch.empty(5000, device="meta").normal_()
        assert meta.is_meta and torch.nn.init.trunc_normal_(meta) is meta
        with torch.device("meta"):
            assert torch.nn.Linear(100, 100).weight.is_meta
    assert torch.equal(state, torch.get_rng_state())

    seen = []
    from torch.utils._python_dispatch import TorchDispatchMode

    class Mode(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), named=None):
            seen.append(function)
            return function(*arguments, **(named or {}))

    def in_mode():
        with Mode():
            return torch.nn.init.trunc_normal_(torch.zeros(5000).normal_())

    assert_same(in_mode)
    assert seen.count(torch.ops.aten.normal_.default) >= 4


def test_compilers():
    def build(x):
        return x.clone().normal_(0.5, 2.0) + torch.rand(5000)

    compiled = torch.compile(build, backend="eager", fullgraph=True)
    assert_same(lambda: compiled(torch.zeros(5000)))
    seed(3)
    expected = build(torch.zeros(5000))
    seed(3)
    assert torch.equal(compiled(torch.zeros(5000)), expected)
    compiled = torch.compile(lambda x: torch.nn.init.trunc_normal_(x.clone()) + 1, backend="eager")
    assert_same(lambda: compiled(torch.zeros(5000)))
    with accelerate():
        torch._dynamo.reset()
        fresh = torch.compile(lambda x: torch.nn.init.trunc_normal_(x.clone()) + 1, backend="eager")
        seed(3)
        found = fresh(torch.zeros(5000))
    seed(3)
    assert torch.equal(found, torch.nn.init.trunc_normal_(torch.zeros(5000)) + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(build, torch.zeros(5000), check_trace=False)
    assert_same(lambda: traced(torch.zeros(5000)))


def test_inductor():
    """Draws as torch's kernels do where it is told to (fallback_random); needs a compiler for what it generates."""
    import shutil
    if shutil.which("g++") is None:
        print("inductor: there is no g++")
        return
    import torch._inductor.config
    with torch._inductor.config.patch(fallback_random=True), accelerate():
        torch._dynamo.reset()
        compiled = torch.compile(lambda x: x + torch.randn(5000))
        seed(3)
        found = compiled(torch.zeros(5000))
    seed(3)
    assert torch.equal(found, torch.randn(5000))


def test_threads():
    """Each draw is somebody's, and nobody's twice, whichever thread comes first."""
    for sizes in ([1 << 16] * 12, [1024] * 12, [1 << 16, 1024] * 6):
        tensors = [torch.empty(size) for size in sizes]
        seed(0)
        with accelerate():
            threads = [threading.Thread(target=lambda t: [t.uniform_() for _ in range(3)], args=(t,)) for t in tensors]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        state = torch.get_rng_state()
        seed(0)
        for size in sizes:
            for _ in range(3):
                torch.empty(size).uniform_()
        assert torch.equal(state, torch.get_rng_state()), "draws were lost or made twice"
        assert len({bytes(t.untyped_storage())[:400] for t in tensors}) == len(tensors)


# One of each kind of kernel that is not replaced, by what a user calls.
OTHERS = {
    "random_": lambda: torch.empty(64, dtype=torch.int32).random_(),
    "random_ to": lambda: torch.empty(64, dtype=torch.int32).random_(100),
    "randint": lambda: torch.randint(5, 100, (64,)),
    "randperm": lambda: torch.randperm(65),
    "dropout": lambda: torch.nn.functional.dropout(torch.ones(64)),
    "bernoulli": lambda: torch.bernoulli(torch.full((64,), 0.3)),
    "bernoulli_": lambda: torch.empty(64).bernoulli_(torch.full((64,), 0.3)),
    "exponential_": lambda: torch.empty(64).exponential_(),
    "cauchy_": lambda: torch.empty(64).cauchy_(),
    "geometric_": lambda: torch.empty(64).geometric_(0.5),
    "log_normal_": lambda: torch.empty(64).log_normal_(),
    "multinomial": lambda: torch.multinomial(torch.ones(32), 8, replacement=True),
    "normal": lambda: torch.normal(torch.zeros(64), torch.ones(64)),
    "rrelu": lambda: torch.nn.functional.rrelu(-torch.ones(64), training=True),
    "binomial": lambda: torch.binomial(torch.full((8,), 3.0), torch.full((8,), 0.5)),
    "poisson": lambda: torch.poisson(torch.full((8,), 3.0)),
    "gamma": lambda: torch._standard_gamma(torch.full((8,), 3.0)),
    "dirichlet": lambda: torch._sample_dirichlet(torch.ones(2, 4)),
}
DATA_DEPENDENT = "binomial", "poisson", "gamma", "dirichlet"


def test_other_draws_stay_torchs():
    for draw in OTHERS.values():
        assert_same(lambda: [draw(), torch.empty(5000).normal_(), draw()])


def test_all_kernels_that_draw_are_known():
    """Every kernel that torch says draws takes the lock, but for those that never draw on the CPU."""
    from fanin.torch._accelerate import OTHERS_THAT_DRAW
    known = {"aten::" + name for name in (*OTHERS_THAT_DRAW, "normal_", "uniform_", "_fused_sdp_choice",
                                          "_scaled_dot_product_flash_attention_for_cpu")}
    drawing = set()
    for name in torch._C._dispatch_get_all_op_names():
        base, _, overload = name.partition("::")[2].partition(".")
        if name.startswith("aten::") and torch._C._dispatch_has_kernel_for_dispatch_key(name, "CPU") and \
                torch.Tag.nondeterministic_seeded in getattr(getattr(torch.ops.aten, base), overload or "default").tags:
            drawing.add(name)
    assert len(drawing) > 20 and not drawing - known, drawing - known


def ndraws_of(draw):
    seed(0)
    draw()
    state = torch.get_rng_state().numpy().tobytes()
    for n in range(500):
        generator = fanin.Generator(0)
        generator.skip(n)
        if generator.get_state() == state:
            return n
    raise AssertionError("it draws more, or leaves a cached normal")


def test_threads_that_draw_otherwise():
    """Kernels that are not replaced wait for fills, and fills for them: every draw is somebody's, and nobody's twice."""
    for name, draw in OTHERS.items():
        if name in DATA_DEPENDENT:
            continue
        stop, went_on = threading.Event(), threading.Semaphore(0)
        count, nfills = [0], 0

        def repeat():
            while not stop.is_set():
                draw()
                count[0] += 1
                went_on.release()

        ndraws = ndraws_of(draw)
        seed(0)
        with accelerate():
            thread = threading.Thread(target=repeat)
            thread.start()
            for nfills in range(1, 31):
                torch.empty(1 << 18).uniform_()
                if nfills % 3 == 0:  # else this thread might never let go for long enough
                    went_on.acquire()
            stop.set()
            thread.join()
        generator = fanin.Generator(0)
        generator.skip(nfills * (1 << 18) + count[0] * ndraws)
        assert count[0] >= 10 and ndraws > 0, (name, count, ndraws)
        assert generator.get_state() == torch.get_rng_state().numpy().tobytes(), (name, count, ndraws)


def test_states_set_beside_a_fill():
    """A state that another thread sets while a fill is made stands before the fill: it is made again from there."""
    original = _engine.lib.fanin_fill_run_fresh
    expected = []
    for enter in (contextlib.nullcontext, accelerate):
        def run(*arguments):
            status = original(*arguments)
            thread = threading.Thread(target=seed, args=(8,))
            thread.start()
            thread.join()
            return status

        with enter():
            if enter is accelerate:
                torch.empty(5000).normal_()  # what is bound once is bound
                _engine.lib.fanin_fill_run_fresh = run
            try:
                seed(8 if enter is contextlib.nullcontext else 7)
                expected.append((torch.empty(5000).normal_(), torch.get_rng_state()))
            finally:
                _engine.lib.fanin_fill_run_fresh = original
    assert torch.equal(expected[0][0], expected[1][0]) and torch.equal(expected[0][1], expected[1][1])


def test_entering_beside_fills():
    stop = threading.Event()
    errors = []

    def fill():
        try:
            while not stop.is_set():
                torch.empty(4096).normal_()
                torch.nn.init.trunc_normal_(torch.empty(100))
                torch.nn.functional.dropout(torch.ones(100))
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=fill) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        with accelerate():
            torch.empty(3000).uniform_()
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors and is_native()


def in_child(function):
    """Runs it in a forked process; an alarm ends one that hangs."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        try:
            function()
            os._exit(0)
        except BaseException as e:
            print("in the child: %r" % e)
            sys.stdout.flush()
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0, "the child failed or hung"


def test_fork():
    seed(5)
    expected = torch.empty(3 << 20).normal_()
    stop = threading.Event()

    def fill():
        while not stop.is_set():
            torch.empty(1 << 18).normal_(generator=own)

    own = torch.Generator()
    with accelerate():
        torch.empty(3 << 20).normal_()  # the pool's threads are there
        thread = threading.Thread(target=fill)
        thread.start()

        def child():
            tensors = []
            for _ in range(2):
                with accelerate():
                    seed(5)
                    tensors.append(torch.empty(3 << 20).normal_())
                assert not is_native()
            torch.set_num_threads(1)  # torch's own threads do not survive a fork
            assert all(torch.equal(tensor, expected) for tensor in tensors)

        try:
            for _ in range(5):
                in_child(child)
        finally:
            stop.set()
            thread.join()


class Draws(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        return torch.empty(5000).normal_()


def test_data_loader_workers():
    def load(workers):
        generator = torch.Generator()
        generator.manual_seed(2)
        return torch.cat([batch for batch in torch.utils.data.DataLoader(
            Draws(), batch_size=2, num_workers=workers, generator=generator, timeout=120 if workers else 0,
            multiprocessing_context="fork" if workers else None)])

    expected = load(2)
    with accelerate():
        assert torch.equal(load(2), expected)
    assert_same(lambda: load(0))


def test_spawned_process():
    with accelerate():
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=print, args=("spawned",))
        process.start()
        process.join(120)
        assert process.exitcode == 0


def test_number_of_threads():
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        assert_same(lambda: torch.empty(3 << 20).normal_())
        assert _engine._pool.asked == count
    torch.set_num_threads(2)


def test_without_get_kernel():
    get_kernel = torch.library.get_kernel
    del torch.library.get_kernel
    try:
        python_package.raises(NotImplementedError, "get_kernel", accelerate().__enter__)
    finally:
        torch.library.get_kernel = get_kernel
    assert is_native()


def test_another_code_for_trunc_normal():
    """Whoever exchanges the function's code meanwhile, and puts back what was there, leaves no trace of ours."""
    function = torch.nn.init._no_grad_trunc_normal_
    code = function.__code__
    context = accelerate()
    context.__enter__()
    between = function.__code__
    function.__code__ = (lambda tensor, mean, std, a, b, generator=None: tensor.fill_(7.0)).__code__
    context.__exit__(None, None, None)
    assert torch.nn.init.trunc_normal_(torch.zeros(3))[0] == 7.0
    function.__code__ = between
    seed(1)
    first = torch.nn.init.trunc_normal_(torch.zeros(5000))
    function.__code__ = code
    seed(1)
    assert torch.equal(first, torch.nn.init.trunc_normal_(torch.zeros(5000)))
    assert is_native()


if __name__ == "__main__":
    sys.exit(python_package.run(globals()))
