#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plans that fill models, whole and in parts: meta models, memory that is there, ties, buffers, shards, DTensors of a
fake process group. Exits 77 where torch cannot be imported."""

import copy
import sys

import python_package

fanin = python_package.fanin()
torch = python_package.need("torch")
np = python_package.need("numpy")
if tuple(int(x) for x in torch.__version__.split(".")[:2]) < (2, 13):
    python_package.skip("torch %s is older than 2.13" % torch.__version__)

from torch import nn  # noqa: E402

import fanin.torch  # noqa: E402
from fanin.torch import Shard  # noqa: E402
from fanin.torch._tape import tensor_bytes  # noqa: E402

raises = python_package.raises
SEED = 2**63 + 42


class Net(nn.Module):
    """Ties, buffers in and out of checkpoints, a deep copy, draws of the scalar path, bits of the host."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(21, 12, padding_idx=3)
        self.up = nn.Linear(12, 22)
        self.down = nn.Linear(22, 12)
        self.copied = copy.deepcopy(self.up)
        self.out = nn.Linear(12, 21, bias=False)
        self.out.weight = self.embedding.weight
        self.norm = nn.LayerNorm(12)
        self.conv = nn.Conv2d(3, 8, 3)
        self.gate = nn.Parameter(torch.rand(40, 3).mul(0.5).add(0.1).log())
        self.bent = nn.Parameter(torch.rand(30).tanh())
        self.scale = nn.Parameter(torch.tensor([2.5]), requires_grad=False)
        nn.init.trunc_normal_(self.down.weight)
        self.register_buffer("frequencies", torch.arange(6.0).exp(), persistent=False)
        self.register_buffer("noise", torch.randn(5))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.last = nn.Linear(12, 40, bias=False)


plan = fanin.torch.record(Net)


def tensors(model):
    return {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers(remove_duplicate=False))}


def built(seed=SEED):
    before = torch.get_rng_state()
    torch.manual_seed(seed)
    model = Net()
    torch.set_rng_state(before)
    return model


EXPECTED = {name: tensor_bytes(t) for name, t in tensors(built()).items()}


def equal(model):
    found = tensors(model)
    assert found.keys() == EXPECTED.keys()
    for name, tensor in found.items():
        assert tensor_bytes(tensor) == EXPECTED[name], name
    assert model.out.weight is model.embedding.weight


def on_meta():
    with torch.device("meta"):
        return Net()


def test_models_on_meta():
    model = on_meta()
    model.up.weight.mine = "kept"
    assert plan.materialize(model, SEED) is model
    equal(model)
    assert model.up.weight.mine == "kept" and model.up.weight.requires_grad and not model.scale.requires_grad
    assert isinstance(model.up.weight, nn.Parameter) and not isinstance(model.noise, nn.Parameter)
    assert set(model.state_dict()) == set(Net().state_dict())


def test_memory_that_is_there():
    model = on_meta().to_empty(device="cpu")
    memory = {name: t.data_ptr() for name, t in tensors(model).items()}
    versions = {name: t._version for name, t in tensors(model).items()}
    plan.materialize(model, SEED)
    equal(model)
    memory["out.weight"], versions["out.weight"] = (
        memory["embedding.weight"],
        versions["embedding.weight"],
    )  # tied again
    assert memory == {name: t.data_ptr() for name, t in tensors(model).items()}
    assert all(t._version > versions[name] for name, t in tensors(model).items())
    again = built(1)
    plan.materialize(again, SEED)
    equal(again)


def test_negative_seeds_are_torchs():
    model = on_meta()
    plan.materialize(model, -5)
    assert tensor_bytes(model.up.weight) == tensor_bytes(built(-5).up.weight)


def test_ties_that_are_not_made_yet():
    model = on_meta()
    with torch.device("meta"):
        model.out.weight = nn.Parameter(torch.empty(21, 12))
    plan.materialize(model, SEED)
    equal(model)


def test_layouts_of_memory():
    model = on_meta()
    model.conv.weight = nn.Parameter(model.conv.weight.to(memory_format=torch.channels_last))
    plan.materialize(model, SEED)
    equal(model)
    assert model.conv.weight.is_contiguous(memory_format=torch.channels_last)
    model = built(1)
    whole = torch.zeros(22, 24)
    model.up.weight.data = whole[:, ::2]
    plan.materialize(model, SEED)
    equal(model)
    assert not whole[:, 1::2].any()


