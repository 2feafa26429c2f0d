"""The LoRA adapter: a new one, or one from an earlier training."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from finetune_flows.training.model import HEADS
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.settings import TrainingSettings


def classifier_adapter(settings: TrainingSettings, model: PreTrainedModel) -> Any:
    """PEFT's configuration for a classifier. What is new is trained in full and saved with the adapter: head and pooler."""
    heads = [name for name in HEADS if hasattr(model, name)]
    heads += [part for part in model.new_parts if part.split(".")[0] not in heads]
    config = adapter_config(settings, model, "SEQ_CLS")
    config.modules_to_save = heads
    config.exclude_modules = rf"(.*\.)?({'|'.join(map(re.escape, heads))})(\..*)?"
    return config


def adapter_config(settings: TrainingSettings, model: PreTrainedModel, task_type: str = "CAUSAL_LM") -> Any:
    """PEFT's configuration for the LoRA adapter of these settings. Raises TrainingProblem for layers that cannot have one."""
    from peft import LoraConfig

    names = [name.strip() for name in settings.lora_targets.split(",") if name.strip()]
    if "lm_head" in names:
        raise TrainingProblem(
            "lora_targets must not name lm_head: the loss reads its weight directly and bypasses an adapter"
        )
    _refuse_tied(names, model)
    return LoraConfig(
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules="all-linear" if names == ["all-linear"] else names,
        bias="none",
        task_type=task_type,
    )


def _refuse_tied(names: Sequence[str], model: PreTrainedModel) -> None:
    """An adapter on the embeddings changes what the model reads. Merged, it would change the tied output layer, too."""
    embeddings = model.get_input_embeddings()
    [path] = [path for path, module in model.named_modules() if module is embeddings]
    output = model.get_output_embeddings()
    tied = output is not None and output.weight is embeddings.weight
    named = [name for name in names if path == name or path.endswith(f".{name}")]
    if tied and named:
        raise TrainingProblem(
            f"lora_targets must not name {named[0]}: in this model the output layer shares its weight, which an adapter "
            "would leave out in training and change when it is merged"
        )


def load_adapter(model: PreTrainedModel, folder: Path) -> Any:
    """`model` with the adapter of `folder`, ready for further training."""
    from peft import PeftModel

    return PeftModel.from_pretrained(model, str(folder), is_trainable=True)


def check_start(folder: Path, settings: TrainingSettings) -> None:
    """Raise TrainingProblem when the settings cannot continue from the adapter in `folder`."""
    file = folder / "adapter_config.json"
    if settings.method == "full" or not file.is_file():
        why = "method is full" if settings.method == "full" else f"{folder} holds no adapter"
        raise TrainingProblem(f"training can only continue from an adapter: {why}")
    differing = settings.differing_from(json.loads(file.read_text(encoding="utf-8")))
    if differing:
        raise TrainingProblem(f"the adapter to continue from does not match the settings: {'; '.join(differing)}")


def adapter_digest(folder: Path) -> str:
    """sha256 of the adapter's weights."""
    return hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()
