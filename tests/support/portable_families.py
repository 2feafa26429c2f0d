"""Families whose configuration has changed its names between transformers 4 and 5, or could have: tiny random models.

Every value differs from the default of transformers 4, so that a reader that misses it answers differently.
"""

from pathlib import Path
from typing import Any

from tests.support.tiny_model import tiny_tokenizer

_DECODER = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
}
_ENCODER = {key: value for key, value in _DECODER.items() if key not in ("num_key_value_heads", "head_dim")}
_GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}
_EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 16}
_ROUTED = _EXPERTS | {"n_routed_experts": 4, "first_k_dense_replace": 1, "num_key_value_heads": 4}
_LATENT = {"kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
_WINDOW = {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]}


def _rope(kind: str = "default", base: float = 2e4, **more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": base, **more}}


def _by_layer(full: dict[str, Any], sliding: dict[str, Any]) -> dict[str, Any]:
    parts = {"full_attention": full["rope_parameters"], "sliding_attention": sliding["rope_parameters"]}
    return {"rope_parameters": parts}


_HALF = _rope(partial_rotary_factor=0.5)
_YARN = _rope("yarn", factor=4.0, original_max_position_embeddings=32)
_LLAMA3 = _rope(
    "llama3", 5e5, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32
)
_LONG = _rope("longrope", short_factor=[1.0, 1.1, 1.2, 1.3], long_factor=[2.0, 2.1, 2.2, 2.3])

_ROTARY = {
    "llama": _rope(base=5e5),
    "llama, llama3": _LLAMA3,
    "llama, yarn": _YARN,
    "llama, linear": _rope("linear", factor=4.0),
    "llama, dynamic": _rope("dynamic", factor=4.0),
    "qwen2": _rope(base=1e6),
    "qwen2, yarn": _YARN,
    "qwen2, window": {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    "qwen3": _rope(base=1e6),
    "gemma": {},
    "gemma2": {"sliding_window": 8, "query_pre_attn_scalar": 8},
    "gemma3_text": {"query_pre_attn_scalar": 8, **_WINDOW}
    | _by_layer(_rope("linear", 2e6, factor=8.0), _rope(base=3e4)),
    "phi": _rope(partial_rotary_factor=0.75),
    "phi3": _rope(),
    "phi3, longrope": _LONG | {"original_max_position_embeddings": 32},
    "gpt_neox": _HALF,
    "stablelm": _HALF,
    "persimmon": _rope(partial_rotary_factor=0.75),
    "nemotron": _rope(partial_rotary_factor=0.75),
    "glm": _HALF,
    "glm4": _HALF,
    "cohere2": _WINDOW | _rope(),
    "exaone4": _WINDOW | _rope(),
    "olmo3": _WINDOW | _by_layer(_YARN, _rope()),
    "ministral": {**_WINDOW} | _rope(),
    "smollm3": {"no_rope_layers": [1, 0]} | _rope(base=5e6),
    "helium": _rope(),
    **{
        name: _rope()
        for name in (
            "mistral", "olmo", "olmo2", "starcoder2", "cohere", "granite", "arcee", "seed_oss", "diffllama", "bitnet",
            "ernie4_5", "hunyuan_v1_dense",
        )
    },
}  # fmt: skip
_MIXTURES = {
    "mixtral": {"num_local_experts": 4, **_EXPERTS} | _rope(),
    "qwen2_moe": {"num_experts": 4, "shared_expert_intermediate_size": 16, **_EXPERTS} | _rope(),
    "qwen3_moe": {"num_experts": 4, **_EXPERTS} | _rope(),
    "olmoe": {"num_experts": 4, **_EXPERTS} | _rope(),
    "phimoe": {"num_local_experts": 4, **_EXPERTS} | _rope(),
    "granitemoe": {"num_local_experts": 4, **_EXPERTS} | _rope(),
    "granitemoehybrid": {
        "num_local_experts": 4, "shared_intermediate_size": 16, "layer_types": ["mamba", "attention"],
        "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 4, **_EXPERTS,
    } | _rope(),
    "ernie4_5_moe": {"moe_num_experts": 4, "moe_k": 2, "moe_layer_start_index": 1, **_EXPERTS} | _rope(),
    "glm4_moe": {**_ROUTED} | _HALF,
    "deepseek_v2": {"n_group": 1, "topk_group": 1, **_LATENT, **_ROUTED} | _rope(),
    "deepseek_v3": {"n_group": 2, "topk_group": 1, **_LATENT, **_ROUTED}
    | _rope("yarn", factor=4.0, original_max_position_embeddings=32, mscale=1.0, mscale_all_dim=1.0),
    "gpt_oss": {"num_local_experts": 4, **_EXPERTS, **_WINDOW}
    | _rope("yarn", factor=4.0, original_max_position_embeddings=32, truncate=False),
}  # fmt: skip
_OLDER: dict[str, dict[str, Any]] = {
    "gpt2": _GPT,
    "gpt_bigcode": _GPT,
    "gptj": _GPT | {"rotary_dim": 4},
    "gpt_neo": {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 8},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "bloom": {"n_layer": 2, "n_head": 4},
    "falcon": {"alibi": False} | _rope(),
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4},
}
_TEXTS: dict[str, dict[str, Any]] = {
    "bert": {},
    "roberta": {},
    "xlm-roberta": {},
    "distilbert": {"dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 4},
    "albert": {"embedding_size": 16},
    "electra": {"embedding_size": 16},
    "deberta": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 0},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 0},
    "modernbert": _by_layer(_rope(base=8e4), _rope()),
    "modernbert, every second layer": {
        "num_hidden_layers": 4,
        "layer_types": ["full_attention", "sliding_attention"] * 2,
        "local_attention": 8,
    },
    "mpnet": {},
    "convbert": {"embedding_size": 32, "head_ratio": 2, "conv_kernel_size": 3},
    "rembert": {"input_embedding_size": 16, "output_embedding_size": 16},
    "megatron-bert": {},
    "flaubert": {"bos_token_id": 1, "emb_dim": 32, "n_layers": 2, "n_heads": 4},
}
CAUSAL = {
    **{name: _DECODER | own for name, own in (_ROTARY | _MIXTURES).items()},
    **{
        name: {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2, **own}
        for name, own in _OLDER.items()
    },
}
"""Language models by name: model_type, and after a comma what is special. The values are those of its configuration."""
CLASSIFIERS = {name: _ENCODER | own for name, own in _TEXTS.items()} | {
    name: CAUSAL[name]
    for name in (
        "llama", "llama, llama3", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe", "gemma", "gemma2", "gemma3_text",
        "phi", "phi3", "gpt_neox", "stablelm", "starcoder2", "glm", "smollm3", "persimmon", "falcon", "gpt2", "opt", "bloom",
    )
}  # fmt: skip
"""Models that classify. Half of them are language models with a head."""


def build(name: str, classifier: bool) -> Any:
    """The model, in float32, with weights large enough that its answers depend on every part."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

    tokenizer = tiny_tokenizer()
    shared = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
    }
    own = (CLASSIFIERS if classifier else CAUSAL)[name] | ({"num_labels": 3} if classifier else {})
    config = AutoConfig.for_model(name.partition(",")[0], **shared | own)
    kind = AutoModelForSequenceClassification if classifier else AutoModelForCausalLM
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind.from_config(config, attn_implementation="eager").float().eval()
        for weight in model.parameters():
            if weight.dim() > 1:
                torch.nn.init.normal_(weight, std=0.2)
    return model


def save(name: str, classifier: bool, folder: Path) -> Any:
    """Save the model as training does, and return it as transformers 5 reads it again."""
    from finetune_flows.training.portable import save as save_portable

    model = build(name, classifier)
    save_portable(model, tiny_tokenizer(), folder)
    return type(model).from_pretrained(folder, attn_implementation="eager").eval()
