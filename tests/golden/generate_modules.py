#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Golden vectors of torch.nn's constructors: every parameter and buffer a module has after it was made from a seed.

    python generate_modules.py --profile torch-2.13 -o modules-torch-2.13.jsonl

One module a line; README.md beside this file describes the format. Older profiles get a third of it, float32 only.
"""
import argparse
import hashlib
import json
import sys
import warnings

import torch

from generate import DTYPES, PROFILES, RANDOM, profile_of, state_bytes, tensor_bytes, torch_version

SEEDS = (1, 42, 2**63 + 11)
_SHORT = {dtype: short for short, dtype in DTYPES.items()}


def module(kind, **kwargs):
    return kind, kwargs


def linears():
    # 15, 16 and 17 elements: around the block of normal_ (not used here), and around the vector width of uniform_
    for i, o in ((1, 1), (1, 16), (3, 5), (5, 3), (4, 4), (17, 1), (20, 31), (0, 3), (3, 0), (0, 0), (100, 10)):
        yield module("Linear", in_features=i, out_features=o)
    yield module("Linear", in_features=768, out_features=300)
    yield module("Linear", in_features=7, out_features=3, bias=False)
    yield module("Linear", in_features=16, out_features=2, bias=True)
    yield module("Linear", in_features=-1, out_features=2)
    for a, b, o in ((1, 1, 1), (2, 4, 2), (5, 6, 7), (3, 1, 5)):
        yield module("Bilinear", in1_features=a, in2_features=b, out_features=o)
    yield module("Bilinear", in1_features=4, in2_features=3, out_features=2, bias=False)
    yield module("Bilinear", in1_features=0, in2_features=3, out_features=2)


def convolutions():
    for kind in ("Conv", "ConvTranspose"):
        for n in (1, 2, 3):
            name = "%s%dd" % (kind, n)
            yield module(name, in_channels=3, out_channels=8, kernel_size=3)
            yield module(name, in_channels=1, out_channels=1, kernel_size=1)
            yield module(name, in_channels=4, out_channels=6, kernel_size=3, groups=2)
            yield module(name, in_channels=4, out_channels=8, kernel_size=2, groups=4, bias=False)
            yield module(name, in_channels=2, out_channels=3, kernel_size=[5, 2, 1][:n])
            yield module(name, in_channels=4, out_channels=6, kernel_size=3, groups=3)  # 4 is no multiple of 3
        yield module(kind + "1d", in_channels=5, out_channels=3, kernel_size=1, stride=2, padding=1, dilation=2)
        yield module(kind + "2d", in_channels=6, out_channels=6, kernel_size=3, groups=6)
        yield module(kind + "2d", in_channels=64, out_channels=32, kernel_size=3)
        yield module(kind + "2d", in_channels=4, out_channels=0, kernel_size=3)
        yield module(kind + "2d", in_channels=0, out_channels=4, kernel_size=3)
        yield module(kind + "2d", in_channels=4, out_channels=4, kernel_size=0)
        yield module(kind + "2d", in_channels=4, out_channels=4, kernel_size=3, groups=0)
        yield module(kind + "1d", in_channels=4, out_channels=6, kernel_size=3, groups=4)  # 6 is no multiple of 4


def embeddings():
    for kind in ("Embedding", "EmbeddingBag"):
        for v, e in ((1, 1), (3, 5), (4, 4), (17, 1), (5, 3), (11, 5), (0, 4), (4, 0)):
            yield module(kind, num_embeddings=v, embedding_dim=e)
        for v, e, row in ((11, 5, 0), (11, 5, -1), (11, 5, 10), (11, 5, -11), (3, 5, 1), (5, 3, -2)):
            yield module(kind, num_embeddings=v, embedding_dim=e, padding_idx=row)
        for row in (11, -12):  # just outside
            yield module(kind, num_embeddings=11, embedding_dim=5, padding_idx=row)
    yield module("Embedding", num_embeddings=1000, embedding_dim=64, padding_idx=7)


def recurrent():
    for kind in ("RNN", "LSTM", "GRU"):
        for i, h in ((1, 1), (5, 7), (3, 4), (4, 16)):
            yield module(kind, input_size=i, hidden_size=h)
            yield module(kind + "Cell", input_size=i, hidden_size=h)
        yield module(kind, input_size=5, hidden_size=4, num_layers=2, bidirectional=True)
        yield module(kind, input_size=4, hidden_size=6, num_layers=3, bias=False)
        yield module(kind, input_size=2, hidden_size=3, num_layers=1, bidirectional=True, bias=False)
        yield module(kind, input_size=2, hidden_size=3, num_layers=0)
        yield module(kind, input_size=2, hidden_size=0)
        yield module(kind, input_size=0, hidden_size=3)
        yield module(kind + "Cell", input_size=5, hidden_size=3, bias=False)
        yield module(kind, input_size=3, hidden_size=4, proj_size=2)  # LSTM only
        yield module(kind, input_size=64, hidden_size=48, num_layers=2)
    yield module("LSTM", input_size=5, hidden_size=4, num_layers=2, bidirectional=True, proj_size=2)
    yield module("LSTM", input_size=5, hidden_size=7, num_layers=2, proj_size=3, bias=False)
    yield module("LSTM", input_size=5, hidden_size=4, proj_size=4)
    yield module("LSTM", input_size=5, hidden_size=4, proj_size=-1)


def attention():
    for e, h in ((1, 1), (4, 2), (12, 3), (16, 4), (64, 8)):
        yield module("MultiheadAttention", embed_dim=e, num_heads=h)
    yield module("MultiheadAttention", embed_dim=12, num_heads=3, bias=False)
    yield module("MultiheadAttention", embed_dim=12, num_heads=3, kdim=5, vdim=7)
    yield module("MultiheadAttention", embed_dim=12, num_heads=3, kdim=5)
    yield module("MultiheadAttention", embed_dim=12, num_heads=3, vdim=5, bias=False)
    yield module("MultiheadAttention", embed_dim=12, num_heads=3, kdim=12, vdim=12)
    yield module("MultiheadAttention", embed_dim=12, num_heads=3, add_bias_kv=True)
    yield module("MultiheadAttention", embed_dim=18, num_heads=3, kdim=5, vdim=7, add_bias_kv=True)
    yield module("MultiheadAttention", embed_dim=17, num_heads=1, add_bias_kv=True, bias=False)
    yield module("MultiheadAttention", embed_dim=12, num_heads=5)
    yield module("MultiheadAttention", embed_dim=0, num_heads=1)
    yield module("MultiheadAttention", embed_dim=4, num_heads=0)


def transformers():
    for kind in ("TransformerEncoderLayer", "TransformerDecoderLayer"):
        for e, h, f in ((4, 2, 3), (12, 3, 20), (16, 1, 16)):
            yield module(kind, d_model=e, nhead=h, dim_feedforward=f)
        yield module(kind, d_model=6, nhead=2, dim_feedforward=5, bias=False)
        yield module(kind, d_model=6, nhead=4, dim_feedforward=5)
    yield module("TransformerEncoderLayer", d_model=4, nhead=1)  # torch's default of 2048
    for kind in ("TransformerEncoder", "TransformerDecoder"):
        yield module(kind, layer={"d_model": 4, "nhead": 2, "dim_feedforward": 6}, num_layers=3)
        yield module(kind, layer={"d_model": 4, "nhead": 2, "dim_feedforward": 6, "bias": False}, num_layers=2)
        yield module(kind, layer={"d_model": 4, "nhead": 2, "dim_feedforward": 6}, num_layers=1)
    for e, h, ne, nd, f in ((4, 2, 1, 1, 3), (12, 3, 2, 3, 20), (8, 2, 3, 1, 16), (4, 1, 0, 1, 5), (4, 1, 1, 0, 5)):
        yield module("Transformer", d_model=e, nhead=h, num_encoder_layers=ne, num_decoder_layers=nd, dim_feedforward=f)
    yield module(
        "Transformer", d_model=6, nhead=2, num_encoder_layers=2, num_decoder_layers=2, dim_feedforward=7, bias=False
    )
    yield module("Transformer", d_model=6, nhead=4, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=7)


def norms():
    for n in (1, 2, 3):
        yield module("BatchNorm%dd" % n, num_features=5)
        yield module("InstanceNorm%dd" % n, num_features=5)
        yield module("InstanceNorm%dd" % n, num_features=4, affine=True, track_running_stats=True)
    yield module("BatchNorm2d", num_features=5, affine=False)
    yield module("BatchNorm2d", num_features=5, track_running_stats=False)
    yield module("BatchNorm1d", num_features=5, affine=False, track_running_stats=False)
    yield module("LayerNorm", normalized_shape=6)
    yield module("LayerNorm", normalized_shape=[2, 3])
    yield module("LayerNorm", normalized_shape=6, bias=False)
    yield module("LayerNorm", normalized_shape=6, elementwise_affine=False)
    yield module("GroupNorm", num_groups=2, num_channels=6)
    yield module("GroupNorm", num_groups=2, num_channels=6, affine=False)
    yield module("GroupNorm", num_groups=4, num_channels=6)
    yield module("RMSNorm", normalized_shape=6)
    yield module("RMSNorm", normalized_shape=[3, 2], elementwise_affine=False)
    yield module("PReLU")
    yield module("PReLU", num_parameters=5, init=0.1)


def construct(kind, kwargs, dtype):
    kwargs = dict(kwargs)
    if "layer" in kwargs:
        layer = getattr(torch.nn, kind + "Layer")(dtype=dtype, **kwargs.pop("layer"))
        return getattr(torch.nn, kind)(layer, **kwargs)
    return getattr(torch.nn, kind)(dtype=dtype, **kwargs)


def is_uninitialized(made, name, release):
    """Before 2.12 a convolution's bias stays as the allocator gave it where the weight has no inputs."""
    major, minor = (int(x) for x in release.split(".")[:2])
    conv = isinstance(made, torch.nn.modules.conv._ConvNd)
    return (major, minor) < (2, 12) and conv and name == "bias" and made.weight[0].numel() == 0


