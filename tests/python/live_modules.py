#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random modules made by the torch at hand against fanin: arguments that the committed golden vectors do not have.

    live_modules.py [--seed N] [--count N] [--keep FILE] [path of test_modules]

Every run under CTest makes the same modules (seed 3); another --seed makes others. Exits 77, saying why, where torch or
test_modules is missing or torch is of another build than the goldens, else with the result of test_modules.
"""
import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import warnings

sys.dont_write_bytecode = True  # the source tree stays as it is
from live_torch import GOLDEN_DIR, has_golden_kernels, skip  # noqa: E402


def build_default():
    return os.path.join(os.environ.get("FANIN_BUILD_DIR", "build"), "tests", "test_modules")


def size(r, most=40):
    """Mostly small, often around the block sizes of the rules, now and then nothing."""
    return r.choice((0, 1, 2, 3, 4, 7, 8, 15, 16, 17, r.randint(1, most), r.randint(1, most), r.randint(1, most)))


def flags(r, **options):
    """Some of the options, each with one of its values."""
    return {name: r.choice(values) for name, values in options.items() if r.random() < 0.4}


BOOLS = (True, False)


def linear(r):
    return "Linear", {"in_features": size(r, 300), "out_features": size(r, 300), **flags(r, bias=BOOLS)}


def bilinear(r):
    sizes = {"in1_features": size(r), "in2_features": size(r), "out_features": size(r)}
    return "Bilinear", {**sizes, **flags(r, bias=BOOLS)}


def convolution(r):
    ndim = r.randint(1, 3)
    groups = r.choice((1, 1, 1, 2, 3))
    kernel = r.choice((1, 2, 3, [r.randint(1, 5) for _ in range(ndim)]))
    channels = [groups * size(r, 12) + (r.random() < 0.03) for _ in range(2)]
    kwargs = {"in_channels": channels[0], "out_channels": channels[1], "kernel_size": kernel, "groups": groups}
    return "%s%dd" % (r.choice(("Conv", "ConvTranspose")), ndim), {**kwargs, **flags(r, bias=BOOLS)}


def embedding(r):
    n = size(r)
    kwargs = {"num_embeddings": n, "embedding_dim": size(r)}
    if r.random() < 0.5:
        kwargs["padding_idx"] = r.randint(-n - 1, n)
    return r.choice(("Embedding", "EmbeddingBag")), kwargs


def recurrent(r):
    kind = r.choice(("RNN", "LSTM", "GRU"))
    kwargs = {"input_size": size(r), "hidden_size": size(r)}
    kwargs.update(flags(r, bias=BOOLS, bidirectional=BOOLS, num_layers=(1, 2, 3, 4)))
    if kind == "LSTM" and r.random() < 0.4:
        kwargs["proj_size"] = r.randint(0, kwargs["hidden_size"] + 1)
    return kind, kwargs


def cell(r):
    kwargs = {"input_size": size(r), "hidden_size": size(r)}
    return r.choice(("RNNCell", "LSTMCell", "GRUCell")), {**kwargs, **flags(r, bias=BOOLS)}


def heads(r):
    n = r.choice((1, 1, 2, 3, 4))
    return n * r.randint(1, 9) + (r.random() < 0.03), n


def attention(r):
    embed_dim, num_heads = heads(r)
    kwargs = {"embed_dim": embed_dim, "num_heads": num_heads}
    sizes = (embed_dim, r.randint(1, 20))
    return "MultiheadAttention", {**kwargs, **flags(r, bias=BOOLS, add_bias_kv=BOOLS, kdim=sizes, vdim=sizes)}


def transformer_layer(r):
    embed_dim, num_heads = heads(r)
    kwargs = {"d_model": embed_dim, "nhead": num_heads, "dim_feedforward": size(r)}
    return r.choice(("TransformerEncoderLayer", "TransformerDecoderLayer")), {**kwargs, **flags(r, bias=BOOLS)}


def stack(r):
    kind, layer = transformer_layer(r)
    return kind[: -len("Layer")], {"layer": layer, "num_layers": r.randint(0, 4)}


def transformer(r):
    _, kwargs = transformer_layer(r)
    kwargs.update({"num_encoder_layers": r.randint(0, 3), "num_decoder_layers": r.randint(0, 3)})
    return "Transformer", kwargs


def norm(r):
    kind = r.choice(("BatchNorm", "InstanceNorm", "LayerNorm", "RMSNorm", "GroupNorm"))
    if kind in ("BatchNorm", "InstanceNorm"):
        options = flags(r, affine=BOOLS, track_running_stats=BOOLS)
        return "%s%dd" % (kind, r.randint(1, 3)), {"num_features": size(r), **options}
    if kind == "GroupNorm":
        groups = r.randint(1, 4)
        channels = groups * size(r, 10) + (r.random() < 0.05)
        return kind, {"num_groups": groups, "num_channels": channels, **flags(r, affine=BOOLS)}
    options = flags(r, elementwise_affine=BOOLS)
    if kind == "LayerNorm":
        options.update(flags(r, bias=BOOLS))
    return kind, {"normalized_shape": r.choice((size(r), [size(r) for _ in range(r.randint(1, 3))])), **options}


def prelu(r):
    return "PReLU", flags(r, num_parameters=(0, 1, 5, 17), init=(0.0, -0.0, 0.1, 0.25, -3.0, 60000.0))


FAMILIES = (linear, bilinear, convolution, convolution, embedding, recurrent, recurrent, cell, attention, attention,
            transformer_layer, stack, stack, transformer, transformer, norm, prelu)


def record_channels_last(modules, generate, seed, kind, kwargs, dtype):
    """The line of a convolution whose weight is moved to channels_last and then drawn again, in the order of memory."""
    import torch

    made = modules.construct(kind, kwargs, generate.DTYPES[dtype])
    made = made.to(memory_format=torch.channels_last if kind.endswith("2d") else torch.channels_last_3d)
    torch.manual_seed(seed)
    made.reset_parameters()
    line = {"seed": str(seed), "torch": torch.__version__.split("+")[0], "module": kind, "kwargs": kwargs}
    line.update({"dtype": dtype, "channels_last": True, "params": []})
    for name, tensor in made.state_dict().items():
        data = generate.tensor_bytes(tensor)
        item = {"name": name, "dtype": dtype, "shape": list(tensor.shape)}
        item.update({"sha256": hashlib.sha256(data).hexdigest(), "head": data[:32].hex()})
        line["params"].append(item)
    line["state"] = hashlib.sha256(generate.state_bytes()).hexdigest()
    return line


def lines(modules, generate, seed, count):
    r = random.Random(seed)
    while count > 0:
        kind, kwargs = r.choice(FAMILIES)(r)
        dtype = r.choice(tuple(generate.RANDOM))
        torch_seed = r.randrange(2**64)
        line = modules.record(torch_seed, kind, kwargs, dtype)
        if line is None:  # older torch has no such module or argument
            continue
        plain = "error" not in line and "warning" not in line
        if plain and kind.startswith("Conv") and not kind.endswith("1d") and r.random() < 0.3:
            line = record_channels_last(modules, generate, torch_seed, kind, kwargs, dtype)
        count -= 1
        yield line


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test_modules", nargs="?", default=build_default())
    parser.add_argument("--seed", type=int, default=3, help="of the modules")
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--keep", help="leave what torch did in this file")
    options = parser.parse_args()

    try:
        import torch
    except ImportError as e:
        return skip("torch cannot be imported (%s)" % e)
    if not os.access(options.test_modules, os.X_OK):
        return skip("%s is not there" % options.test_modules)
    sys.path.insert(0, str(GOLDEN_DIR))
    import generate
    import generate_modules

    if generate.torch_version() < (2, 1):
        return skip("torch %s has not all arguments that are tried" % torch.__version__)
    if not has_golden_kernels(torch):
        return skip("torch %s has other CPU kernels than the published Linux x86-64 builds" % torch.__version__)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        path = options.keep or os.path.join(folder, "live-modules.jsonl")
        with open(path, "w", encoding="ascii", newline="\n") as out:
            for line in lines(generate_modules, generate, options.seed, options.count):
                out.write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")
        print("torch %s: %d modules from seed %d" % (torch.__version__, options.count, options.seed))
        sys.stdout.flush()
        return subprocess.run([options.test_modules, path], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
