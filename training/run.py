"""Runs one training job from input to finished model: read, load, train, merge, check."""

import gc
import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from transformers import PreTrainedModel, set_seed

from finetune_flows.training import checkpoints, report
from finetune_flows.training.classifier_finish import finish_classifier
from finetune_flows.training.clock import Clock
from finetune_flows.training.contract import Folders
from finetune_flows.training.finish import finish
from finetune_flows.training.imports import without_collection
from finetune_flows.training.job import Job, prepare
from finetune_flows.training.model import load_base, replaces_head
from finetune_flows.training.settings import TrainingSettings
from finetune_flows.training.stopping import StopRequest


def run(folders: Folders, settings: TrainingSettings, stop: StopRequest) -> None:
    """Train, and write the finished model to `folders.model`.

    Raises TrainingProblem for problems that the user can fix, and Stopped when a stop was requested; a checkpoint then
    holds the progress. With several processes, all train, but only the first one writes and merges.
    """
    clock = Clock(stop)
    with clock.phase("read"):
        job = prepare(folders, settings)
        resumed = checkpoints.resume_point(folders.checkpoints)
        if resumed:
            checkpoints.check_same_run(resumed, job.identity)
    facts = _train(job, resumed, clock)
    if facts is None:
        return
    gc.collect()  # the trainer and its model refer to each other, so only the collector frees them
    torch.cuda.empty_cache()
    kind = checkpoints.BEST if settings.keep == "best" and job.validation else checkpoints.STATE
    trained = checkpoints.latest(folders.checkpoints, kind)
    assert trained is not None, "the trainer saves at the last step"
    finished = finish_classifier(job, trained, clock) if job.task.is_classifier else finish(job, trained, clock)
    report.write(job, {**facts, "weights_from": trained.name, **finished}, clock.seconds)


def _train(job: Job, resumed: Path | None, clock: Clock) -> dict[str, Any] | None:
    """Train to the last step. Returns the measurements in the first process, and None in the others."""
    with clock.phase("load"):
        trainer = _build_trainer(job, clock.stop)
    first = trainer.is_world_process_zero()
    if first:
        print("\n".join(job.choices.lines()), flush=True)
    with clock.phase("train"):
        if not (resumed and trainer.was_over_at(resumed)):
            trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    clock.stop.obey()
    if dist.is_initialized():
        dist.destroy_process_group()
    return report.training_facts(trainer, resumed) if first else None


def _build_trainer(job: Job, stop: StopRequest) -> Any:
    """The trainer with its model."""
    # Imported here, because TRL takes seconds to import: bad input is reported before that.
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(job.folders.curves)
    set_seed(job.settings.seed)  # a new classification head is random
    if job.task.is_classifier:
        with without_collection():
            from finetune_flows.training.classifier_trainer import build_classifier_trainer

        if replaces_head(job.folders.base, job.task, job.settings.trust_remote_code):
            print(f"the base model classifies into other labels: it gets a new head for {', '.join(job.task.labels)}")
        return build_classifier_trainer(job, _load(job), stop)
    with without_collection():
        from finetune_flows.training.trainer import build_trainer

    return build_trainer(job, _load(job), stop)


def _load(job: Job) -> PreTrainedModel:
    """The base model, on the GPU of this process if there is one. With FSDP, each process first holds the whole model."""
    on_gpu = job.device.kind == "cuda" and job.settings.sharding == "none"
    gpu = int(os.environ.get("LOCAL_RANK", 0))
    return load_base(
        job.folders.base,
        job.training_dtype,
        four_bit=job.four_bit,
        sharded=job.settings.sharding == "fsdp",
        attention=job.choices.attention.value,
        device_map={"": gpu} if on_gpu else None,
        trust_remote_code=job.settings.trust_remote_code,
        task=job.task,
    )
