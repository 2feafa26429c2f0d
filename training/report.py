"""Writes training.json with all measurements. It is written last: a model without it is incomplete."""

import hashlib
import importlib.metadata
import json
import platform
import resource
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from finetune_flows.training.adapter import adapter_digest
from finetune_flows.training.job import Job
from finetune_flows.training.progress import SCORES, VALIDATION

if TYPE_CHECKING:
    from finetune_flows.training.trainer_base import JobMethods

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes")


def training_facts(trainer: "JobMethods", resumed: Path | None) -> dict[str, Any]:
    """The measurements of the trainer. Losses and tokens cover the whole run, even if it was resumed."""
    history = trainer.state.log_history
    parameters = list(trainer.model.parameters())
    return {
        "steps": trainer.state.global_step,
        "epochs": trainer.state.epoch,
        "resumed_from_step": int(resumed.name.rpartition("-")[2]) if resumed else None,
        "trainable_parameters": sum(each.numel() for each in parameters if each.requires_grad),
        "tokens_trained": trainer.state.num_input_tokens_seen,
        "tokens_per_second": round(trainer.progress.tokens_per_second(trainer.state), 1),
        "losses": [
            {key: entry[key] for key in ("step", "loss", "learning_rate", "grad_norm") if key in entry}
            for entry in history
            if "loss" in entry
        ],
        "validation_losses": [
            {"step": entry["step"], "loss": entry[VALIDATION]}
            | {name.removeprefix("validation_"): entry[theirs] for name, theirs in SCORES.items() if theirs in entry}
            for entry in history
            if VALIDATION in entry
        ],
    }


def write(job: Job, facts: dict[str, Any], seconds: dict[str, float]) -> None:
    """Write training.json atomically."""
    report = {
        "settings": job.settings.model_dump(),
        "choices": asdict(job.choices),
        "device": asdict(job.device),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in LIBRARIES},
        "went_on_from_adapter": adapter_digest(job.folders.start) if job.folders.start else None,
        "rows": {"train": len(job.train), "validation": len(job.validation) if job.validation else 0},
        **facts,
        "weights": _digests(job.folders.model),
        "seconds": seconds,
        "peak_memory_mib": _peak_memory(),
    }
    temporary = job.folders.report.with_suffix(".writing")
    temporary.write_text(json.dumps(report, indent=2), encoding="utf-8")
    temporary.rename(job.folders.report)


def _digests(folder: Path) -> dict[str, str]:
    """sha256 (hex) of each file of weights. A copy in another place can be compared with it."""
    digests = {}
    for path in sorted(folder.rglob("*.safetensors")):
        with path.open("rb") as file:
            digests[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def _peak_memory() -> dict[str, int]:
    peak = {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    if torch.cuda.is_available():
        peak["gpu"] = torch.cuda.max_memory_allocated() // 2**20
    return peak
