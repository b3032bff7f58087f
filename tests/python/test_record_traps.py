#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The recorder against constructors that are hard to record: each plan makes the constructor's bytes, or the recorder
refuses with the operation and the line. Exits 77 where torch cannot be imported."""

import copy
import json
import random
import sys
import threading
import types

import python_package

fanin = python_package.fanin()
torch = python_package.need("torch")
np = python_package.need("numpy")
if tuple(int(x) for x in torch.__version__.split(".")[:2]) < (2, 13):
    python_package.skip("torch %s is older than 2.13" % torch.__version__)

from torch import nn  # noqa: E402

from fanin.torch import Refused, _recording, _replay  # noqa: E402
from fanin.torch._tape import tensor_bytes  # noqa: E402

raises = python_package.raises
HERE = "test_record_traps.py:"


class Box(nn.Module):
    """Named tensors: those that require a gradient are parameters, the others buffers."""

    def __init__(self, **tensors):
        super().__init__()
        for name, tensor in tensors.items():
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(name, tensor)
            else:
                self.register_buffer(name, tensor)


def eager(fn, seed):
    """Bytes by name, and the generator's state, as the constructor itself makes them."""
    before = torch.get_rng_state()
    torch.manual_seed(seed)
    result = fn()
    found = {name: tensor_bytes(t) for name, t, _, _ in _recording.named_tensors(result)}
    state = torch.get_rng_state()
    torch.set_rng_state(before)
    return found, state


def exact(fn, refused=(), hollow_nbytes=None, recorded="hollow"):
    """Records with every storage hollow and as usual; compares all tensors together, each alone, and the end state."""
    for nbytes in (1 << 20, 0) if hollow_nbytes is None else (hollow_nbytes,):
        plan = _recording.record_plan(fn, "trap", hollow_nbytes=nbytes)
        assert plan["source"]["recorded"] == recorded, plan["source"]
        names = [t["name"] for t in plan["tensors"]]
        assert {t["name"] for t in plan["tensors"] if "refused" in t} == set(refused), plan["tensors"]
        for seed in (0, 1234, 2**63 + 11):
            expected, state = eager(fn, seed)
            executor = _replay.Executor(plan, seed)
            made = [n for n in names if n not in refused]
            together = executor.tensors(made)
            for name in made:
                assert tensor_bytes(together[name]) == expected[name], (name, seed, nbytes)
            random.Random(seed).shuffle(made)
            for name in made:
                alone = _replay.Executor(plan, seed).tensors([name])[name]
                assert tensor_bytes(alone) == expected[name], (name, seed, nbytes)
            if plan["words"]:
                assert torch.equal(executor.end_state()[:5016], state[:5016]), (seed, nbytes)
    return plan


def refuses(fn, *texts):
    message = str(raises(Refused, texts[0], _recording.record_plan, fn, "trap"))
    for text in texts:
        assert text in message, message


def ops(plan):
    return [op["op"] for op in plan["ops"]]


# ---- 1 to 3: devices, trunc_normal_, reads below the dispatcher ----


def test_trap_01_meta_device():
    torch.set_default_device("meta")
    try:
        refuses(lambda: nn.Linear(2, 2), "default device is meta")
    finally:
        torch.set_default_device(None)
    with torch.device("meta"):
        refuses(lambda: nn.Linear(2, 2), "default device is meta")

    def on_meta_first():
        with torch.device("meta"):
            skeleton = nn.Linear(5, 6)
        fresh = nn.Linear(5, 6)
        fresh.weight = nn.Parameter(torch.empty_like(skeleton.weight, device="cpu").normal_())
        return fresh

    exact(on_meta_first)


