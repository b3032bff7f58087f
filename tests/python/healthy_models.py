#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Freshly constructed models of transformers, torchvision, timm and torch.nn through `fanin check`.

Nothing above info may be said of them but the warnings in ACCEPTED, each with its published reason. Without arguments
a few small ones in float32; --all takes all of them in float32 and bfloat16, --table writes what came out into
docs/check.md. Exits 77, saying why, where torch or safetensors are missing.
"""
import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile

try:
    import torch
    from torch import nn
    from safetensors.torch import save_file
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

# model -> {check: why the warning is true, or expected}. Everything else above info is a failure.
ACCEPTED = {
    "torchvision/alexnet": {
        "W08": "true: it keeps torch's default, kaiming_uniform(a=sqrt(5)), before ReLU, and eight layers lose most of the "
        "signal (He et al. 2015, eq. 10)"
    },
}

# A sampler of truncated normals by erfinv, which timm has and torch had, gives -2 (or what a later division leaves of
# it) about once in 2^24 values, wherever the seed will have it.
SAMPLER = "the sampler of truncated normals gives a few values at exactly -2, 100 standard deviations out (PyTorch issue 155588)"


def reason_of(name, check_id, texts):
    """Why the warning is true, or None."""
    if name.startswith("timm/") and check_id == "W11" and all(" standard deviations out" in text for text in texts):
        far = [float(text.split(" standard deviations out")[0].rsplit(" ", 1)[1]) for text in texts]
        if all(distance > 80 for distance in far):
            return SAMPLER
    return ACCEPTED.get(name, {}).get(check_id)


def transformers_model(kind, **settings):
    def make():
        import transformers

        return transformers.AutoModel.from_config(transformers.CONFIG_MAPPING[kind](**settings))

    return make


def causal(kind, **settings):
    def make():
        import transformers

        return transformers.AutoModelForCausalLM.from_config(transformers.CONFIG_MAPPING[kind](**settings))

    return make


def torchvision_model(name, **settings):
    def make():
        import torchvision

        return torchvision.models.get_model(name, weights=None, **settings)

    return make


def timm_model(name):
    def make():
        import timm

        return timm.create_model(name, pretrained=False)

    return make


class Recurrent(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.embedding = nn.Embedding(1000, 64)
        self.rnn = layer(64, 128, num_layers=2, bidirectional=True)
        self.head = nn.Linear(256, 1000)


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU())
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 3, 4, 2, 1), nn.Sigmoid()
        )


def perceptron():
    sizes = [784, 512, 512, 256, 10]
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


SMALL = {"hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 256}
LLAMA = {**SMALL, "num_key_value_heads": 2, "vocab_size": 1000}
VISION = {**SMALL, "image_size": 64, "patch_size": 16}

MODELS = {
    "gpt2": causal("gpt2", n_embd=128, n_layer=4, n_head=4, vocab_size=1000),
    "bert": transformers_model("bert", vocab_size=1000, **SMALL),
    "roberta": transformers_model("roberta", vocab_size=1000, **SMALL),
    "distilbert": transformers_model("distilbert", vocab_size=1000, dim=128, n_layers=3, n_heads=4, hidden_dim=256),
    "albert": transformers_model("albert", vocab_size=1000, embedding_size=64, **SMALL),
    "electra": transformers_model("electra", vocab_size=1000, embedding_size=64, **SMALL),
    "deberta-v2": transformers_model("deberta-v2", vocab_size=1000, **SMALL),
    "modernbert": transformers_model("modernbert", vocab_size=1000, pad_token_id=0, cls_token_id=1, sep_token_id=2, **SMALL),
    "xlnet": transformers_model("xlnet", vocab_size=1000, d_model=128, n_layer=3, n_head=4, d_inner=256),
    "t5": transformers_model("t5", vocab_size=1000, d_model=128, d_kv=32, d_ff=256, num_layers=3, num_heads=4),
    "bart": transformers_model(
        "bart", vocab_size=1000, d_model=128, encoder_layers=3, decoder_layers=3, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=256, decoder_ffn_dim=256,
    ),
    "opt": causal("opt", vocab_size=1000, ffn_dim=256, hidden_size=128, num_hidden_layers=3, num_attention_heads=4,
                  word_embed_proj_dim=128),
    "gpt_neox": causal("gpt_neox", vocab_size=1000, **SMALL),
    "gptj": causal("gptj", vocab_size=1000, n_embd=128, n_layer=3, n_head=4, rotary_dim=16),
    "bloom": causal("bloom", vocab_size=1000, hidden_size=128, n_layer=3, n_head=4),
    "falcon": causal("falcon", vocab_size=1000, hidden_size=128, num_hidden_layers=3, num_attention_heads=4),
    "llama": causal("llama", **LLAMA),
    "mistral": causal("mistral", **LLAMA),
    "mixtral": causal("mixtral", num_local_experts=4, **LLAMA),
    "qwen2": causal("qwen2", **LLAMA),
    "qwen3": causal("qwen3", head_dim=32, **LLAMA),
    "qwen3_moe": causal("qwen3_moe", head_dim=32, num_experts=8, moe_intermediate_size=64, **LLAMA),
    "gemma2": causal("gemma2", head_dim=32, **LLAMA),
    "gemma3": causal("gemma3_text", head_dim=32, **LLAMA),
    "phi": causal("phi", vocab_size=1000, **SMALL),
    "phi3": causal("phi3", pad_token_id=0, **LLAMA),
    "olmo2": causal("olmo2", **LLAMA),
    "granite": causal("granite", **LLAMA),
    "starcoder2": causal("starcoder2", **LLAMA),
    "gpt_oss": causal("gpt_oss", head_dim=32, num_local_experts=4, **LLAMA),
    "deepseek_v3": causal(
        "deepseek_v3", **{**LLAMA, "num_key_value_heads": 4}, n_routed_experts=8, num_experts_per_tok=2, n_group=2,
        topk_group=1, moe_intermediate_size=64, kv_lora_rank=32, q_lora_rank=48, qk_rope_head_dim=16, v_head_dim=32,
        qk_nope_head_dim=32, first_k_dense_replace=1,
    ),
    "mamba": causal("mamba", vocab_size=1000, hidden_size=128, num_hidden_layers=3),
    "mamba2": causal("mamba2", vocab_size=1000, hidden_size=128, num_hidden_layers=3, num_heads=8, head_dim=32, n_groups=2),
    "vit": transformers_model("vit", **VISION),
    "deit": transformers_model("deit", **VISION),
    "beit": transformers_model("beit", **VISION),
    "dinov2": transformers_model("dinov2", **VISION),
    "swin": transformers_model("swin", image_size=64, embed_dim=48, depths=[2, 2], num_heads=[2, 4], window_size=4),
    "segformer": transformers_model("segformer"),
    "convnext": transformers_model("convnext", hidden_sizes=[32, 64, 96, 128], depths=[2, 2, 2, 2]),
    "clip": transformers_model("clip", text_config={**SMALL, "vocab_size": 1000}, vision_config=VISION),
    "siglip": transformers_model("siglip", text_config={**SMALL, "vocab_size": 1000}, vision_config=VISION),
    "whisper": transformers_model(
        "whisper", vocab_size=1000, d_model=128, encoder_layers=3, decoder_layers=3, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=256, decoder_ffn_dim=256, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1,
    ),
    "wav2vec2": transformers_model("wav2vec2", vocab_size=100, **SMALL),
    "vits": transformers_model("vits"),
    "torchvision/alexnet": torchvision_model("alexnet"),
    "torchvision/vgg11": torchvision_model("vgg11"),
    "torchvision/resnet18": torchvision_model("resnet18"),
    "torchvision/resnet50": torchvision_model("resnet50"),
    "torchvision/mobilenet_v2": torchvision_model("mobilenet_v2"),
    "torchvision/mobilenet_v3_small": torchvision_model("mobilenet_v3_small"),
    "torchvision/efficientnet_b0": torchvision_model("efficientnet_b0"),
    "torchvision/densenet121": torchvision_model("densenet121"),
    "torchvision/googlenet": torchvision_model("googlenet", init_weights=True),
    "torchvision/inception_v3": torchvision_model("inception_v3", init_weights=True),
    "torchvision/squeezenet1_1": torchvision_model("squeezenet1_1"),
    "torchvision/shufflenet_v2_x1_0": torchvision_model("shufflenet_v2_x1_0"),
    "torchvision/mnasnet0_5": torchvision_model("mnasnet0_5"),
    "torchvision/regnet_y_400mf": torchvision_model("regnet_y_400mf"),
    "torchvision/convnext_tiny": torchvision_model("convnext_tiny"),
    "torchvision/swin_t": torchvision_model("swin_t"),
    "torchvision/swin_v2_t": torchvision_model("swin_v2_t"),
    "torchvision/vit_b_32": torchvision_model("vit_b_32"),
    "torchvision/maxvit_t": torchvision_model("maxvit_t"),
    "torchvision/lraspp_mobilenet_v3_large": torchvision_model("lraspp_mobilenet_v3_large", weights_backbone=None),
    "torchvision/fasterrcnn_mobilenet_v3_large_fpn": torchvision_model(
        "fasterrcnn_mobilenet_v3_large_fpn", weights_backbone=None
    ),
    "torchvision/ssdlite320_mobilenet_v3_large": torchvision_model("ssdlite320_mobilenet_v3_large", weights_backbone=None),
    **{
        f"timm/{name}": timm_model(name)
        for name in (
            "vit_tiny_patch16_224",
            "deit_tiny_patch16_224",
            "swin_tiny_patch4_window7_224",
            "convnextv2_atto",
            "efficientnet_lite0",
            "mixer_s32_224",
            "resmlp_12_224",
            "gmlp_s16_224",
            "cait_xxs24_224",
            "eva02_tiny_patch14_224",
            "levit_128s",
            "mobilevit_xxs",
            "mobileone_s0",
            "repvgg_a0",
            "resnetv2_50",
            "poolformer_s12",
            "edgenext_xx_small",
            "ghostnet_100",
            "hrnet_w18_small",
            "xcit_nano_12_p16_224",
            "crossvit_tiny_240",
            "fastvit_t8",
            "nf_resnet50",
            "dm_nfnet_f0",
            "beit_base_patch16_224",
            "tinynet_e",
        )
    },
    "torch.nn/perceptron": perceptron,
    "torch.nn/lstm": lambda: Recurrent(nn.LSTM),
    "torch.nn/gru": lambda: Recurrent(nn.GRU),
    "torch.nn/rnn": lambda: Recurrent(nn.RNN),
    "torch.nn/transformer": lambda: nn.Transformer(
        d_model=128, nhead=4, num_encoder_layers=3, num_decoder_layers=3, dim_feedforward=256
    ),
    "torch.nn/attention": lambda: nn.MultiheadAttention(128, 4, add_bias_kv=True),
    "torch.nn/autoencoder": Autoencoder,
}

# What is looked at without --all.
QUICK = (
    "gpt2 bert t5 opt gpt_neox llama qwen3_moe mamba vit clip whisper torchvision/resnet18 torchvision/squeezenet1_1 "
    "timm/vit_tiny_patch16_224 timm/tinynet_e torch.nn/perceptron torch.nn/lstm torch.nn/transformer torch.nn/autoencoder"
).split()


def tensors_of(model, dtype):
    """The state dict without the second names of shared tensors, as save_file wants it."""
    seen, kept = set(), {}
    for name, tensor in model.state_dict().items():
        key = (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tuple(tensor.shape))
        if tensor.numel() > 0 and key in seen:
            continue
        seen.add(key)
        tensor = tensor.detach()
        kept[name] = (tensor.to(dtype) if tensor.is_floating_point() else tensor).contiguous().clone()
    return kept


def check(command, path, *options):
    run = subprocess.run([command, "check", path, "--json", *options], capture_output=True, text=True, check=False)
    if run.returncode not in (0, 1) or not run.stdout:
        raise RuntimeError(f"fanin check failed on {path}: {run.stderr}")
    return json.loads(run.stdout)


def construct(name, seed):
    """The model, or None where the libraries here do not have it."""
    torch.manual_seed(seed)
    try:
        return MODELS[name]()
    except (ImportError, KeyError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        print(f"{name}: cannot be constructed here: {error!r}"[:300], file=sys.stderr)
        return None


def findings_of(command, model, dtypes, folder):
    """What is found over the dtypes, by names alone and by the config.json, and how many tensors there are."""
    found, count = {}, 0
    config = os.path.join(folder, "config.json")
    has_config = hasattr(getattr(model, "config", None), "to_json_string")
    if has_config:
        with open(config, "w", encoding="utf-8") as file:
            file.write(model.config.to_json_string(use_diff=False))
    for dtype in dtypes:
        path = os.path.join(folder, "model.safetensors")
        save_file(tensors_of(model, getattr(torch, dtype)), path)
        reports = [check(command, path)] + ([check(command, path, "--config", config)] if has_config else [])
        os.remove(path)
        count = len(reports[0]["tensors"])
        for finding in (finding for report in reports for finding in report["findings"]):
            found.setdefault((finding["severity"], finding["id"]), []).append(f"{finding['where']}: {finding['what']}")
    return found, count


def row_of(name, found, count):
    warnings = sorted(check for severity, check in found if severity != "info")
    reasons = [f"{check}: {reason_of(name, check, found['warn', check]) or 'not accepted'}" for check in warnings
               if ("warn", check) in found]
    infos = sorted(check for severity, check in found if severity == "info")
    return f"| {name} | {count} | {', '.join(infos)} | {'; '.join(reasons)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help="names of models; all if none are given")
    parser.add_argument("--keep", metavar="FOLDER", help="only write the checkpoints, there")
    parser.add_argument("--all", action="store_true", help="every model, in bfloat16 too")
    parser.add_argument("--dtype", help="dtypes to store as, with commas between")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", action="store_true", help="write the table of docs/check.md")
    arguments = parser.parse_args()
    command = os.environ.get("FANIN_COMMAND", "fanin")
    dtypes = (arguments.dtype or ("float32,bfloat16" if arguments.all else "float32")).split(",")
    names = arguments.models or (list(MODELS) if arguments.all else QUICK)
    torch.set_num_threads(2)
    rows, failures = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            model = construct(name, arguments.seed)
            if model is None:
                continue
            if arguments.keep:
                for dtype in dtypes:
                    path = os.path.join(arguments.keep, f"{name.replace('/', '_')}.{dtype}.safetensors")
                    save_file(tensors_of(model, getattr(torch, dtype)), path)
                continue
            found, count = findings_of(command, model, dtypes, folder)
            rows.append(row_of(name, found, count))
            print(rows[-1], flush=True)
            for (severity, check_id), texts in found.items():
                if severity == "error" or (severity == "warn" and not reason_of(name, check_id, texts)):
                    failures += 1
                    print(f"FAILED {name}: {severity} {check_id}: {texts[0]}")
            del model
            gc.collect()
    if arguments.table:
        write_table(rows)
    print(f"{len(rows)} models, {failures} findings above info that are not accepted")
    if arguments.all and not arguments.keep and len(rows) < 50:
        print("fewer than 50 models could be constructed")
        return 1
    return 1 if failures else 0


BEGIN = "<!-- The table of models begins; it is made by tests/python/healthy_models.py --table. -->\n"
END = "<!-- The table of models ends. -->"


def write_table(rows):
    import timm
    import torchvision
    import transformers

    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "check.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    versions = (
        f"\ntransformers {transformers.__version__} (small configurations), torchvision {torchvision.__version__.split('+')[0]}, "
        f"timm {timm.__version__}, torch {torch.__version__.split('+')[0]}: {len(rows)} models.\n\n"
    )
    table = "| model | tensors | info | warn, and why |\n|---|---|---|---|\n" + "".join(f"{row}\n" for row in rows) + "\n"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text[:begin] + versions + table + text[end:])


if __name__ == "__main__":
    sys.exit(main())
