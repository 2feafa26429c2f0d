"""A training job before its model is loaded: folders, settings, device, rows and tokenizer."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from transformers import PreTrainedTokenizerBase

from finetune_flows.training.adapter import adapter_digest, check_start
from finetune_flows.training.choices import Choices, Device, check_reporting, choose, this_device
from finetune_flows.training.classifier_data import read_labelled
from finetune_flows.training.contract import Folders
from finetune_flows.training.data import Rows, read_rows
from finetune_flows.training.families import attentions, check_head, read_config
from finetune_flows.training.model import load_plain_tokenizer, load_tokenizer
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.settings import TrainingSettings
from finetune_flows.training.task import Task, read_task


@dataclass(frozen=True)
class Job:
    """Everything that a job knows before it loads the model."""

    folders: Folders
    settings: TrainingSettings
    device: Device
    choices: Choices
    task: Task
    tokenizer: PreTrainedTokenizerBase
    train: Rows
    validation: Rows | None

    @property
    def identity(self) -> dict[str, Any]:
        """What must not change between a checkpoint and the run that resumes from it."""
        rows = hashlib.sha256("\n".join(self.train.identities).encode()).hexdigest()
        return {
            "settings": self.settings.model_dump(exclude=set(self.settings.WITHOUT_EFFECT)),
            "rows": rows,
            "task": self.task.model_dump(mode="json"),
        } | ({"start": adapter_digest(self.folders.start)} if self.folders.start else {})

    @property
    def four_bit(self) -> bool:
        """Whether the base model is quantised during training."""
        return self.settings.method == "qlora"

    @property
    def has_adapter(self) -> bool:
        """Whether the job trains an adapter and leaves the base model unchanged."""
        return self.settings.method != "full"

    @property
    def training_dtype(self) -> str:
        """Number type of the weights. Full fine-tuning uses float32: in 16 bits, small updates would be lost to rounding."""
        return self.choices.dtype.value if self.has_adapter else "float32"

    @property
    def probed(self) -> Rows:
        """The rows that check the finished model."""
        return self.validation or self.train


def prepare(folders: Folders, settings: TrainingSettings) -> Job:
    """Read and check the input before the model is loaded. Raises TrainingProblem for problems that the user can fix."""
    device, task = this_device(), read_task(folders.dataset)
    if folders.start:
        check_start(folders.start, settings)
    check_reporting(settings.report_to)
    read: Callable[[str], Rows | None]
    if task.is_classifier:
        tokenizer = load_plain_tokenizer(folders.base, settings.trust_remote_code)
        read = partial(read_labelled, folders.dataset, tokenizer=tokenizer, task=task, max_length=settings.max_length)
    else:
        tokenizer = load_tokenizer(folders.base, settings.trust_remote_code)
        read = partial(read_rows, folders.dataset, tokenizer=tokenizer, max_length=settings.max_length)
    config = read_config(folders.base, settings.trust_remote_code)
    check_head(config, task.head)
    choices = choose(settings, device, task, attentions(config, task.head))
    train = read("train")
    if train is None:
        raise TrainingProblem(f"{folders.dataset}/train.parquet is missing or empty. Put the training rows there")
    return Job(folders, settings, device, choices, task, tokenizer, train, validation=read("validation"))