def test_trap_02_trunc_normal_under_every_name():
    from torch.nn.init import _no_grad_trunc_normal_ as private
    from torch.nn.init import trunc_normal_ as early

    def build():
        made = {}
        made["one_round"] = nn.init.trunc_normal_(torch.empty(30, 7), std=0.02)
        made["early"] = early(torch.empty(50, 40))
        made["private"] = private(torch.empty(33, 3), 0.0, 1.0, -1.0, 1.0)
        made["uniforms"] = nn.init.trunc_normal_(torch.empty(40, 3), 0.0, 1.0, 2.0, 3.0)
        made["scalar"] = nn.init.trunc_normal_(torch.empty(9))
        made["wide"] = nn.init.trunc_normal_(torch.empty(19, 3, dtype=torch.float64))
        made["narrow"] = nn.init.trunc_normal_(torch.empty(31, 9, dtype=torch.bfloat16))
        made["after"] = torch.randn(100)
        return Box(**made)

    code = nn.init._no_grad_trunc_normal_.__code__
    plan = exact(build)
    assert nn.init._no_grad_trunc_normal_.__code__ is code
    assert sum(bool(op.get("data_dependent")) for op in plan["ops"]) == 6
    assert plan["ops"][-1]["barriers"] == 6
    raises(RuntimeError, "stop", _recording.record_tape, lambda: stop(), 1)
    assert nn.init._no_grad_trunc_normal_.__code__ is code


def stop():
    raise RuntimeError("stop")


def test_trap_02_a_private_copy_of_the_rejection_runs_on_real_memory_or_is_refused():
    original = nn.init._no_grad_trunc_normal_
    copied = types.FunctionType(original.__code__, original.__globals__, "mine", original.__defaults__)

    def build():
        w = torch.empty(40, 40)
        return Box(w=copied(w, 0.0, 1.0, -2.0, 2.0))

    refuses(build, "value of a random tensor decides what is built", HERE)


def test_trap_02_the_old_inverse_is_plain_arithmetic():
    def old(w):
        with torch.no_grad():
            return w.uniform_(-0.95, 0.95).erfinv_().mul_(0.02 * 2**0.5).add_(0.5).clamp_(min=0.49, max=0.51)

    plan = exact(lambda: Box(w=old(torch.empty(40, 41))))
    assert ops(plan) == ["uniform", "erfinv", "mul", "add", "clamp"]
    assert [op.get("bits") for op in plan["ops"]] == [None, "host", None, None, None]


def test_trap_03_reads_below_the_dispatcher():
    for read in (
        lambda t: t.tolist(),
        lambda t: t.numpy(),
        lambda t: np.asarray(t),
        lambda t: t.data_ptr(),
        lambda t: t.__dlpack__(),
    ):

        def build(read=read):
            t = torch.randn(300000)
            read(t)
            return Box(t=torch.full((2,), 1.0))

        # The values are thrown away, so a recording on real memory is the same under every seed.
        assert exact(build, recorded="eager", hollow_nbytes=1 << 20)

    def build():
        return Box(t=torch.tensor(torch.randn(4).tolist()))

    plan = exact(build, refused=["t"], recorded="eager", hollow_nbytes=1 << 20)
    assert "(tolist)" in plan["tensors"][0]["refused"]
    # What is deterministic may be read, however large.
    exact(lambda: Box(t=torch.tensor(torch.ones(1 << 19)[:3].tolist()), n=torch.zeros(1 << 20).sum()))


# ---- 4: values that depend on draws ----


def test_trap_04_control_flow_on_random_values():
    def decides():
        w = torch.randn(50, 50)
        if w.sum() > 0:
            return Box(w=w)
        return Box(w=w, more=torch.randn(4))

    refuses(decides, "decides what is built", "aten::_local_scalar_dense", HERE)

    def loops():
        w = torch.randn(8)
        while float(w.abs().max()) > 1.0:
            w = torch.randn(8)
        return Box(w=w)

    refuses(loops, "aten::_local_scalar_dense", HERE)

    def finds():
        return Box(w=torch.randn(100)[torch.randn(100) > 0])

    plan = _recording.record_plan(finds, "trap")
    assert "aten::" in plan["tensors"][0]["refused"] and HERE in plan["tensors"][0]["refused"]


