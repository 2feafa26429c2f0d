"""Loads the base model, unchanged or quantised to 4 bits."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from finetune_flows.training.families import longest_text, read_config
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.task import Task

HEADS = ("score", "classifier", "pre_classifier", "head")
"""The names that transformers gives to the layers of a classification head."""
NEVER_QUANTISED = [*HEADS, r"(.*\.)?pooler", "^dense$"]
"""What a classifier may have to learn from nothing, as regular expressions: EuroBERT's head has a layer `dense`, and some
base models were saved without their pooler."""


def load_tokenizer(folder: Path, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer of `folder`, which must have a chat template and an end token.

    `load_plain_tokenizer` says more.
    """
    tokenizer = load_plain_tokenizer(folder, trust_remote_code)
    if tokenizer.chat_template is None:
        raise TrainingProblem(
            f"The tokenizer in {folder} has no chat template. Set model.chat_template, for example to chatml."
        )
    if tokenizer.eos_token is None:
        raise TrainingProblem(f"The tokenizer in {folder} has no end token, so the model could never stop.")
    return tokenizer


def load_plain_tokenizer(folder: Path, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer of `folder`. Its `model_max_length` is what the model can read, also if its own config says more.

    A missing padding token becomes the unknown token, or the end token when there is no unknown token.
    """
    if not (folder / "config.json").is_file():
        raise TrainingProblem(
            f"{folder} holds no model: config.json is missing. Convert a GGUF file with `training stage` first."
        )
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    longest = longest_text(read_config(folder, trust_remote_code))
    tokenizer.model_max_length = min(tokenizer.model_max_length, longest or tokenizer.model_max_length)
    return tokenizer


def load_base(
    folder: Path,
    dtype: str,
    *,
    four_bit: bool = False,
    sharded: bool = False,
    attention: str = "sdpa",
    task: Task | None = None,
    **options: Any,
) -> PreTrainedModel:
    """The model of `folder`, with weights in `dtype`, or in 4-bit NF4 (double quantisation) that compute in `dtype`.

    A classifier gets the task's head. The head is random when the folder has none, and it is never quantised.
    `options` are those of `from_pretrained`. The attribute `new_parts` of the model names the layers that `folder` has no
    weights for: they are random.
    """
    classifier = task is not None and task.is_classifier
    if four_bit:
        options["quantization_config"] = _four_bit(dtype, sharded, classifier)
    if task is not None and classifier:
        options |= _head(task)
        options["ignore_mismatched_sizes"] = replaces_head(folder, task, options.get("trust_remote_code", False))
    kind = AutoModelForSequenceClassification if classifier else AutoModelForCausalLM
    model, loaded = kind.from_pretrained(
        folder, dtype=getattr(torch, dtype), attn_implementation=attention, output_loading_info=True, **options
    )
    model.new_parts = sorted({name.rpartition(".")[0] for name in loaded["missing_keys"]})
    config = model.config.get_text_config()
    if classifier and config.pad_token_id is None:
        # Without it, transformers cannot find the last token of a text in a batch. It must not be set before the model
        # is made: the embedding of a padding token has no gradient, and here it may be that of the end token.
        config.pad_token_id = load_plain_tokenizer(folder, options.get("trust_remote_code", False)).pad_token_id
    if four_bit:
        keep_gradients_on_cpu(model)
    return model


def _four_bit(dtype: str, sharded: bool, classifier: bool) -> BitsAndBytesConfig:
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
        # FSDP shards tensors of one dtype, so the packed bytes must look like the other weights.
        bnb_4bit_quant_storage=getattr(torch, dtype) if sharded else torch.uint8,
        llm_int8_skip_modules=NEVER_QUANTISED if classifier else None,
    )


def _head(task: Task) -> dict[str, Any]:
    return {
        "num_labels": len(task.labels),
        "id2label": dict(enumerate(task.labels)),
        "label2id": {label: number for number, label in enumerate(task.labels)},
        "problem_type": "multi_label_classification" if task.multi_label else "single_label_classification",
    }


def replaces_head(folder: Path, task: Task, trust_remote_code: bool = False) -> bool:
    """Whether the model of `folder` classifies into another number of labels, so that it gets a new head."""
    config = read_config(folder, trust_remote_code)
    classifies = any(name.endswith("ForSequenceClassification") for name in config.architectures or ())
    return classifies and config.num_labels != len(task.labels)


def keep_gradients_on_cpu(model: PreTrainedModel) -> None:
    """Keep 4-bit layers away from bitsandbytes' CPU inference kernel, which has no gradient.

    In bitsandbytes 0.50, the first forward pass in evaluation mode repacks the weights for that kernel and never unpacks
    them. From then on no gradient flows through the layer, without any message.
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False