def record(seed, kind, kwargs, dtype):
    """The line of one module, or None where this torch has no such module or argument."""
    if not hasattr(torch.nn, kind):
        return None
    release = torch.__version__.split("+")[0]
    line = {"seed": str(seed), "torch": release, "module": kind, "kwargs": kwargs, "dtype": dtype}
    torch.manual_seed(seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made = construct(kind, kwargs, DTYPES[dtype])
        except Exception as e:  # every class counts: torch raises several for bad arguments
            message = str(e).splitlines()[0] if str(e) else ""
            if "unexpected keyword" in message:
                return None
            line["error"] = "%s: %s" % (type(e).__name__, message)
            return line
    zero_element = [w for w in caught if "zero-element" in str(w.message)]
    if zero_element:
        line["warning"] = str(zero_element[0].message)
    line["params"] = []
    for name, tensor in made.state_dict().items():
        if is_uninitialized(made, name, release):
            line["params"].append(
                {"name": name, "dtype": _SHORT[tensor.dtype], "shape": list(tensor.shape), "uninitialized": True}
            )
            continue
        data = tensor_bytes(tensor.contiguous())
        line["params"].append(
            {
                "name": name,
                "dtype": _SHORT[tensor.dtype],
                "shape": list(tensor.shape),
                "sha256": hashlib.sha256(data).hexdigest(),
                "head": data[:32].hex(),
            }
        )
    line["state"] = hashlib.sha256(state_bytes()).hexdigest()
    return line


def lines(profile):
    newest = profile == "torch-2.13"
    i = 0
    for part in (linears(), convolutions(), embeddings(), recurrent(), attention(), transformers(), norms()):
        for kind, kwargs in part:
            i += 1
            if not newest and (i + i // 3) % 3 and not kind.startswith("Transformer"):
                continue
            for k, dtype in enumerate(RANDOM if newest else ("f32",)):
                line = record(SEEDS[(i + k) % len(SEEDS)], kind, kwargs, dtype)
                if line is not None:
                    yield line
                    if "error" in line:
                        break  # arguments are judged before the dtype plays a part


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", required=True, choices=[name for name, _ in PROFILES])
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    if profile_of(torch_version()) != options.profile:
        raise SystemExit("torch %s belongs to the profile %s" % (torch.__version__, profile_of(torch_version())))
    torch.set_num_threads(1)
    count = 0
    with open(options.output, "w", encoding="ascii", newline="\n") as out:
        for line in lines(options.profile):
            out.write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")
            count += 1
    print("%s: %d modules" % (options.output, count))


if __name__ == "__main__":
    sys.exit(main())
