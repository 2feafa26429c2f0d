"""Resolves each `auto` setting for this device, with a reason. `choose` is a pure function, so tests need no GPU."""

import importlib.util
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.settings import TrainingSettings
from finetune_flows.training.task import Task

T = TypeVar("T")
LANGUAGE_MODEL = Task()
ATTENTIONS = frozenset({"flash_attention_2", "sdpa", "eager"})


@dataclass(frozen=True)
class Device:
    """The properties of the machine that the choices depend on."""

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


def choose(
    settings: TrainingSettings,
    device: Device,
    task: Task = LANGUAGE_MODEL,
    attentions: frozenset[str] = ATTENTIONS,
) -> Choices:
    """Resolve every `auto`. Raises TrainingProblem for settings that the device or the model cannot fulfil.

    Args:
        attentions: the attention implementations that the model's family has.
    """
    if settings.dtype == "float16" and device.kind == "cpu":
        raise TrainingProblem("dtype: float16 cannot be trained on a CPU. Use auto or float32")
    if settings.sharding == "fsdp" and device.kind == "cpu":
        raise TrainingProblem("sharding: fsdp needs GPUs, because accelerate ignores it on CPUs. Use sharding: none")
    if device.kind == "cuda" and settings.processes > device.count:
        raise TrainingProblem(
            f"processes: {settings.processes} processes need as many GPUs, but there are {device.count}"
        )
    _refuse_for_task(settings, task)
    dtype = _given(settings.dtype) or _dtype(device)
    flash = device.kind == "cuda" and device.flash_attention and dtype.value != "float32"
    if settings.attention == "flash_attention_2" and not flash:
        raise TrainingProblem("attention: flash_attention_2 needs a GPU, the flash_attn package and a 16-bit dtype")
    if settings.attention not in attentions | {"auto"}:
        raise TrainingProblem(
            f"attention: this model has no {settings.attention}. Use auto, or one of {', '.join(sorted(attentions))}"
        )
    return Choices(
        dtype=dtype,
        attention=_given(settings.attention) or _attention(flash and not task.is_classifier, attentions),
        gradient_checkpointing=_checkpointing(settings, device),
        batching=_given(settings.batching) or _batching(device, task),
    )


def _refuse_for_task(settings: TrainingSettings, task: Task) -> None:
    if task.is_classifier and settings.batching == "packing":
        raise TrainingProblem("batching: packing is for language models. Use length_grouping or random")
    if task.is_classifier and settings.merge == "none" and settings.method != "full":
        raise TrainingProblem("merge: none leaves an adapter, and no server here can classify with one. Use auto")
    if not task.is_classifier and settings.best_by != "loss":
        raise TrainingProblem(f"best_by: {settings.best_by} is for classifiers. Use loss for a language model")


def _given(setting: str) -> Choice[str] | None:
    return None if setting == "auto" else Choice(setting, "the settings say so")


def _dtype(device: Device) -> Choice[str]:
    if device.kind == "cpu":
        # Measured on two AVX-512 cores without AMX: 146 tokens/s in float32, 99 in bfloat16.
        return Choice("float32", "it trains fastest on CPUs without matrix units")
    if device.bfloat16:
        return Choice("bfloat16", f"{device.name} computes in it")
    return Choice("float16", f"{device.name} has no bfloat16")


def check_reporting(where: str) -> None:
    """Raise TrainingProblem when the package for the training curves is not installed."""
    packages = {"tensorboard": ("tensorboard", "tensorboardX")}.get(where, (where,))
    if where != "none" and not any(importlib.util.find_spec(package) for package in packages):
        raise TrainingProblem(
            f"report_to: the package {packages[-1]} is not installed where training runs. Install it or set report_to: none"
        )


def _attention(flash: bool, attentions: frozenset[str]) -> Choice[str]:
    if flash and "flash_attention_2" in attentions:
        return Choice("flash_attention_2", "flash_attn is installed")
    if "sdpa" not in attentions:
        return Choice("eager", "this model has no faster attention")
    return Choice("sdpa", "PyTorch's own attention runs everywhere")


def _checkpointing(settings: TrainingSettings, device: Device) -> Choice[bool]:
    if settings.gradient_checkpointing != "auto":
        return Choice(settings.gradient_checkpointing == "on", "the settings say so")
    if device.kind == "cuda":
        return Choice(True, "GPU memory is scarcer than computing")
    return Choice(False, "on a CPU it only costs time")  # 38 % more CPU seconds, as measured with SmolLM2-135M


def _batching(device: Device, task: Task) -> Choice[str]:
    if task.is_classifier:
        return Choice("length_grouping", "it saves padding; a classifier reads each text for itself")
    if device.kind == "cuda":
        return Choice("packing", "a GPU is fastest with full rows; position ids keep the samples apart")
    # Measured on two cores: 160 tokens/s grouped by length, 130 to 139 packed.
    return Choice("length_grouping", "it saves padding; a packed row costs a CPU a dense attention mask")