def test_models_that_do_not_fit():
    def unchanged(kind, text, change, **named):
        model = on_meta()
        change(model)
        message = str(raises(kind, text, plan.materialize, model, SEED, **named))
        assert model.norm.weight.is_meta, message

    unchanged(fanin.ArgumentError, "no up.bias, which the plan has", lambda m: m.up.register_parameter("bias", None))
    unchanged(
        fanin.ArgumentError, "no extra, which the model has", lambda m: m.register_buffer("extra", torch.zeros(3))
    )
    unchanged(fanin.DtypeError, "is f32 in the plan and torch.bfloat16", lambda m: m.bfloat16())

    def reshape(m):
        m.up.weight = nn.Parameter(torch.empty(23, 12, device="meta"))

    unchanged(fanin.ShapeError, "up.weight has shape (22, 12) in the plan and (23, 12)", reshape)
    raises(TypeError, "Module", plan.materialize, {"a": 1}, SEED)
    raises(ValueError, "2^64", plan.materialize, on_meta(), 2**64)
    raises(TypeError, "integer", plan.materialize, on_meta(), "1")

    def sparse(m):
        m.noise = torch.eye(5)[0].to_sparse()

    unchanged(fanin.UnsupportedError, "not strided", sparse)
    refusing = fanin.torch.record(lambda: {"w": torch.empty(3), "v": torch.rand(3)})
    raises(fanin.UnsupportedError, "never initialized", refusing.state_dict, 1, ["w"])
    assert set(refusing.state_dict(1)) == {"v"}
    raises(KeyError, "no tensor 'x'", plan.state_dict, 1, ["x"])
    raises(fanin.ShapeError, "rank must lie", plan.state_dict, 1, None, Shard(0, 3, 3))


def test_state_dict():
    made = plan.state_dict(SEED)
    assert set(made) == set(built().state_dict())
    for name, tensor in made.items():
        assert tensor_bytes(tensor) == EXPECTED[name], name
    assert made["out.weight"] is made["embedding.weight"]
    Net().load_state_dict(made)
    for name in EXPECTED:
        assert tensor_bytes(plan.state_dict(SEED, [name])[name]) == EXPECTED[name], name


def test_numpy_where_bits_are_the_hosts():
    assert "bent" not in plan.arrays(SEED)
    near = np.frombuffer(EXPECTED["gate"], np.float32).reshape(40, 3)
    assert np.abs(plan.tensor("gate", SEED) - near).max() <= 2 * np.spacing(np.abs(near)).max()
    for make in (lambda: plan.arrays(SEED, ["bent"]), lambda: plan.tensor("bent", SEED)):
        raises(fanin.UnsupportedError, "bent", make)


def test_numpy_arrays():
    names = [name for name in EXPECTED if name not in ("gate", "bent")]
    made = plan.arrays(SEED, names)
    for name in names:
        assert made[name].tobytes() == EXPECTED[name], name
    assert made["out.weight"] is made["embedding.weight"] and made["steps"].shape == ()
    block = np.zeros((5, 8), np.float32)
    plan.fill_blocks([("up.weight", (3, 2), block[:, ::2])], SEED)
    whole = np.frombuffer(EXPECTED["up.weight"], np.float32).reshape(22, 12)
    assert (block[:, ::2] == whole[3:8, 2:6]).all() and not block[:, 1::2].any()
    raises(
        fanin.ShapeError,
        "no block of shape (5, 4) at (18, 0)",
        plan.fill_blocks,
        [("up.weight", (18, 0), block[:, ::2])],
        1,
    )
    raises(fanin.DtypeError, "steps is i64", plan.fill_blocks, [("steps", (), np.zeros((), np.float32))], 1)


def test_numbers_of_threads():
    for nthreads in range(1, 9):
        fanin.set_num_threads(nthreads)
        model = on_meta()
        plan.materialize(model, SEED)
        equal(model)
    fanin.set_num_threads(0)


def test_fresh_memory_lives_as_long_as_its_tensors():
    from fanin.torch._memory import Memory, nbytes_for

    def is_mapped(address):
        with open("/proc/self/maps", encoding="ascii") as file:
            ranges = [[int(end, 16) for end in line.split()[0].split("-")] for line in file]
        return any(begin <= address < end for begin, end in ranges)

    if sys.platform != "linux":
        return
    sizes = [400_000_000, 100, 90_000_001, 300_000]
    memory = Memory(nbytes_for(sizes) + (64 << 20))
    made = [memory.empty((n,), torch.uint8) for n in sizes]
    memory.close()
    for i, tensor in enumerate(made):
        tensor.fill_(i)
    middle = made[0].data_ptr() + 200_000_000
    part = made[0][5:9]
    copied = copy.deepcopy(made[2])
    del made[0]
    assert part.tolist() == [0, 0, 0, 0] and [int(t[-1]) for t in made] == [1, 2, 3] and is_mapped(middle)
    del part
    assert not is_mapped(middle) and is_mapped(made[1].data_ptr()) and int(copied[-1]) == 2
    shape = memory.empty((30, 20), torch.float32, (1, 30))
    assert shape.stride() == (1, 30) and shape.numel() == 600