def test_trap_04_values_that_change_nothing_are_recorded_on_real_memory():
    def asserts():
        w = torch.randn(60, 5)
        assert bool(torch.isfinite(w).all()) and str(w)
        return Box(w=w, b=torch.zeros(5))

    exact(asserts, recorded="eager", hollow_nbytes=1 << 20)


def test_trap_04_per_tensor():
    def scales():
        w = torch.randn(40)
        v = torch.randn(50).mul_(1 / w.std().item())
        return Box(w=w, v=v, u=v[:10] + 1, z=torch.rand(20))

    plan = exact(scales, refused=["v", "u"], recorded="eager", hollow_nbytes=1 << 20)
    reason = [t for t in plan["tensors"] if t["name"] == "v"][0]["refused"]
    assert HERE in reason and "aten::mul_" in reason, reason


# ---- 5 to 8: views, spills, copies, identity ----


def test_trap_05_views_in_place():
    def build():
        w = torch.empty(6, 40).normal_()
        w.t_()
        x = torch.randn(1, 40, 1)
        x.squeeze_()
        y = torch.rand(4, 6).unsqueeze_(0).transpose_(0, 2)
        y.mul_(2)
        return Box(w=w, x=x, y=y)

    exact(build)


def test_trap_06_parts_of_deterministic_tensors():
    def build():
        a = torch.zeros(10, 12)
        a[:, 1:].normal_()
        b = torch.arange(40.0).reshape(5, 8)
        b[2].uniform_(-1, 1)
        c = torch.empty(4, 50)
        c[1].fill_(3)
        c[0].normal_()
        c[2:].zero_()
        d = torch.ones(600, 600)
        d[:300].uniform_()
        e = torch.randn(40, 16)
        e[3].zero_()
        e[:, 0] = torch.arange(40.0)
        return Box(a=a, b=b, c=c, d=d, e=e)

    plan = exact(build)
    assert "literal" in ops(plan)


def test_trap_06_a_bias_zeroed_in_full_is_real_again():
    def build():
        b = torch.empty(30).uniform_()
        b.zero_()
        assert b.sum().item() == 0
        return Box(b=b)

    plan = exact(build)
    assert ops(plan) == ["fill"] and plan["words"] == 30


def test_trap_07_deep_copies():
    def build():
        layer = nn.Linear(30, 40)
        plain = torch.randn(20, 20)
        with torch.no_grad():
            other = copy.deepcopy(layer)
            layer.weight.mul_(0.5)
        copied = copy.deepcopy(plain)
        plain[0].fill_(7)
        big = torch.randn(700, 700)
        return nn.ModuleDict({"a": layer, "b": other, "c": Box(plain=plain, copied=copied, big=copy.deepcopy(big))})

    exact(build)
    exact(lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 2, 64), 3, enable_nested_tensor=False))


def test_trap_08_identity_of_storages():
    def build():
        module = nn.Linear(40, 30)
        module.weight.data = torch.randn(30, 40)
        module.bias = nn.Parameter(module.bias.data)
        for _ in range(50):  # addresses are used again
            torch.randn(30, 40)
        half = nn.Linear(40, 30).half()
        double = nn.Linear(4, 3).to(torch.float64)
        return nn.ModuleList([module, half, double, nn.Linear(20, 3).to(torch.bfloat16)])

    exact(build)


# ---- 9 to 15: factories, memory that nobody writes, devices, threads ----


def test_trap_09_like_reads_only_metadata():
    def build():
        empty = torch.empty(40, 3)
        return Box(
            a=torch.ones_like(empty), b=torch.randn_like(empty), c=empty.new_zeros(3), d=torch.full_like(empty, 2.5)
        )

    exact(build)


