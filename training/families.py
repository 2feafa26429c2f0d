"""What the family of a base model can do, from its config alone: nothing is loaded but the names of its parts.

The heads are those of a Task: a language model, a classifier, or both.
"""

import copy
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoConfig,
    AutoModel,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from finetune_flows.training.problems import TrainingProblem

Head = Literal["language-model", "classifier"]


def read_config(folder: Path, trust_remote_code: bool = False, **options: Any) -> PreTrainedConfig:
    """The config of `folder`. Raises TrainingProblem for a family that this version of transformers does not know."""
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code, **options)
    except ValueError as error:
        raise TrainingProblem(
            f"transformers {transformers.__version__} does not know the model in {options.get('gguf_file', folder.name)}: "
            f"{str(error).splitlines()[0]}"
        ) from error


def check_family(config: PreTrainedConfig) -> tuple[Head, ...]:
    """The heads that can be trained on a model of this config.

    Raises TrainingProblem, in one sentence, when there is none: the model cannot be trained or served here.
    """
    family = config.model_type
    if config.is_encoder_decoder:
        raise TrainingProblem(
            f"{family} is an encoder-decoder model, and only decoders and encoders can be trained here."
        )
    if (state := _recurrent_state(config)) is not None:
        raise TrainingProblem(f"{family} keeps its state in {state}, and only attention models can be served here.")
    heads = tuple(head for head in ("language-model", "classifier") if model_class(config, head) is not None)
    if not heads:
        raise TrainingProblem(f"{family} has neither a language model nor a text classifier in transformers.")
    return heads  # type: ignore[return-value]


def check_head(config: PreTrainedConfig, head: Head) -> None:
    """Raise TrainingProblem when the family has no such head, or when `check_family` refuses it."""
    if "auto_map" in config.to_dict():  # its own code decides
        return
    if head not in check_family(config):
        can = "only classify" if head == "language-model" else "only generate text"
        raise TrainingProblem(f"{config.model_type} can {can} here. Choose another base model for this problem.")


def model_class(config: PreTrainedConfig, head: str) -> type[PreTrainedModel] | None:
    """The class of this family with a head; None when there is none.

    An encoder such as BERT has a class for language models, too. It reads a text in both directions and cannot go on
    with it, so it counts as a classifier only.
    """
    kind = type(config)
    if head == "classifier":
        return MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING.get(kind, None)  # type: ignore[no-any-return]
    if kind in MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False):
        return None
    return MODEL_FOR_CAUSAL_LM_MAPPING.get(kind, None)  # type: ignore[no-any-return]


def attentions(config: PreTrainedConfig, head: str) -> frozenset[str]:
    """The attention implementations that the family has; all of them for a model with code of its own."""
    found = {"eager"}
    kind = model_class(config, head)
    if kind is None or kind._supports_sdpa:
        found.add("sdpa")
    if kind is None or kind._supports_flash_attn:
        found.add("flash_attention_2")
    return frozenset(found)


def longest_text(config: PreTrainedConfig) -> int | None:
    """The number of positions that the model has for tokens; None when it has no limit.

    RoBERTa and others count positions from the padding id on, so their table has fewer places for tokens than rows.
    """
    limit = getattr(config.get_text_config(), "max_position_embeddings", None)
    if not isinstance(limit, int) or limit < 1:
        return None
    return limit - _places_before_first_token(config, limit)


def _places_before_first_token(config: PreTrainedConfig, limit: int) -> int:
    small = copy.deepcopy(config)
    small.num_hidden_layers = 1
    try:
        with torch.device("meta"):
            model = AutoModel.from_config(small)
    except Exception:  # a family without a plain model, or with layers of different kinds
        return 0
    tables = [each for each in model.modules() if isinstance(each, torch.nn.Embedding) and each.num_embeddings == limit]
    return max((each.padding_idx + 1 for each in tables if each.padding_idx is not None), default=0)


def _recurrent_state(config: PreTrainedConfig) -> str | None:
    """What holds the state of a model that is not made of attention alone; None for attention models."""
    kind = model_class(config, "language-model")
    if kind is None:
        return None
    kept = {type(layer) for layer in DynamicCache(config=config.get_text_config(decoder=True)).layers}
    others = kept - {DynamicLayer, DynamicSlidingWindowLayer}
    if others:
        return ", ".join(sorted(layer.__name__ for layer in others))
    return "a recurrent state" if kind._is_stateful else None
