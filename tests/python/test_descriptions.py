#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random models described in a spec against the same models built by the torch at hand: every byte of every parameter.

    test_descriptions.py [--seed N] [--count N]

Half of the models are what their constructors make; in the others ("construct": true) init functions of torch.nn.init
run over the parameters afterwards. Exits 77, saying why, where torch, safetensors or the fanin command are missing.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

SKIP = 77


def skip(why):
    print("skipped: " + why)
    return SKIP


def random_layer(r, nn):
    """A layer of a spec and the module it describes."""
    n = lambda: r.choice((1, 2, 3, 4, 6, 8, 17))
    kind = r.choice(("linear", "conv2d", "conv_transpose1d", "embedding", "lstm", "gru_cell", "multihead_attention",
                     "batch_norm", "layer_norm", "transformer_encoder_layer", "transformer_encoder", "transformer",
                     "bilinear"))
    bias = r.random() < 0.8
    if kind == "linear":
        keys = {"in_features": n(), "out_features": n(), "bias": bias}
        return kind, keys, lambda: nn.Linear(**keys)
    if kind == "bilinear":
        keys = {"in1_features": n(), "in2_features": n(), "out_features": n(), "bias": bias}
        return kind, keys, lambda: nn.Bilinear(**keys)
    if kind == "conv2d":
        groups = r.choice((1, 1, 2))
        keys = {"in_channels": 2 * n(), "out_channels": 2 * n(), "kernel_size": r.choice((1, 3, [2, 3])),
                "groups": groups, "bias": bias}
        return kind, keys, lambda: nn.Conv2d(**{**keys, "kernel_size": tuple(keys["kernel_size"]) if isinstance(
            keys["kernel_size"], list) else keys["kernel_size"]})
    if kind == "conv_transpose1d":
        keys = {"in_channels": n(), "out_channels": n(), "kernel_size": r.choice((1, 3, 4)), "bias": bias}
        return kind, keys, lambda: nn.ConvTranspose1d(**keys)
    if kind == "embedding":
        keys = {"num_embeddings": n() + 1, "embedding_dim": n()}
        if r.random() < 0.5:
            keys["padding_idx"] = r.choice((0, 1, -1, -2))
        return kind, keys, lambda: nn.Embedding(**keys)
    if kind == "lstm":
        keys = {"input_size": n(), "hidden_size": n() + 1, "num_layers": r.choice((1, 2)), "bias": bias,
                "bidirectional": r.random() < 0.5}
        keys["proj_size"] = r.choice((0, 1))
        return kind, keys, lambda: nn.LSTM(**keys)
    if kind == "gru_cell":
        keys = {"input_size": n(), "hidden_size": n(), "bias": bias}
        return kind, keys, lambda: nn.GRUCell(**keys)
    if kind == "multihead_attention":
        keys = {"embed_dim": 2 * n(), "num_heads": 2, "bias": bias, "add_bias_kv": r.random() < 0.3}
        if r.random() < 0.3:
            keys.update(kdim=n(), vdim=n())
        return kind, keys, lambda: nn.MultiheadAttention(**keys)
    if kind == "batch_norm":
        keys = {"num_features": n(), "affine": bias}
        return kind, keys, lambda: nn.BatchNorm2d(**keys)
    if kind == "layer_norm":
        keys = {"normalized_shape": [n(), n()], "bias": bias}
        return kind, keys, lambda: nn.LayerNorm(**keys)
    keys = {"d_model": 2 * n(), "nhead": 2, "dim_feedforward": n(), "bias": bias}
    if kind == "transformer_encoder_layer":
        return kind, keys, lambda: nn.TransformerEncoderLayer(**keys)
    if kind == "transformer":
        keys.update(num_encoder_layers=r.choice((0, 1, 2)), num_decoder_layers=r.choice((0, 1, 2)))
        return kind, keys, lambda: nn.Transformer(**keys)
    layers = r.choice((0, 1, 3))
    return (kind, {**keys, "num_layers": layers},
            lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(**keys), layers, enable_nested_tensor=False))