def test_trap_10_memory_that_nobody_writes():
    def build():
        large, small = torch.empty(700, 700), torch.empty(20)
        part = torch.empty(10, 10)
        part[:9].normal_()
        sums = torch.randn(20) + small
        w = torch.randn(3)
        return Box(
            large=large,
            small=small,
            part=part,
            sums=sums,
            w=w,
            none=torch.empty(0, 3),
            skipped=nn.utils.skip_init(nn.Linear, 3, 3).weight,
        )

    plan = exact(build, refused=["large", "small", "part", "sums", "skipped"])
    assert all("never initialized" in t["refused"] for t in plan["tensors"] if "refused" in t)

    def used():
        small = torch.empty(20)
        small = small * 0 + 1
        return Box(small=small, fixed=torch.empty(5).fill_(1))

    exact(used, refused=["small"])


def test_trap_11_to_empty():
    def build():
        with torch.device("meta"):
            module = nn.Linear(40, 30)
        module.to_empty(device="cpu")
        module.reset_parameters()
        return module

    exact(build)


def test_trap_12_operations_without_a_rule_for_shapes():
    def build():
        module = nn.Linear(12, 8)
        torch.nn.utils.parametrizations.orthogonal(module)
        return module

    exact(build)


def test_trap_13_devices():
    exact(lambda: Box(w=torch.randn(30, device="cpu"), v=torch.empty(20, device=torch.device("cpu")).normal_()))
    refuses(lambda: Box(w=torch.ops.aten.empty.memory_format([30], device=torch.device("cuda"))), "cuda", HERE)


def test_trap_14_threads():
    def on_default():
        made = {}

        def work():
            made["w"] = torch.randn(30)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return Box(w=made["w"], v=torch.randn(30))

    refuses(on_default, "another thread", HERE)


def test_trap_15_constants_from_elsewhere():
    def build():
        array = np.arange(20, dtype=np.float32)
        return Box(
            a=torch.from_numpy(array),
            b=torch.Tensor([1.0, 2.5]),
            c=torch.frombuffer(bytearray(b"abcd"), dtype=torch.uint8),
            d=torch.tensor(3),
            e=torch.as_tensor(array)[3:7],
            w=torch.randn(3) + torch.from_numpy(array[:3]),
        )

    exact(build)


# ---- 16 to 20 ----


def test_trap_16_lazy_sparse_meta():
    refuses(lambda: nn.LazyLinear(3), "lazy")
    plan = _recording.record_plan(
        lambda: Box(s=torch.eye(3).to_sparse(), m=torch.empty(3, device="meta"), w=torch.randn(3)), "trap", check=False
    )
    reasons = {t["name"]: t.get("refused") for t in plan["tensors"]}
    assert "sparse" in reasons["s"] and "meta" in reasons["m"] and reasons["w"] is None


def test_trap_17_ties_and_overlapping_views():
    def build():
        module = nn.ModuleDict({"a": nn.Linear(20, 30), "b": nn.Linear(20, 30)})
        module["b"].weight = module["a"].weight
        whole = torch.randn(10, 10)
        module.register_buffer("head", whole[:4])
        module.register_buffer("tail", whole[3:])
        module.register_buffer("turned", whole.t())
        return module

    plan = exact(build)
    by_name = {t["name"]: t for t in plan["tensors"]}
    assert by_name["b.weight"]["alias_of"] == "a.weight"
    assert by_name["head"]["s"] == by_name["tail"]["s"] and by_name["tail"]["off"] == 30
    assert by_name["turned"]["strides"] == [1, 10]


