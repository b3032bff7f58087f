#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Records the plans of examples/plans anew: record_plans.sh [PYTHON]. Needs torch, transformers and torchvision; nothing is
# downloaded, since configurations are the models' published numbers. A newer library may draw in another order: then the
# plans differ, and say so in "source".

set -eu
python=${1:-python3}
cd "$(dirname "$0")/.."
PYTHONPATH=$PWD/python
HF_HUB_OFFLINE=1
export PYTHONPATH HF_HUB_OFFLINE

record()
{
    plan=$1
    shift
    "$python" -W ignore -m fanin.record "$@" --digests -o "examples/plans/$plan.plan.json"
}

record gpt2 transformers:GPT2LMHeadModel --config gpt2
record bert-base transformers:BertForMaskedLM --config bert
record t5-small transformers:T5ForConditionalGeneration --config t5
record vit-base transformers:ViTForImageClassification --config vit
record whisper-small transformers:WhisperForConditionalGeneration --config whisper --set d_model=768 \
    --set encoder_layers=12 --set decoder_layers=12 --set encoder_attention_heads=12 --set decoder_attention_heads=12 \
    --set encoder_ffn_dim=3072 --set decoder_ffn_dim=3072 --set vocab_size=51865
record resnet50 torchvision:resnet50
record qwen3-0.6b transformers:Qwen3ForCausalLM --config qwen3 --set hidden_size=1024 --set intermediate_size=3072 \
    --set num_hidden_layers=28 --set num_attention_heads=16 --set num_key_value_heads=8 --set head_dim=128 \
    --set vocab_size=151936 --set max_position_embeddings=40960 --set tie_word_embeddings=true
record llama-3-8b transformers:LlamaForCausalLM --config llama --dtype bfloat16 --set hidden_size=4096 \
    --set intermediate_size=14336 --set num_hidden_layers=32 --set num_attention_heads=32 --set num_key_value_heads=8 \
    --set vocab_size=128256 --set max_position_embeddings=8192