def test_shards_are_chunks():
    whole = tensors(built())
    for dim in (0, 1, 2):
        for world in (1, 2, 3, 4, 5, 30):
            for rank in range(world):
                model = plan.materialize(on_meta(), SEED, Shard(dim, rank, world))
                part = plan.state_dict(SEED, list(EXPECTED), Shard(dim, rank, world))
                for name, tensor in tensors(model).items():
                    full = whole[name].detach()
                    if isinstance(whole[name], nn.Parameter) and full.dim() > dim:
                        pieces = torch.chunk(full, world, dim)
                        full = pieces[rank] if rank < len(pieces) else full.narrow(dim, 0, 0)
                    assert torch.equal(tensor, full) and torch.equal(part[name], full), (name, dim, rank, world)


def test_dtensors_of_a_fake_group():
    """FSDP2 and FSDP2 with tensor parallelism, as each of 8 ranks sees it."""
    from torch.distributed import destroy_process_group, init_process_group
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor, distribute_tensor, init_device_mesh
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
    from torch.testing._internal.distributed.fake_pg import FakeStore

    whole = tensors(built())
    for sizes in ((8,), (4, 2)):
        for rank in range(8):
            init_process_group("fake", store=FakeStore(), rank=rank, world_size=8)
            try:
                mesh = init_device_mesh("cpu", sizes, mesh_dim_names=("dp", "tp")[: len(sizes)])
                for prepare in (lambda model: None, lambda model: model.to_empty(device="cpu")):
                    model = on_meta()
                    if len(sizes) > 1:
                        parallelize_module(model, mesh["tp"], {"up": ColwiseParallel(), "down": RowwiseParallel()})
                        fully_shard(model, mesh=mesh["dp"])
                    else:
                        fully_shard(model, mesh=mesh)
                    prepare(model)
                    plan.materialize(model, SEED)
                    assert model.out.weight is model.embedding.weight
                    nsharded = 0
                    for name, tensor in tensors(model).items():
                        local = tensor
                        full = whole[name].detach()
                        if isinstance(tensor, DTensor):
                            nsharded += 1
                            full = distribute_tensor(full, tensor.device_mesh, tensor.placements, src_data_rank=None)
                            local, full = tensor.to_local(), full.to_local()
                        assert torch.equal(local, full), (name, rank, getattr(tensor, "placements", None))
                    assert nsharded > 10
            finally:
                destroy_process_group()


def test_placements_alone():
    """Every rank of meshes whose placements leave a tensor in several runs, or a rank without anything."""
    from torch.distributed import destroy_process_group, init_process_group
    from torch.distributed.tensor import DTensor, Partial, Replicate, init_device_mesh
    from torch.distributed.tensor import Shard as Place
    from torch.distributed.tensor.placement_types import _StridedShard

    from fanin.torch._shards import boxes_of

    for shape in ((21, 13), (5, 3), (16, 8), (3,)):
        full = torch.arange(float(torch.Size(shape).numel())).reshape(shape)
        last = len(shape) - 1
        for placements in (
            (Place(0), Place(last)),
            (Place(0), Place(0)),
            (_StridedShard(0, split_factor=2), Place(0)),
            (_StridedShard(0, split_factor=2), Replicate()),
            (Replicate(), Place(0)),
            (Place(last), Replicate()),
        ):
            seen = torch.zeros(shape)
            for rank in range(8):
                init_process_group("fake", store=FakeStore(), rank=rank, world_size=8)
                try:
                    mesh = init_device_mesh("cpu", (4, 2))
                    expected = full
                    for dim, place in enumerate(placements):
                        if not isinstance(place, Replicate):
                            expected = split(place, expected, mesh.size(dim), mesh.get_coordinate()[dim])
                    tensor = DTensor.from_local(
                        expected, mesh, placements, shape=torch.Size(shape), stride=full.stride(), run_check=False
                    )
                    made = torch.full(expected.shape, -1.0)
                    for box in boxes_of(tensor):
                        here = tuple(slice(b, b + n) for b, n in zip(box.local, box.sizes))
                        there = tuple(slice(b, b + n) for b, n in zip(box.start, box.sizes))
                        made[here] = full[there]
                        seen[there] = 1
                    assert torch.equal(made, expected), (shape, placements, rank)
                finally:
                    destroy_process_group()
            assert seen.all()
    init_process_group("fake", store=FakeStore(), rank=0, world_size=8)
    try:
        mesh = init_device_mesh("cpu", (8,))
        raises(
            fanin.UnsupportedError,
            "Partial",
            boxes_of,
            DTensor.from_local(torch.zeros(3), mesh, (Partial(),), run_check=False),
        )
    finally:
        destroy_process_group()


def split(place, tensor, world, rank):
    """What torch's own placement leaves of a tensor."""
    pieces, _ = place._split_tensor(tensor, world, with_padding=False, contiguous=True)
    return pieces[rank]


def FakeStore():
    from torch.testing._internal.distributed.fake_pg import FakeStore as Store

    return Store()


if __name__ == "__main__":
    sys.exit(python_package.run(globals()))