def test_trap_18_the_model_does_not_escape():
    kept = []

    def build():
        kept.append(nn.Linear(700, 700))
        kept.append(nn.BatchNorm1d(5))
        return nn.Sequential(*kept)

    _recording.record_plan(build, "trap", check=False)
    assert kept[0].weight.is_meta and kept[0].weight.requires_grad and not kept[1].weight.is_meta
    for look in (repr, torch.sum, lambda t: torch.save(t, __import__("io").BytesIO())):

        def build_and_look(look=look):
            w = torch.randn(700, 700)
            v = torch.rand(3) + look(w) if look is torch.sum else (look(w), torch.rand(3))[1]
            return Box(w=w, v=v)

        exact(build_and_look, recorded="hollow" if look is torch.sum else "eager", hollow_nbytes=1 << 20)


def test_trap_19_the_kept_normal():
    def build():
        return Box(
            a=torch.randn(3),
            b=torch.rand(5),
            c=torch.randn(40),
            d=torch.randn(4),
            e=torch.randn(7, dtype=torch.float64),
            f=torch.empty(20, 4)[:, ::2].normal_(),
            g=nn.init.trunc_normal_(torch.empty(5)),
            h=torch.randn(3),
        )

    plan = exact(build)
    assert any(op.get("cached") == "barrier" for op in plan["ops"]) and any(
        isinstance(op.get("cached"), int) for op in plan["ops"]
    )


def test_trap_20_bits_of_the_host():
    def build():
        w = torch.rand(30).mul_(3.0).add_(0.1)
        inverse = w + torch.log(-torch.expm1(-w))
        return Box(
            w=w,
            inverse=inverse,
            norm=torch.linalg.vector_norm(torch.randn(4, 9), dim=1, keepdim=True),
            q=nn.init.orthogonal_(torch.empty(12, 5)),
            s=nn.init.sparse_(torch.empty(20, 6), 0.3),
            weight_norm=torch.nn.utils.parametrizations.weight_norm(nn.Linear(6, 5)).parametrizations.weight.original0,
        )

    plan = exact(build)
    for op in plan["ops"]:
        if op["op"] in ("exp", "log", "expm1", "log1p", "erfinv") or op["op"].startswith("aten::"):
            assert op["bits"] == "host", op


def test_trap_20_norms():
    """Euclidean norms are C's, near torch's; of other orders, and of what is expanded, they are torch's alone."""
    def build():
        conv = nn.Conv1d(6, 8, 5)
        v = torch.randn(7, 5, 9)
        return Box(
            conv=torch.nn.utils.parametrizations.weight_norm(conv, dim=2).parametrizations.weight.original0,
            v=v,
            some=torch.linalg.vector_norm(v, dim=(0, -1), keepdim=True),
            all=torch.linalg.vector_norm(v),
            frobenius=v.norm(),
            column=v[:, 2].norm(dim=0),
            scaled=v / v.norm(p=2, dim=-1, keepdim=True),
            narrow=v.to(torch.bfloat16).norm(dim=1),
            wide=v.double().norm(),
            scalar=v[0, 0, 0].norm(),
            other_p=v.norm(p=1, dim=0),
            largest=v.norm(p=float("inf")),
            expanded=v[:1].expand(100, 5, 9).norm(dim=0),
            wider=v.norm(p=2, dim=0, dtype=torch.float64),
        )

    torchs = {"other_p", "largest", "expanded", "wider"}
    plan = exact(build)
    text = _recording.record_plan(build, "trap")
    assert [op["op"] for op in plan["ops"]].count("norm") == 9, ops(plan)
    parsed = fanin.Plan.parse(json.dumps(text), "trap")
    assert {t.name for t in parsed.tensors if t.refused is not None} == torchs, parsed.tensors
    made, expected = parsed.arrays(7), eager(build, 7)[0]
    for name in sorted(set(made) - {"narrow"}):
        dtype = made[name].dtype
        near = np.frombuffer(expected[name], dtype).reshape(made[name].shape)
        np.testing.assert_allclose(made[name], near, rtol=20 * np.finfo(dtype).eps, err_msg=name)
    materialized = parsed.state_dict(7)
    assert {name: tensor_bytes(tensor) for name, tensor in materialized.items()} == expected


