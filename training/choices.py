"""What `auto` means on this device, with the reason for each choice. A pure function: no GPU is needed to test it."""

import importlib.util
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.settings import TrainingSettings
from finetune_flows.training.task import Task

T = TypeVar("T")
LANGUAGE_MODEL = Task()


@dataclass(frozen=True)
class Device:
    """What is known about the machine."""

    kind: str
    """cpu or cuda."""
    name: str
    bfloat16: bool
    """Whether it computes in bfloat16 at full speed."""
    flash_attention: bool
    """Whether the flash_attn package is installed."""
    count: int = 1
    """Number of GPUs."""


@dataclass(frozen=True)
class Choice(Generic[T]):
    """One resolved setting."""

    value: T
    because: str


@dataclass(frozen=True)
class Choices:
    """All settings that depend on the device."""

    dtype: Choice[str]
    attention: Choice[str]
    gradient_checkpointing: Choice[bool]
    batching: Choice[str]

    def lines(self) -> list[str]:
        """One line for each choice, for the log."""
        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        return [f"chosen {name}={choice.value} because {choice.because}" for name, choice in chosen.items()]


def this_device() -> Device:
    """The GPU of this process, or the CPU."""
    import torch

    if not torch.cuda.is_available():
        return Device("cpu", f"{torch.get_num_threads()} CPU threads", bfloat16=False, flash_attention=False)
    return Device(
        kind="cuda",
        name=torch.cuda.get_device_name(),
        bfloat16=torch.cuda.is_bf16_supported(including_emulation=False),
        flash_attention=importlib.util.find_spec("flash_attn") is not None,
        count=torch.cuda.device_count(),
    )


def choose(settings: TrainingSettings, device: Device, task: Task = LANGUAGE_MODEL) -> Choices:
    """Resolve every `auto`. Raises TrainingProblem for what the device cannot do."""
    if settings.dtype == "float16" and device.kind == "cpu":
        raise TrainingProblem("dtype: float16 cannot be trained on a CPU; use auto or float32")
    if settings.sharding == "fsdp" and device.kind == "cpu":
        raise TrainingProblem("sharding: fsdp needs GPUs: accelerate ignores it on CPUs. Use sharding: none")
    if device.kind == "cuda" and settings.processes > device.count:
        raise TrainingProblem(f"processes: {settings.processes} need as many GPUs, and there are {device.count}")
    _refuse_for_head(settings, task)
    dtype = _given(settings.dtype) or _dtype(device)
    flash = device.kind == "cuda" and device.flash_attention and dtype.value != "float32"
    if settings.attention == "flash_attention_2" and not flash:
        raise TrainingProblem("attention: flash_attention_2 needs a GPU, the flash_attn package and a 16-bit dtype")
    return Choices(
        dtype=dtype,
        attention=_given(settings.attention) or _attention(flash and not task.is_classifier),
        gradient_checkpointing=_checkpointing(settings, device),
        batching=_given(settings.batching) or _batching(device, task),
    )


def _refuse_for_head(settings: TrainingSettings, task: Task) -> None:
    if task.is_classifier and settings.batching == "packing":
        raise TrainingProblem("batching: packing is for language models; use length_grouping or random")
    if task.is_classifier and settings.merge == "none" and settings.method != "full":
        raise TrainingProblem("merge: none leaves an adapter that no server here can classify with; use auto")
    if not task.is_classifier and settings.best_by != "loss":
        raise TrainingProblem(f"best_by: {settings.best_by} is for classifiers; a language model has only its loss")


def _given(setting: str) -> Choice[str] | None:
    return None if setting == "auto" else Choice(setting, "the settings say so")


def _dtype(device: Device) -> Choice[str]:
    if device.kind == "cpu":
        return Choice("float32", "it trains fastest on CPUs without matrix units")
    if device.bfloat16:
        return Choice("bfloat16", f"{device.name} computes in it")
    return Choice("float16", f"{device.name} has no bfloat16")


def check_reporting(where: str) -> None:
    """Raises TrainingProblem where the trainer's curves cannot go."""
    packages = {"tensorboard": ("tensorboard", "tensorboardX")}.get(where, (where,))
    if where != "none" and not any(importlib.util.find_spec(package) for package in packages):
        raise TrainingProblem(f"report_to: the package {packages[-1]} is not installed where the training runs")


def _attention(flash: bool) -> Choice[str]:
    if flash:
        return Choice("flash_attention_2", "flash_attn is installed")
    return Choice("sdpa", "PyTorch's own attention runs everywhere")


def _checkpointing(settings: TrainingSettings, device: Device) -> Choice[bool]:
    if settings.gradient_checkpointing != "auto":
        return Choice(settings.gradient_checkpointing == "on", "the settings say so")
    if device.kind == "cuda":
        return Choice(True, "GPU memory is scarcer than computing")
    return Choice(False, "on a CPU it only costs time")


def _batching(device: Device, task: Task) -> Choice[str]:
    if task.is_classifier:
        return Choice("length_grouping", "it saves padding; a classifier reads each text for itself")
    if device.kind == "cuda":
        return Choice("packing", "a GPU is fastest with full rows; position ids keep the samples apart")
    return Choice("length_grouping", "it saves padding; a packed row costs a CPU a dense attention mask")
