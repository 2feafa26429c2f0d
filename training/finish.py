"""Turns trained weights into a model that can be served: merges them, saves the model, and checks the saved files."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune_flows.training import checks, portable
from finetune_flows.training.clock import Clock
from finetune_flows.training.data import stop_tokens
from finetune_flows.training.families import read_config
from finetune_flows.training.job import Job
from finetune_flows.training.masks import without_flags
from finetune_flows.training.merge import Source, merge, with_adapter
from finetune_flows.training.model import load_base, load_tokenizer
from finetune_flows.training.portability import check_prompts_elsewhere

JUDGES = {"cpu": 8, "cuda": 64}
"""Number of validation rows that decide how to merge. They take a few seconds on either device."""
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def finish(job: Job, trained: Path, clock: Clock) -> dict[str, Any]:
    """Create the model from the checkpoint `trained`. Returns how it was merged and the results of the checks.

    Raises TrainingProblem when the saved model differs from the trained one.
    """
    clear(job)
    if job.has_adapter:
        keep_adapter(job, trained)
    rows = checks.probes(job.probed, JUDGES[job.device.kind])
    asked = rows[: checks.PROBES]
    if job.has_adapter and job.settings.merge == "none":
        return _leave_unmerged(job, asked, clock)
    with clock.phase("merge"):
        references, merged = _merge_and_save(job, trained, rows)
    with clock.phase("check"):
        model = _load(job, job.folders.merged, job.choices.dtype.value)
        tokenizer = load_tokenizer(job.folders.merged, job.settings.trust_remote_code)
        checked = {
            "agreement": checks.check_agreement(model, asked, references, job.choices.dtype.value),
            "files": checks.check_files(job.folders.merged),
            **_ask(job, model, tokenizer, asked),
            "readers": check_prompts_elsewhere(job, asked),
        }
    return {"merge": merged, "checks": checked}


def keep_adapter(job: Job, trained: Path) -> None:
    """Copy the adapter of a checkpoint into the model's folder."""
    job.folders.adapter.mkdir()
    for name in ADAPTER_FILES:
        shutil.copy(trained / name, job.folders.adapter)


def clear(job: Job) -> None:
    """Delete the results of an earlier attempt."""
    # The report goes first: its presence says that the rest is complete.
    job.folders.model.mkdir(parents=True, exist_ok=True)
    job.folders.report.unlink(missing_ok=True)
    for folder in (job.folders.merged, job.folders.adapter):
        shutil.rmtree(folder, ignore_errors=True)


def _leave_unmerged(job: Job, asked: Sequence[checks.Probe], clock: Clock) -> dict[str, Any]:
    portable.save_tokenizer(job.tokenizer, job.folders.adapter)
    with clock.phase("check"):
        model = with_adapter(_source(job), "dequantize" if job.four_bit else "reload")
        checked = _ask(job, model, job.tokenizer, asked)
    return {"merge": {"way": "none", "because": "the settings say so"}, "checks": checked}


def _source(job: Job) -> Source:
    return Source(
        base=job.folders.base,
        adapter=job.folders.adapter,
        dtype=job.choices.dtype.value,
        four_bit=job.four_bit,
        device=job.device.kind,
        attention=job.choices.attention.value,
        trust_remote_code=job.settings.trust_remote_code,
    )


def _merge_and_save(job: Job, trained: Path, rows: Sequence[checks.Probe]) -> tuple[list[torch.Tensor], dict[str, Any]]:
    """Save the merged model. Returns the trained model's logits for the probes, and how it was merged."""
    if job.has_adapter:
        merged = merge(_source(job), job.settings.merge, rows, can_judge=job.validation is not None)
        _save(merged.model, job.tokenizer, job.folders.merged)
        return merged.references, {"way": merged.way, "because": merged.because, "validation_losses": merged.losses}
    # The checkpoint's config has what the trainer switched on for itself, such as the router's scores of a mixture of experts.
    own = read_config(job.folders.base, job.settings.trust_remote_code)
    model = _load(job, trained, job.training_dtype, config=own)
    references = [checks.answer_logits(model, probe) for probe in rows[: checks.PROBES]]
    _save(model.to(getattr(torch, job.choices.dtype.value)), job.tokenizer, job.folders.merged)
    return references, {"way": "none", "because": "all weights were trained"}


def _load(job: Job, folder: Path, dtype: str, **options: Any) -> PreTrainedModel:
    return load_base(
        folder,
        dtype,
        attention=job.choices.attention.value,
        device_map={"": job.device.kind},
        trust_remote_code=job.settings.trust_remote_code,
        **options,
    )


def _save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Save what a server reads, the stop tokens included."""
    model.config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.eos_token_id = sorted(stop_tokens(tokenizer, model.generation_config))
    model.generation_config.pad_token_id = model.config.pad_token_id = tokenizer.pad_token_id
    portable.save(model, tokenizer, folder)


def _ask(
    job: Job, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, asked: Sequence[checks.Probe]
) -> dict[str, Any]:
    """Answer the probes, and save prompts and answers, so that the server can be checked with them."""
    prompts = checks.check_prompts(tokenizer, asked)
    answers = checks.greedy_answers(model, tokenizer, asked)
    stops = stop_tokens(tokenizer, model.generation_config)
    records = [
        {
            "messages": without_flags(probe.messages),
            **({"tools": probe.tools} if probe.tools else {}),
            "prompt_token_ids": probe.prompt,
            "text": tokenizer.decode(ids, skip_special_tokens=True),
        }
        for probe, ids in zip(asked, answers, strict=True)
    ]
    (job.folders.model / "probes.json").write_text(json.dumps(records, indent=2), encoding="utf-8")
    stopped = sum(ids[-1] in stops for ids in answers) / len(answers)
    return {"prompts": prompts, "stopped_share": stopped, "probes": len(records)}