def test_trap_20_orthogonal():
    """What orthogonal_ does is C's, with the bits of fanin's own; parts of it alone are torch's."""
    def build():
        drawn = torch.randn(9, 4)
        q, r = torch.linalg.qr(drawn)
        twice = torch.linalg.qr(torch.randn(8, 3))[0]
        again, changed = torch.randn(6, 3), torch.randn(6, 3)
        signs = torch.diag(torch.linalg.qr(again)[1]).sign()
        found, other = torch.linalg.qr(changed)
        changed.mul_(2.0)
        return Box(
            tall=nn.init.orthogonal_(torch.empty(12, 5), 0.5),
            wide=nn.init.orthogonal_(torch.empty(5, 3, 7)),
            wide64=nn.init.orthogonal_(torch.empty(4, 9, dtype=torch.float64), 1.7),
            column=nn.init.orthogonal_(torch.empty(12, 1)),
            layer=nn.init.orthogonal_(nn.Conv2d(3, 20, 2).weight.detach()),
            q=q,
            r=r,
            others=twice.mul_(torch.diag(r)[:3].sign()),
            of_another=torch.linalg.qr(torch.randn(6, 3))[0].mul_(signs),
            late=found.mul_(torch.diag(other).sign()),
            changed=changed,
        )

    plan = exact(build)
    described = _recording.record_plan(build, "trap")
    assert [op["op"] for op in described["ops"]].count("qr") == 5, ops(described)
    assert [op["op"] for op in plan["ops"]].count("qr") == 5, ops(plan)
    parsed = fanin.Plan.parse(json.dumps(described), "trap")
    assert {t.name for t in parsed.tensors if t.refused is not None} == {"q", "r", "others", "of_another", "late"}
    expected = eager(build, 7)[0]
    made = parsed.arrays(7, ["tall", "wide", "wide64", "column", "layer", "changed"])
    for name, gain in (("tall", 0.5), ("wide", 1), ("wide64", 1.7), ("column", 1), ("layer", 1)):
        near = np.frombuffer(expected[name], made[name].dtype).reshape(made[name].shape)
        np.testing.assert_allclose(made[name], near, atol=1000 * np.finfo(near.dtype).eps, err_msg=name)
        own, op = np.empty_like(made[name]), dict(described_draws(described))[name]
        generator = fanin.Generator(7)
        generator.skip(op)
        fanin.init.orthogonal_(own, gain, generator=generator)
        assert own.tobytes() == made[name].tobytes(), name
    materialized = parsed.state_dict(7)
    assert {name: tensor_bytes(tensor) for name, tensor in materialized.items()} == expected


def described_draws(plan):
    """(name, where the normals of its QR factorization begin), in a plan whose copies of Q follow each other."""
    at = {op["s"]: op["at"] for op in plan["ops"] if "at" in op}
    for op in plan["ops"]:
        if op["op"] == "qr":
            at[op["s"]] = at[op["src"]["s"]]
        elif op["op"] == "copy" and op["src"]["s"] in at:
            at.setdefault(op["s"], at[op["src"]["s"]])
    return [(t["name"], at[t["s"]]) for t in plan["tensors"] if t["s"] in at]


# ---- 21 to 23 ----


def test_trap_21_large_deterministic_tensors():
    def build():
        mask = torch.ones(1100, 1100, dtype=torch.bool).tril()
        table = torch.outer(torch.arange(600.0), torch.arange(600.0).div(600).exp()).sin()
        return Box(
            mask=mask,
            table=table,
            flipped=torch.cat([table.flip(0), torch.zeros(2, 600)]),
            w=torch.randn(3) + table[0, :3],
            huge=torch.full((300, 1200), 2.0, dtype=torch.bfloat16),
        )

    plan = exact(build)
    assert set(ops(plan)) <= {"literal", "fill", "normal", "add", "copy"}, ops(plan)


