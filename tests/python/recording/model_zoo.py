# SPDX-License-Identifier: MIT
"""Constructors of models to record: transformers architectures in small, torchvision and timm models as they are.

Not a test: record_models.py and the live tests take their models from here. Nothing is downloaded.
"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

_LAYERS = (
    "num_hidden_layers",
    "n_layer",
    "n_layers",
    "num_layers",
    "encoder_layers",
    "decoder_layers",
    "num_encoder_layers",
    "num_decoder_layers",
    "encoder_num_hidden_layers",
    "decoder_num_hidden_layers",
    "depth",
    "num_blocks",
    "n_encoder_layers",
    "d_encoder_layers",
)
_WIDTHS = ("hidden_size", "n_embd", "d_model", "dim", "embed_dim", "encoder_hidden_size", "emb_dim", "model_dim")
_INNER = (
    "intermediate_size",
    "ffn_dim",
    "n_inner",
    "d_ff",
    "encoder_ffn_dim",
    "decoder_ffn_dim",
    "moe_intermediate_size",
    "ffn_hidden_size",
    "feed_forward_size",
    "shared_expert_intermediate_size",
    "mlp_dim",
    "hidden_dim",
)
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
_VOCABULARIES = ("vocab_size", "text_vocab_size", "type_vocab_size")
_POSITIONS = ("max_position_embeddings", "n_positions", "max_source_positions", "max_target_positions")
# Up to this many parameters a model is taken as its default configuration makes it.
_MAX_PARAMETERS = 25_000_000


def _shrink(config, narrow, seen=None):
    """Fewer layers, a smaller vocabulary, fewer experts; narrow: also a smaller width, with heads of their own size."""
    seen = seen if seen is not None else set()
    if id(config) in seen:
        return
    seen.add(id(config))
    for key, value in list(vars(config).items()):
        if hasattr(value, "to_dict") and hasattr(value, "model_type"):
            _shrink(value, narrow, seen)
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        limit = None
        if key in _LAYERS:
            limit = 2
        elif key in _VOCABULARIES:
            limit = 1000
        elif key in _EXPERTS:
            limit = 8
        elif key in _POSITIONS:
            limit = 512
        elif narrow and key in _INNER:
            limit = 320
        if limit is not None and value > limit:
            _set(config, key, limit)
    if getattr(config, "layer_types", None):
        kinds = list(dict.fromkeys(config.layer_types))
        n = getattr(config, "num_hidden_layers", 2)
        _set(config, "layer_types", (kinds * n)[:n] if len(kinds) <= n else config.layer_types[:n])
    if narrow:
        _narrow(config)
    for key in ("pad_token_id", "eos_token_id", "bos_token_id"):
        value = getattr(config, key, None)
        if isinstance(value, int) and value >= getattr(config, "vocab_size", 1 << 40):
            _set(config, key, 1)


def _narrow(config):
    heads = [
        key
        for key in (
            "num_attention_heads",
            "n_head",
            "num_heads",
            "encoder_attention_heads",
            "decoder_attention_heads",
            "n_heads",
        )
        if isinstance(getattr(config, key, None), int)
    ]
    widths = [key for key in _WIDTHS if isinstance(getattr(config, key, None), int) and getattr(config, key) > 256]
    if not heads or not widths:
        return
    for key in widths:
        _set(config, key, 256)
    for key in heads:
        _set(config, key, 4)
    for key in ("num_key_value_heads", "num_kv_heads"):
        if isinstance(getattr(config, key, None), int):
            _set(config, key, 2)


def _set(config, key, value):
    try:
        setattr(config, key, value)
    except Exception:  # a derived property: the fields it comes from are set on their own
        pass


def _count(config, dtype):
    import torch
    import transformers

    with torch.device("meta"):
        model = transformers.AutoModel.from_config(config, dtype=dtype)
    return sum(p.numel() for p in model.parameters())


def transformers_types():
    """All model types that AutoModel knows."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    return list(MODEL_MAPPING_NAMES)


def transformers_model(kind, dtype="float32"):
    """A callable that builds AutoModel of this type, small; None where its default configuration cannot be built."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    dtype = getattr(torch, dtype)
    for level in (None, False, True):
        try:
            config = transformers.AutoConfig.for_model(kind)
            if level is not None:
                _shrink(config, level)
            if _count(config, dtype) <= _MAX_PARAMETERS:
                return lambda: transformers.AutoModel.from_config(config, dtype=dtype)
        except Exception:  # the next size may be valid
            continue
    return None


TORCHVISION = (
    "alexnet",
    "vgg11_bn",
    "resnet18",
    "resnet50",
    "resnext50_32x4d",
    "wide_resnet50_2",
    "densenet121",
    "googlenet",
    "inception_v3",
    "squeezenet1_0",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mnasnet0_5",
    "shufflenet_v2_x0_5",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "regnet_y_400mf",
    "convnext_tiny",
    "swin_t",
    "swin_v2_t",
    "vit_b_16",
    "maxvit_t",
)


def torchvision_model(name):
    import torchvision

    if name in ("googlenet", "inception_v3"):
        return lambda: torchvision.models.get_model(name, weights=None, init_weights=name != "googlenet")
    return lambda: torchvision.models.get_model(name, weights=None)


TIMM = (
    "resnet18",
    "resnet26d",
    "resnetv2_50",
    "seresnet33ts",
    "regnety_002",
    "regnetx_002",
    "mobilenetv3_small_050",
    "mobilenetv4_conv_small",
    "efficientnet_lite0",
    "tf_efficientnet_b0",
    "efficientnetv2_rw_t",
    "mixnet_s",
    "ghostnet_050",
    "hardcorenas_a",
    "densenet121",
    "dla34",
    "dpn48b",
    "convnext_atto",
    "convnextv2_atto",
    "vit_tiny_patch16_224",
    "deit_tiny_patch16_224",
    "beit_base_patch16_224",
    "swin_tiny_patch4_window7_224",
    "mixer_s32_224",
    "levit_128s",
    "poolformer_s12",
    "efficientformer_l1",
    "edgenext_xx_small",
    "xcit_nano_12_p16_224",
    "coat_lite_tiny",
    "cait_xxs24_224",
    "fastvit_t8",
    "repvgg_a0",
    "nfnet_l0",
)


def timm_model(name):
    import timm

    return lambda: timm.create_model(name, pretrained=False)


# Architectures that are also recorded in bfloat16.
BF16 = (
    "gpt2",
    "llama",
    "qwen2",
    "qwen3",
    "mistral",
    "mixtral",
    "gemma2",
    "gemma3_text",
    "phi3",
    "bert",
    "vit",
    "t5",
    "whisper",
    "olmo2",
    "falcon",
    "bart",
    "modernbert",
    "mamba",
    "deepseek_v3",
    "qwen3_next",
)
