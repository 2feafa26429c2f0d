"""How large a base model is, from its config.json if that can be read, or else from the size in its name."""

import json
import os
import re
from pathlib import Path
from typing import Any

from pydantic import Field

from finetune_flows.tasks.artifacts.base_model import locate
from finetune_flows.tasks.base.errors import FinetuneError
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.recipe import ModelSection

_NAMED = re.compile(r"(?<![\d.])(?:(\d+)x)?(\d+(?:\.\d+)?)([BM])(?![a-z])", re.IGNORECASE)


class ModelSize(Frozen):
    """The dimensions of a decoder-only transformer that decide how much memory it takes."""

    parameters: float
    embeddings: float = Field(description="Parameters in the input and output embeddings, which are never quantised.")
    hidden: int
    layers: int
    kv_width: int = Field(
        description="Numbers that each layer keeps for each token: this many keys and this many values."
    )
    vocabulary: int
    linear_width: float = Field(
        description="Sum of inputs and outputs of a layer's linear maps; times r, it is LoRA's size for a layer."
    )
    source: str


def size_of(section: ModelSection) -> ModelSize | None:
    """The size of a recipe's model; None if there is neither a readable config.json nor a size in the name."""
    config = _config(section)
    return from_config(config, "config.json") if config else from_name(section.source)


def from_config(config: dict[str, Any], source: str) -> ModelSize:
    """Counts the weights of a model like Llama: grouped-query attention, gated MLP, RMS norms.

    For other architectures the count is near enough for a memory estimate.
    """
    hidden, layers, vocabulary = config["hidden_size"], config["num_hidden_layers"], config["vocab_size"]
    heads = config["num_attention_heads"]
    head = config.get("head_dim") or hidden // heads
    queries, kv_width = heads * head, (config.get("num_key_value_heads") or heads) * head
    inner = config.get("moe_intermediate_size") or config["intermediate_size"]
    experts = config.get("num_local_experts") or config.get("num_experts") or 1
    attention = 2 * hidden * queries + 2 * hidden * kv_width
    each = attention + 3 * hidden * inner * experts + 2 * hidden
    embeddings = vocabulary * hidden * (1 if config.get("tie_word_embeddings") else 2)
    widths = 2 * (hidden + queries) + 2 * (hidden + kv_width) + 3 * (hidden + inner) * experts
    return ModelSize(
        parameters=embeddings + layers * each + hidden,
        embeddings=embeddings,
        hidden=hidden,
        layers=layers,
        kv_width=kv_width,
        vocabulary=vocabulary,
        linear_width=widths,
        source=source,
    )


def from_name(name: str) -> ModelSize | None:
    """Guesses the shape from the number of parameters: N = 12 layers hidden^2 (Kaplan et al. 2020, section 2.1).

    Assumes hidden = 128 layers, which is about right from 7 to 70 billion parameters, no grouped queries and up to
    128,000 tokens, so that the estimate is too large rather than too small.
    """
    found = _NAMED.search(name.split("/")[-1])
    if found is None:
        return None
    experts, number, unit = found.groups()
    parameters = float(number) * int(experts or 1) * {"B": 1e9, "M": 1e6}[unit.upper()]
    layers = max(1, round((parameters / (12 * 128**2)) ** (1 / 3)))
    hidden = 128 * layers
    vocabulary = 128_000 if parameters > 3e9 else 50_000
    return ModelSize(
        parameters=parameters,
        embeddings=min(2 * vocabulary * hidden, 0.3 * parameters),
        hidden=hidden,
        layers=layers,
        kv_width=hidden,
        vocabulary=vocabulary,
        linear_width=19 * hidden,
        source=f"the size in its name, {found.group(0)}",
    )


def _config(section: ModelSection) -> dict[str, Any] | None:
    try:
        path = locate(section)
    except FinetuneError:  # staging reports what is wrong with the source
        return None
    file = _from_hub(section) if path is None else path / "config.json"
    if file is None or not file.is_file():
        return None
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    config = config.get("text_config", config)  # a model that also reads images keeps the language model's part there
    return config if {"hidden_size", "intermediate_size", "num_attention_heads"} <= config.keys() else None


def _from_hub(section: ModelSection) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    token = os.environ.get(section.token_variable) or None
    try:
        return Path(hf_hub_download(section.source, "config.json", revision=section.revision, token=token))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError):  # gated or no network: fall back on the name
        return None