def test_trap_21_the_same_table_is_stored_once():
    def table():
        return torch.arange(500.0).sin()

    plan = exact(lambda: Box(a=table(), b=table(), c=table()))
    assert len(plan["literals"]) == 1 and plan["literals"][0]["nbytes"] == 2000


def test_trap_21_weights_from_files_are_no_constants():
    from fanin.torch import _write_plan

    _write_plan.MAX_LITERALS_NBYTES, before = 1000, _write_plan.MAX_LITERALS_NBYTES
    try:
        exact(lambda: Box(a=torch.arange(100.0)))
        refuses(lambda: Box(a=torch.arange(200.0), b=torch.arange(90.0)), "read from files")
    finally:
        _write_plan.MAX_LITERALS_NBYTES = before


def test_trap_22_hugging_face():
    transformers = python_package.need("transformers")
    config = transformers.GPT2Config(n_layer=2, n_embd=64, n_head=2, vocab_size=200, n_positions=64)
    plan = exact(lambda: transformers.GPT2LMHeadModel(config), hollow_nbytes=1 << 20)
    assert not any(op.get("bits") for op in plan["ops"])


def test_trap_23_ways_to_run():
    @torch.jit.script
    def scripted(w: torch.Tensor) -> torch.Tensor:
        return w.normal_(0.0, 0.5).add_(1.0)

    def build():
        a = scripted(torch.empty(30))
        with torch.inference_mode():
            b = torch.randn(40).clone()
        lists = [torch.randn(5), torch.randn(6)]
        torch._foreach_mul_(lists, 2.0)
        sums = torch._foreach_add(lists, 1.0)
        p = nn.Parameter(torch.randn(4))
        (p * 2).sum().backward()
        gradient = p.grad
        return Box(a=a, b=b.clone(), c=lists[0], d=sums[1], e=gradient, p=p)

    exact(build)


# ---- generators (section 2 of the measurements) ----


def test_fork_and_seed():
    def build():
        a = torch.randn(20)
        with torch.random.fork_rng():
            b = torch.randn(30)
            torch.manual_seed(1234)
            c = torch.randn(17)
        d = torch.rand(5)
        state = torch.get_rng_state()
        e = torch.randn(3)
        torch.set_rng_state(state)
        f = torch.randn(3)
        g = torch.randn(33)
        own = torch.Generator().manual_seed(99)
        h = torch.randn(9, generator=own)
        own2 = torch.Generator()
        own2.set_state(own.get_state())
        i, j = torch.rand(4, generator=own), torch.rand(4, generator=own2)
        k = torch.empty(40).normal_(generator=torch.Generator())
        return Box(a=a, b=b, c=c, d=d, e=e, f=f, g=g, h=h, i=i, j=j, k=k)

    plan = exact(build)
    assert [s["seed"] for s in plan["streams"]] == ["user", "1234", "99", "67280421310721"]


def test_branches_are_told_apart():
    def build():
        with torch.random.fork_rng():
            a = torch.rand(4)
            inside = torch.get_rng_state()
        b = torch.rand(9)
        torch.set_rng_state(inside)
        return Box(a=a, b=b, c=torch.rand(3))

    exact(build)


def test_a_data_dependent_draw_and_back():
    def forks():
        with torch.random.fork_rng():
            a = nn.init.trunc_normal_(torch.empty(50))
        return Box(a=a, b=torch.rand(3))

    refuses(forks, "put back to before a trunc_normal_", HERE)


def test_dead_draws_keep_their_place():
    def build():
        for _ in range(3):
            w = torch.empty(50, 50).uniform_()
        w.normal_()
        dead = nn.init.trunc_normal_(torch.empty(60, 60))
        dead.zero_()
        return Box(w=w, dead=dead, v=torch.rand(3))

    plan = exact(build)
    assert ops(plan).count("uniform") == 1 and ops(plan).count("trunc_normal") == 1, ops(plan)
    assert len(plan["ops"]) == 4