def random_init(r, name, parameter, rounds):
    """A rule for a parameter and the function that does the same."""
    calls = [("uniform", {"a": -0.25, "b": 0.5}), ("normal", {"mean": 0.5, "std": 0.125}), ("constant", {"val": 0.75}),
             ("zeros", {}), ("ones", {})]
    if rounds:
        calls += [("trunc_normal", {"std": 0.02}), ("trunc_normal", {}), ("trunc_normal", {"mean": 3.0})]
    if parameter.dim() >= 2:
        calls += [("xavier_uniform", {"gain": 1.5}), ("xavier_normal", {}), ("kaiming_uniform", {"a": 2.23606797749979}),
                  ("kaiming_normal", {"mode": "fan_out", "nonlinearity": "relu"})]
    if parameter.dim() == 2:
        calls += [("eye", {}), ("sparse", {"sparsity": 0.3})]
    call, values = r.choice(calls)
    return {"match": name, "init": call, **values}, call, values


def check(command, folder, r, index, torch, load_file, rounds):
    nn = torch.nn
    layers = [random_layer(r, nn) for _ in range(r.randint(1, 5))]
    construct = r.random() < 0.5
    dtype = r.choice(("f32", "f32", "f64", "bf16", "f16"))
    seed = r.choice((0, 1, 42, 2**32 + 5, r.getrandbits(63)))
    torch.set_default_dtype({"f32": torch.float32, "f64": torch.float64, "bf16": torch.bfloat16,
                             "f16": torch.float16}[dtype])
    torch.manual_seed(seed)
    model = nn.Module()
    for i, (_, _, make) in enumerate(layers):
        model.add_module("m%d" % i, make())
    spec = {"format": "fanin-spec", "version": 1, "dtype": dtype, "construct": construct,
            "tensors": [{"name": "m%d" % i, kind: keys} for i, (kind, keys, _) in enumerate(layers)],
            "rules": [{"match": "**", "init": "torch_default"}]}
    if construct:
        spec["rules"] = []
        with torch.no_grad():
            for name, parameter in model.state_dict(keep_vars=True).items():  # in the order of the description
                if r.random() < 0.5 and isinstance(parameter, nn.Parameter):
                    rule, call, values = random_init(r, name, parameter, rounds)
                    getattr(nn.init, call + "_")(parameter, **values)
                    spec["rules"].append(rule)
    expected = model.state_dict()
    torch.set_default_dtype(torch.float32)
    path, out = folder / ("%d.json" % index), folder / ("%d.safetensors" % index)
    path.write_text(json.dumps(spec, indent=1))
    done = subprocess.run([command, "init", str(path), "-o", str(out), "--seed", str(seed), "--quiet", "--profile",
                           "torch-" + ".".join(torch.__version__.split(".")[:2])], capture_output=True, text=True)
    if done.returncode != 0:
        print("%s\n%s" % (path.read_text(), done.stderr))
        return False, 0
    found = load_file(str(out))
    if set(found) != set(expected):
        print("%s\n%s instead of %s" % (path.read_text(), sorted(found), sorted(expected)))
        return False, 0
    for name, tensor in expected.items():
        a, b = found[name], tensor.detach().contiguous()
        if a.dtype != b.dtype or a.shape != b.shape or \
                a.numpy(force=True).tobytes() != b.numpy(force=True).tobytes() if a.dtype != torch.bfloat16 else \
                a.view(torch.int16).tolist() != b.view(torch.int16).tolist():
            print("%s\n%s differs with seed %d" % (path.read_text(), name, seed))
            return False, 0
    return True, sum(tensor.numel() for tensor in expected.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of the models")
    parser.add_argument("--count", type=int, default=150)
    options = parser.parse_args()
    command = os.environ.get("FANIN_COMMAND", "")
    if not os.access(command, os.X_OK):
        return skip("the fanin command is not there (FANIN_COMMAND)")
    try:
        import torch
        from safetensors.torch import load_file
    except ImportError as e:
        return skip(str(e))
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        return skip("this torch runs without AVX2, which is another build to fanin (torch:unfused)")
    warnings.filterwarnings("ignore")  # of shapes without elements and of nested tensors
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    good = values = 0
    with tempfile.TemporaryDirectory() as folder:
        for i in range(options.count):
            r = random.Random("%d %d" % (options.seed, i))
            same, n = check(command, pathlib.Path(folder), r, i, torch, load_file, version >= (2, 12))
            good += same
            values += n
    print("%d of %d models equal to torch %s in every byte, %d values" %
          (good, options.count, torch.__version__, values))
    return 0 if good == options.count else 1


if __name__ == "__main__":
    sys.exit(main())
