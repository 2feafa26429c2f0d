"""Saves models in folders that transformers 4 reads as transformers 5 does.

transformers 5 writes some facts under new names only. Version 4, and servers and converters that are built on it, do not
know these names and use their defaults instead: the model loads and answers differently, without any message. So the
folder gets the old names too. Version 5 reads both. tests/training/test_portable.py compares the two generations.
"""

import json
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

RENAMED = {
    "qwen3_moe": {"num_experts": "num_local_experts"},
    "flaubert": {"pad_index": "pad_token_id", "bos_index": "bos_token_id", "eos_index": "eos_token_id"},
    "xlm": {"pad_index": "pad_token_id", "bos_index": "bos_token_id", "eos_index": "eos_token_id"},
}
"""By model type: the name in version 4, and the name in version 5. Found by comparing the classes of 4.57 and 5.23."""
_OLD_LAYER_TYPES = {"linear_attention": "mamba", "full_attention": "attention"}


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Save what a server reads: weights, configuration, and the tokenizer with its chat template."""
    model.save_pretrained(folder)
    complete_config(folder)
    save_tokenizer(tokenizer, folder)


def complete_config(folder: Path) -> None:
    """Add to config.json what version 4 expects under another name. Nothing that version 5 reads is changed."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    _complete(config)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Save the tokenizer. Every reader takes tokenizer.json as it is, without the special rules of a model family.

    A family's own class in version 4 would rewrite parts of tokenizer.json by its own defaults, such as lower case for
    BERT or the BOS token for Llama. A tokenizer without tokenizer.json keeps its class.
    """
    tokenizer.save_pretrained(folder)
    if not (folder / "tokenizer.json").is_file():
        return
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {
        "tokenizer_class": "PreTrainedTokenizerFast",
        # What the family's own class would have set.
        "model_input_names": tokenizer.model_input_names,
        "padding_side": tokenizer.padding_side,
        "add_prefix_space": _adds_prefix_space(folder / "tokenizer.json"),
    }
    if isinstance(config.get("extra_special_tokens"), list):  # version 4 expects a dictionary here, and fails
        config["additional_special_tokens"] = config.pop("extra_special_tokens")
    if isinstance(tokenizer.chat_template, str):  # servers that do not read chat_template.jinja
        config["chat_template"] = tokenizer.chat_template
    path.write_text(json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _complete(config: dict[str, Any]) -> None:
    """Complete a configuration, and those of its parts: a model for images and text holds one for each."""
    kind = config.get("model_type", "")
    for part in config.values():
        if isinstance(part, dict) and "model_type" in part:
            _complete(part)
    if "dtype" in config:
        config["torch_dtype"] = config["dtype"]
    if isinstance(rope := config.get("rope_parameters"), dict) and rope:
        config |= _rope(rope, kind)
    config |= {old: config[new] for old, new in RENAMED.get(kind, {}).items() if new in config}
    if kind.startswith("modernbert"):
        kinds = config["layer_types"]
        config["global_attn_every_n_layers"] = next((n for n in range(1, len(kinds)) if "full" in kinds[n]), len(kinds))
    if kind == "granitemoehybrid":
        config["layer_types"] = [_OLD_LAYER_TYPES.get(each, each) for each in config["layer_types"]]


def _rope(rope: dict[str, Any], kind: str) -> dict[str, Any]:
    """The rotary position embedding under the names of version 4."""
    if "full_attention" not in rope:
        return _flat_rope(rope, kind)
    # Version 4 has one setting for layers with full attention, and at most another base for those with a window.
    old = _flat_rope(rope["full_attention"], kind)
    base = rope["sliding_attention"]["rope_theta"]
    if kind.startswith("modernbert"):
        return {"global_rope_theta": old["rope_theta"], "local_rope_theta": base}
    return old | ({"rope_local_base_freq": base} if kind.startswith("gemma3") else {})


def _flat_rope(rope: dict[str, Any], kind: str) -> dict[str, Any]:
    base, part = rope["rope_theta"], rope.get("partial_rotary_factor")
    if kind.startswith("gpt_neox"):
        return {"rotary_emb_base": base, "rotary_pct": part}
    scaling = {name: value for name, value in rope.items() if name not in ("rope_theta", "partial_rotary_factor")}
    if kind.startswith("phi3") and rope["rope_type"] == "longrope":  # version 4 refuses other fields than these
        scaling = {"type": "longrope", "short_factor": rope["short_factor"], "long_factor": rope["long_factor"]}
    old = {"rope_theta": base, "rope_scaling": None if rope["rope_type"] == "default" else scaling}
    return old | ({} if part is None else {"partial_rotary_factor": part})


def _adds_prefix_space(file: Path) -> bool:
    """Whether tokenizer.json puts a space before the text. Version 4 overwrites this with the value in the configuration."""
    first = json.loads(file.read_text(encoding="utf-8")).get("pre_tokenizer") or {}
    return bool(first.get("add_prefix_space", False))
