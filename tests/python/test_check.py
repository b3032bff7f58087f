#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fanin.check on paths, arrays, state dicts and live modules: what it finds, that it says so in every form, and that what
has no values to look at is refused by name. Exits 77 where NumPy is missing; what needs torch is left out without it."""

import gc
import importlib
import json
import struct
import sys
import threading
import xml.dom.minidom

import python_package

fanin = python_package.fanin()
np = python_package.need("numpy")
raises = python_package.raises


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        print("left out: %s cannot be imported" % name)
        return None


torch, ml_dtypes = optional("torch"), optional("ml_dtypes")
if torch is not None:
    import fanin.torch


def healthy(n=4, dtype=np.float32):
    draws = np.random.default_rng(3)
    return {"layers.%d.fc.weight" % i: (draws.standard_normal((64, 64)) * 0.1).astype(dtype) for i in range(n)}


def broken():
    weights = healthy()
    weights["layers.1.fc.weight"][3, 5] = np.nan
    weights["layers.2.fc.weight"][:] = 0
    return weights


def ids(diagnosis, least="warn"):
    order = ("info", "warn", "error")
    return {f.id for f in diagnosis.findings if order.index(f.severity) >= order.index(least)}


def save(path, weights):
    header, data = {}, b""
    for name, array in weights.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + data)


def test_findings():
    assert fanin.check(healthy()).ok and not ids(fanin.check(healthy()))
    found = fanin.check(broken(), name="mine")
    assert not found.ok and not found and found.name == "mine" and ids(found) == {"W01", "W03"}, found
    nan = next(f for f in found if f.id == "W01")
    assert nan.severity == "error" and nan.tensors == ("layers.1.fc.weight",) and nan.where == "layers.1.fc.weight"
    assert nan.what.startswith("1 NaN of 4096") and nan.measured == 1 and nan.means and nan.source and nan.title
    assert nan.rule is not None and nan.rule.startswith("layers.1.fc.weight=normal(std=0.")
    assert len(found) == len(list(found)) and "2 errors" in repr(found) and "W03" in str(found)


def test_forms():
    found = fanin.check(broken())
    assert {f["id"] for f in json.loads(found.to_json())["findings"]} == {f.id for f in found}
    page = found.to_html()
    assert page == found.to_html() and "<script" not in page and "W01" in page
    xml.dom.minidom.parseString(page)
    weights = {"<script>\"'&\u202e\x1b[2J.weight": np.full((8, 8), np.nan, np.float32)}
    for text in (fanin.check(weights)._repr_html_(), fanin.check(weights).to_html()):
        assert "<script" not in text and "\u202e" not in text and "\x1b" not in text
    xml.dom.minidom.parseString(fanin.check(weights)._repr_html_())
    assert "\x1b" not in str(fanin.check(weights)) and "\u202e" not in repr(fanin.check(weights))


def test_path():
    save("broken.safetensors", broken())
    found = fanin.check("broken.safetensors")
    assert ids(found) == {"W01", "W03"}
    assert next(f for f in found if f.id == "W01").command == "fanin check broken.safetensors --fix -o NEW"
    np.save("zero.npy", np.zeros((16, 16), np.float32))
    assert "W03" in ids(fanin.check("zero.npy"), "info")
    raises(fanin.FileError, "absent", fanin.check, "absent.safetensors")
    open("short.safetensors", "wb").write(b"abc")
    raises(fanin.FormatError, "short.safetensors", fanin.check, "short.safetensors")


def test_arrays_of_all_kinds():
    weights = broken()
    expected = json.loads(fanin.check(weights).to_json())["tensors"]

    def same(changed):
        assert json.loads(fanin.check(changed).to_json())["tensors"] == expected

    read_only = {k: v.copy() for k, v in weights.items()}
    for array in read_only.values():
        array.flags.writeable = False
    same(read_only)
    same({k: np.asfortranarray(v) for k, v in weights.items()})
    same({k: np.repeat(v, 2, axis=1)[:, ::2] for k, v in weights.items()})
    same({k: np.flip(np.flip(v, 0).copy(), 0) for k, v in weights.items()})
    same({k: v.astype(v.dtype.newbyteorder(">")) for k, v in weights.items()})
    same({k: memoryview(v) for k, v in weights.items()})
    same({k: fanin.view(v) for k, v in weights.items()})
    if ml_dtypes is not None:
        bf16 = {k: v.astype(ml_dtypes.bfloat16) for k, v in weights.items()}
        assert ids(fanin.check(bf16)) == {"W01", "W03"}
        if torch is not None:
            same_bits = {k: torch.from_numpy(v.view(np.int16)).view(torch.bfloat16) for k, v in bf16.items()}
            a, b = (json.loads(fanin.check(w).to_json())["tensors"] for w in (bf16, same_bits))
            assert [t["statistics"] for t in a] == [t["statistics"] for t in b]
    if torch is not None:
        same({k: torch.from_numpy(v) for k, v in weights.items()})
        same({k: torch.from_numpy(v.T.copy()).t() for k, v in weights.items()})
        same({k: torch.nn.Parameter(torch.from_numpy(v)) for k, v in weights.items()})
    for nthreads in (1, 3):
        fanin.set_num_threads(nthreads)
        same(weights)
        same({k: np.asfortranarray(v) for k, v in weights.items()})
    fanin.set_num_threads(0)


def test_refusals():
    good = healthy()
    for value, kind in (("text", fanin.ArrayError), ({}, fanin.ArrayError), (None, fanin.ArrayError),
                        (object(), fanin.ArrayError), (np.array(["a"]), fanin.DtypeError),
                        (np.zeros(3, np.complex128), fanin.DtypeError),
                        (np.ma.masked_array(np.zeros(3)), fanin.ArrayError)):
        raises(kind, "odd.one", fanin.check, dict(good, **{"odd.one": value}))
    raises(fanin.ArgumentError, "not int", fanin.check, 3)
    raises(fanin.ArgumentError, "NUL", fanin.check, {"a\0b": np.zeros(3)})
    raises(fanin.ArgumentError, "expect", fanin.check, good, expect=True)
    raises(fanin.DtypeError, "f33", fanin.check, good, target="f33")
    raises(fanin.FaninError, "nothing_init", fanin.check, good, rules="**=nothing_init")
    if torch is None:
        return
    for tensor, text in ((torch.empty(3, device="meta"), "meta"), (torch.eye(3).to_sparse(), "to_dense"),
                         (torch.zeros(3, dtype=torch.complex128), "complex128"),
                         (torch.quantize_per_tensor(torch.ones(3), 1.0, 0, torch.qint8), "dequantize")):
        raises((fanin.ArrayError, fanin.DtypeError), text, fanin.check, dict(good, **{"odd.one": tensor}))
    raises(fanin.ArrayError, "weight", fanin.torch.check, torch.nn.Linear(3, 3, device="meta"))


class Failing:
    """An array whose memory cannot be had when it is asked for."""

    def __init__(self, error):
        self.error = error


def test_exceptions_while_reading():
    from fanin import _check

    for error in (RuntimeError("device lost"), KeyboardInterrupt(), MemoryError()):
        weights = [_check.Weight(k, np.asfortranarray(v)) for k, v in healthy(40).items()]

        def fail(error=error):
            raise error
        weights[17].load = fail
        _, options = _check.prepare(None, None, None, (), None, False, False, None)
        try:
            _check.check_weights(weights, "w", None, options)
        except BaseException as e:
            assert e is error, e
        else:
            raise AssertionError("nothing was raised")


def test_what_is_known():
    weights = healthy()
    assert not ids(fanin.check(weights, rules="**.weight=normal(std=0.1)", expect=True))
    assert "W08" in ids(fanin.check(weights, rules="**.weight=normal(std=0.02)", expect=True))
    weights["other.table"] = np.arange(64, dtype=np.float32).reshape(8, 8)
    assert not ids(fanin.check(weights, rules=["layers.*.fc.weight=normal(std=0.1)"], expect=True))
    assert ids(fanin.check({k: v * 1e-4 for k, v in healthy().items()}, target="f8_e4m3")) == {"W17"}
    plan = fanin.check(weights, plan=None)
    assert plan.known_by


def test_ties_and_lifetime():
    weights = healthy(2)
    copy = dict(weights, again=weights["layers.0.fc.weight"])
    assert not ids(fanin.check(copy))
    assert "W06" in ids(fanin.check(dict(weights, again=weights["layers.0.fc.weight"].copy())))
    found = [fanin.check(broken()) for _ in range(50)]
    findings = [f for diagnosis in found for f in diagnosis.findings]
    del found
    gc.collect()
    assert all(f.where and f.means for f in findings)
    threads = [threading.Thread(target=lambda: fanin.check(broken()).to_html()) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]


def test_modules():
    if torch is None:
        return
    nn = torch.nn
    torch.manual_seed(0)

    def mlp(init, *between, depth=12):
        layers = []
        for _ in range(depth):
            layer = nn.Linear(128, 128)
            init(layer.weight)
            nn.init.zeros_(layer.bias)
            layers += [layer] + [make() for make in between]
        return nn.Sequential(*layers)

    he = lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu")
    small = lambda w: nn.init.normal_(w, std=0.01)
    found = fanin.torch.check(mlp(he, nn.ReLU))
    assert found.ok and not found.notes and found.name == "Sequential", found
    found = fanin.torch.check(mlp(small, nn.ReLU))
    assert "W08" in ids(found) and next(f for f in found if f.id == "W08").severity == "error", found
    assert "W08" not in ids(fanin.torch.check(mlp(small, lambda: nn.LayerNorm(128), nn.ReLU)))
    assert fanin.check(mlp(he, nn.ReLU)).ok, "a module goes to fanin.torch.check"

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(64, 64), nn.Linear(64, 64)
            self.b.weight = self.a.weight
            self.norm = nn.BatchNorm1d(64)
            self.conv = nn.ConvTranspose2d(8, 16, 3, groups=2)

    block = Block()
    found = fanin.torch.check(block)
    assert found.ok and "a" in found.notes[0] and not fanin.torch.check(block, activation="relu").notes
    kinds = {t["name"]: (t["layer_kind"], t["fan_in"]) for t in json.loads(found.to_json())["tensors"]}
    assert kinds["conv.weight"] == ("conv_transpose2d", 8 // 2 * 9), kinds
    assert kinds["norm.running_var"][0] == "batch_norm" and kinds["a.weight"] == ("linear", 64)
    with torch.no_grad():
        block.norm.running_var[3] = -1
    assert "W14" in ids(fanin.torch.check(block))
    assert fanin.torch.check(block.to(torch.bfloat16)).findings
    raises(fanin.ArgumentError, "Module", fanin.torch.check, {})


if __name__ == "__main__":
    sys.exit(python_package.run(globals()))
