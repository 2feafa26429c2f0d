"""The adapter becomes part of the weights. It works from files alone: a base model, and an adapter for it.

reload      into the base as it was given. The usual way; an adapter trained on a 4-bit base meets other weights there.
dequantize  into the 4-bit base, de-quantised: the very weights that the adapter was trained on.

Never in place into a 4-bit model: the sum is rounded to 4 bits again, which loses nearly all that was learnt.
"""

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import PreTrainedModel

from training.checks import Probe, answer_logits, answer_loss
from training.model import load_base
from training.problems import TrainingProblem

Way = Literal["reload", "dequantize"]


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


@dataclass(frozen=True)
class Merged:
    """A model without adapter, and what the unmerged one answered."""

    model: PreTrainedModel
    way: Way
    because: str
    losses: dict[str, float]
    """Answer loss of each way that was tried, in nats for each token."""
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
    )
    return PeftModel.from_pretrained(base, source.adapter).eval()


def merge(source: Source, wanted: str, asked: Sequence[Probe], judges: Sequence[Probe]) -> Merged:
    """Merge the way that is `wanted`; for auto, the way with the lower loss on the `judges`.

    Losses are taken before merging, which changes them by rounding alone (checks.check_agreement sees to that).
    """
    ways, because = _candidates(source, wanted, bool(judges))
    losses: dict[str, float] = {}
    best = ways[0]
    if len(ways) > 1:
        losses = {way: _loss(source, way, judges) for way in ways}
        best = min(ways, key=lambda way: losses[way])
    adapted = with_adapter(source, best)
    references = [answer_logits(adapted, probe) for probe in asked]
    return Merged(_fold(adapted, best, source.adapter), best, because, losses, references)


def _loss(source: Source, way: Way, judges: Sequence[Probe]) -> float:
    loss = answer_loss(with_adapter(source, way), judges)
    gc.collect()  # modules refer to each other, and a GPU may not hold two models
    return loss


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
