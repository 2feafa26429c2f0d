"""The adapter becomes part of the weights. It works from files alone: a base model, and an adapter for it.

reload      into the base as it was given. The usual way; an adapter trained on a 4-bit base meets other weights there.
dequantize  into the 4-bit base, de-quantised: the very weights that the adapter was trained on.

Never in place into a 4-bit model: the sum is rounded to 4 bits again, which loses nearly all that was learnt.
"""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import PreTrainedModel

from finetune_flows.training.checks import PROBES, answer_loss
from finetune_flows.training.model import load_base
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.task import Task

Way = Literal["reload", "dequantize"]
Measure = Callable[[PreTrainedModel, Sequence[Any], int], tuple[float, list[torch.Tensor]]]


@dataclass(frozen=True)
class Source:
    """What is merged."""

    base: Path
    adapter: Path
    dtype: str
    four_bit: bool
    """Whether the adapter was trained on a 4-bit base."""
    device: str
    trust_remote_code: bool = False
    task: Task | None = None
    """With the head of a classifier; None: a language model."""


@dataclass(frozen=True)
class Merged:
    """A model without adapter, and what the unmerged one answered."""

    model: PreTrainedModel
    way: Way
    because: str
    losses: dict[Way, float]
    """Loss of each way that was tried, in nats for each token of the answers, or for each text."""
    references: list[torch.Tensor]


def with_adapter(source: Source, way: Way) -> Any:
    """The base with the adapter beside it, on the kind of weights that `way` merges into."""
    from peft import PeftModel

    base = load_base(
        source.base,
        source.dtype,
        four_bit=way == "dequantize",
        device_map={"": source.device},
        trust_remote_code=source.trust_remote_code,
        task=source.task,
    )
    return PeftModel.from_pretrained(base, source.adapter).eval()


def merge(source: Source, wanted: str, rows: Sequence[Any], can_judge: bool, measure: Measure = answer_loss) -> Merged:
    """Merge the way that is `wanted`; for auto, the way with the lower loss on `rows`, if they `can_judge`.

    `measure` gives the loss of a model on rows, and its logits for the first so many of them.

    Losses are taken before merging, which changes them by rounding alone (checks.check_agreement sees to that).
    """
    ways, because = _candidates(source, wanted, can_judge)
    asked = rows if len(ways) > 1 else rows[:PROBES]
    adapted: Any = None
    tried: dict[Way, tuple[float, list[torch.Tensor]]] = {}
    for way in ways:
        adapted = None  # before the next one: a GPU may not hold two models
        gc.collect()
        adapted = with_adapter(source, way)
        tried[way] = measure(adapted, asked, PROBES)
    best = min(ways, key=lambda way: tried[way][0])
    if best != ways[-1]:
        adapted = None
        gc.collect()
        adapted = with_adapter(source, best)
    losses = {way: loss for way, (loss, _) in tried.items()} if len(ways) > 1 else {}
    return Merged(_fold(adapted, best, source.adapter), best, because, losses, references=tried[best][1])


def _fold(adapted: Any, way: Way, adapter: Path) -> PreTrainedModel:
    """Add the adapter to the weights beside it, which must not be 4-bit ones."""
    from peft import PeftModel

    if way == "dequantize":
        adapted = PeftModel.from_pretrained(adapted.unload().dequantize(), adapter)
    merged: PreTrainedModel = adapted.merge_and_unload(safe_merge=True)
    return merged.eval()


def _candidates(source: Source, wanted: str, can_judge: bool) -> tuple[list[Way], str]:
    if not source.four_bit:
        if wanted == "dequantize":
            raise TrainingProblem("merge: dequantize is for qlora; this base was not quantised")
        return ["reload"], "the base was not quantised"
    if wanted == "reload":
        return ["reload"], "the settings say so"
    if wanted == "dequantize":
        return ["dequantize"], "the settings say so"
    if not can_judge:
        return ["dequantize"], "there are no validation rows to compare by, and these are the weights it was trained on"
    return ["reload", "dequantize"], "its loss on validation rows is the lower one"
