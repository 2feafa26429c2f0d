"""Tiny random models of many families of transformers: a folder as the hub has it, made in a second, nothing downloaded."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.tiny_model import tiny_tokenizer

POSITIONS = 512
_EXPERTS = {
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "decoder_sparse_step": 1,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "n_shared_experts": 1,
    "shared_expert_intermediate_size": 32,
}
_LATENT = {"kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8, "num_key_value_heads": 4}


@dataclass(frozen=True)
class Family:
    """A `model_type` of transformers, and what its config needs besides the sizes that all share."""

    name: str
    auto: str = "AutoModelForCausalLM"
    """The class of transformers that the saved model has."""
    config: dict[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    """Shared settings that this family does not have."""


def _decoders() -> list[Family]:
    plain = (
        "llama", "mistral", "qwen2", "qwen3", "phi", "phi3", "gpt_neox", "falcon", "stablelm", "starcoder2", "olmo",
        "olmo2", "cohere", "granite", "smollm3", "nemotron", "glm", "glm4", "gpt2", "gpt_bigcode", "seed_oss", "arcee",
        "ministral3", "exaone4", "ernie4_5", "olmo3", "cohere2", "internlm3", "persimmon",
    )  # fmt: skip
    wide = ("gemma", "gemma2", "gemma3_text", "ministral", "hunyuan_v1_dense", "helium")  # heads of a size of their own
    return [
        *(Family(name) for name in plain),
        *(Family(name, config={"head_dim": 8}) for name in wide),
        Family("opt", config={"ffn_dim": 64, "word_embed_proj_dim": 32}),
        Family("gptj", config={"rotary_dim": 4}),
        Family("gpt_neo", config={"attention_types": [[["global", "local"], 1]], "num_layers": 2}),
        Family("bloom", without=("max_position_embeddings",)),
        Family("mpt", config={"d_model": 32, "n_heads": 4, "n_layers": 2}, without=("max_position_embeddings",)),
        *(Family(name, config=_EXPERTS) for name in ("qwen2_moe", "qwen3_moe", "mixtral", "olmoe", "granitemoe")),
        Family("gpt_oss", config=_EXPERTS | {"head_dim": 8}),
        Family("deepseek_v3", config=_EXPERTS | _LATENT | {"q_lora_rank": 16}),
    ]


def _encoders() -> list[Family]:
    from_padding = {"max_position_embeddings": POSITIONS + 1}  # these count positions from the padding id on
    configs: dict[str, dict[str, Any]] = {
        "bert": {},
        "roberta": from_padding,
        "xlm-roberta": from_padding,
        "camembert": from_padding,
        "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64},
        "electra": {"embedding_size": 32},
        "albert": {"embedding_size": 16},
        "deberta": {},
        "deberta-v2": {},
        "modernbert": {"cls_token_id": 0, "sep_token_id": 0},
        "mpnet": from_padding,
        "convbert": {},
        "rembert": {},
        "ernie": {},
        "eurobert": {"mask_token_id": 0},
    }
    return [Family(name, "AutoModel", config) for name, config in configs.items()]


DECODERS = {family.name: family for family in _decoders()}
ENCODERS = {family.name: family for family in _encoders()}
FAMILIES = DECODERS | ENCODERS
REFUSED = {
    family.name: family
    for family in (
        Family("t5", "AutoModelForSeq2SeqLM", {"d_model": 32, "d_kv": 8, "num_layers": 1, "num_heads": 4}),
        Family("bart", "AutoModelForSeq2SeqLM", {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1}),
        Family("mamba", config={"state_size": 4}),
        Family("rwkv", config={"attention_hidden_size": 32}),
        Family("lfm2", config={"layer_types": ["conv", "full_attention"]}),
        Family("jamba", config=_EXPERTS | {"mamba_d_state": 4}),
        *(Family(name) for name in ("qwen3_5", "qwen3_next", "nemotron_h", "falcon_h1", "recurrent_gemma")),
    )
}


def build_family(family: Family, folder: Path, **changes: Any) -> Path:
    """Save a model of two layers with random float32 weights and the tiny tokenizer in `folder`, which it returns."""
    import torch
    import transformers

    with torch.random.fork_rng():
        torch.manual_seed(0)
        getattr(transformers, family.auto).from_config(config_of(family, **changes)).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def config_of(family: Family, **changes: Any) -> Any:
    """The config of the tiny model of a family, with `changes`."""
    from transformers import AutoConfig

    tokenizer = tiny_tokenizer()
    shared = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": POSITIONS,
        "initializer_range": 0.1,  # answers of a random model are otherwise nearly equally likely
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
    }
    own = {name: value for name, value in shared.items() if name not in family.without}
    return AutoConfig.for_model(family.name, **own | family.config | changes)
