"""Merges an adapter into the weights of its base model. It reads both from files.

reload      merges into the original base model. This is the usual way. An adapter that was trained on a 4-bit base model
            meets slightly different weights there.
dequantize  merges into the de-quantised 4-bit base model: exactly the weights that the adapter was trained on.

There is no merge in place into a 4-bit model, because the sum is rounded to 4 bits again, which loses nearly everything
learnt. Measured with SmolLM2-135M: a loss of 0.55 with the adapter, 2.75 after such a merge, 2.79 without training.
"""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from finetune_flows.training.checks import PROBES, answer_loss
from finetune_flows.training.model import load_base
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.task import Task

Way = Literal["reload", "dequantize"]
Measure = Callable[[PreTrainedModel, Sequence[Any], int], tuple[float, list[torch.Tensor]]]


@dataclass(frozen=True)
class Source:
    """What to merge, and how to load it."""

    base: Path
    adapter: Path
    dtype: str
    four_bit: bool
    """Whether the adapter was trained on a 4-bit base."""
    device: str
    attention: str = "sdpa"
    """The attention implementation of the training: some models run with no other, and others answer differently."""
    trust_remote_code: bool = False
    task: Task | None = None
    """The task of a classifier; None: a language model."""


@dataclass(frozen=True)
class Merged:
    """A merged model, and the answers of the model before the merge."""

    model: PreTrainedModel
    way: Way
    because: str
    losses: dict[Way, float]
    """Loss of each way that was tried, in nats per token of the answers, or per text for a classifier."""
    references: list[torch.Tensor]
    """Logits of the unmerged model for the first PROBES rows."""


def with_adapter(source: Source, way: Way) -> Any:
    """The base model with the adapter attached, on the kind of weights that `way` merges into."""
    from peft import PeftModel

    base = load_base(
        source.base,
        source.dtype,
        four_bit=way == "dequantize",
        attention=source.attention,
        device_map={"": source.device},
        trust_remote_code=source.trust_remote_code,
        task=source.task,
    )
    return PeftModel.from_pretrained(base, source.adapter).eval()


def merge(source: Source, wanted: str, rows: Sequence[Any], can_judge: bool, measure: Measure = answer_loss) -> Merged:
    """Merge the adapter into the base model.

    Losses are measured before merging, because merging changes them only by rounding (checks.check_agreement checks that).

    Args:
        wanted: the setting `merge`. With auto, the way with the lower loss on `rows` wins.
        can_judge: whether `rows` are validation rows; otherwise auto cannot compare.
        measure: returns the loss of a model on rows, and its logits for a number of the first rows.
    """
    ways, because = _candidates(source, wanted, can_judge)
    asked = rows if len(ways) > 1 else rows[:PROBES]
    adapted: Any = None
    tried: dict[Way, tuple[float, list[torch.Tensor]]] = {}
    for way in ways:
        adapted = None  # free the model first: a GPU may not hold two
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
    """Add the adapter to the weights of its model. 4-bit weights are de-quantised first."""
    from peft import PeftModel

    if way == "dequantize":
        adapted = PeftModel.from_pretrained(_own_layers(adapted.unload().dequantize()), adapter)
    # safe_merge makes PEFT refuse weights that are not numbers.
    merged: PreTrainedModel = adapted.merge_and_unload(safe_merge=True)
    return merged.eval()


def _own_layers(model: PreTrainedModel) -> PreTrainedModel:
    """The de-quantised model with the layers of its family. Those of GPT-2 keep a weight as [in, out], linear ones transposed.

    Quantising replaces them with linear layers, and de-quantising leaves these, whose weights nothing could load.
    """
    with torch.device("meta"):
        plain = type(model)(model.config)
    for path, layer in plain.named_modules():
        if isinstance(layer, Conv1D):
            linear: Any = model.get_submodule(path)
            own = Conv1D(layer.nf, layer.nx)
            own.weight.data, own.bias.data = linear.weight.data.T.contiguous(), linear.bias.data
            model.set_submodule(path, own)
    return model


def _candidates(source: Source, wanted: str, can_judge: bool) -> tuple[list[Way], str]:
    if not source.four_bit:
        if wanted == "dequantize":
            raise TrainingProblem(
                "merge: dequantize is for qlora, but this base model was not quantised. Use auto or reload"
            )
        return ["reload"], "the base was not quantised"
    if wanted == "reload":
        return ["reload"], "the settings say so"
    if wanted == "dequantize":
        return ["dequantize"], "the settings say so"
    if not can_judge:
        return ["dequantize"], "there are no validation rows to compare by, and these are the weights it was trained on"
    return ["reload", "dequantize"], "its loss on validation rows is the lower one"