def test_unknown_numbers_of_draws():
    def build():
        a = torch.randn(20)
        b = torch.multinomial(torch.ones(30), 3)
        return Box(a=a, b=b, c=torch.rand(3))

    plan = _recording.record_plan(build, "trap", check=False)
    reasons = {t["name"]: t.get("refused") for t in plan["tensors"]}
    assert reasons["a"] is None and "aten::multinomial" in reasons["b"] and HERE in reasons["c"]


def test_dtypes_that_plans_lack():
    def build():
        w = torch.randn(20, dtype=torch.float64)
        return Box(
            w=w,
            c=torch.complex(w, w),
            real=torch.complex(w, w).abs(),
            v=torch.rand(3),
            d=torch.zeros(3, dtype=torch.complex128),
        )

    plan = exact(build, refused=["c", "real", "d"])
    assert "complex128" in plan["tensors"][1]["refused"]
    exact(lambda: Box(c=torch.polar(torch.ones(20), torch.arange(20.0)), w=torch.view_as_complex(torch.randn(9, 2))))


def test_other_draws():
    def build():
        return Box(
            a=torch.randperm(20),
            b=torch.randint(0, 10, (7,)),
            c=torch.empty(9).exponential_(),
            d=torch.bernoulli(torch.full((5,), 0.5)),
            e=torch.empty(30).bernoulli_(0.3),
            f=torch.empty(5, dtype=torch.long).random_(),
            g=torch.nn.functional.dropout(torch.ones(8)),
            h=torch.empty(3).cauchy_(),
            i=torch.empty(3).log_normal_(),
            j=torch.rand(3),
        )

    exact(build)


def test_the_seed_read_by_the_constructor():
    def build():
        return Box(w=torch.full((3,), float(torch.initial_seed() % 1000)), v=torch.rand(2))

    refuses(build, "does not make what the constructor makes", "w")


def test_python_generators_are_noted_and_restored():
    def build():
        return Box(w=torch.full((3,), random.random()), v=torch.rand(2), u=torch.full((2,), float(np.random.rand())))

    random.seed(5)
    before = random.getstate()
    state = torch.get_rng_state()
    plan = _recording.record_plan(build, "trap")
    assert random.getstate() == before and torch.equal(torch.get_rng_state(), state)
    assert "global generator of random" in plan["source"]["notes"] and "numpy" in plan["source"]["notes"]


def test_errors_are_the_constructors_own():
    raises(RuntimeError, "std", _recording.record_plan, lambda: Box(w=torch.empty(3).normal_(0, -1)), "trap")
    raises(
        ZeroDivisionError,
        "",
        _recording.record_plan,
        lambda: Box(w=nn.init.trunc_normal_(torch.empty(3), std=0)),
        "trap",
    )
    refuses(lambda: 3, "return a torch.nn.Module")


def test_two_recordings_are_the_same():
    build = lambda: nn.Sequential(nn.Linear(30, 40), nn.BatchNorm1d(40), nn.LSTM(4, 5))  # noqa: E731
    assert _recording.record_plan(build, "x", check=False) == _recording.record_plan(build, "x", check=False)


def test_large_models_are_recorded_twice():
    _recording.CHECK_NBYTES, before = 0, _recording.CHECK_NBYTES
    try:
        plan = _recording.record_plan(lambda: nn.Linear(30, 40), "x", digests=True)
        assert set(plan["check"]["sha256"]) == {"weight", "bias"}

        def by_seed():
            return Box(w=torch.full((3,), float(torch.initial_seed() % 1000)), v=torch.rand(2))

        plan = _recording.record_plan(by_seed, "x")
        assert [t["name"] for t in plan["tensors"] if "refused" in t] == ["w"]
    finally:
        _recording.CHECK_NBYTES = before


if __name__ == "__main__":
    sys.exit(python_package.run(globals()))
