"""What every trainer of a job adds to the library's: complete checkpoints, an order of rows that survives a restart,
keeping the best weights, stopping early, and no progress bars.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import Sampler
from transformers import PrinterCallback, Trainer, TrainerState
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_pt_utils import get_length_grouped_indices

from finetune_flows.training import checkpoints
from finetune_flows.training.job import Job
from finetune_flows.training.progress import ProgressLines, StopAfterStep, StopEarly, validation_score
from finetune_flows.training.settings import TrainingSettings
from finetune_flows.training.stopping import StopRequest

KEPT_CHECKPOINTS = 2  # if the copy of the newest one is damaged, training resumes from the one before
LOGGED_STEPS = 100  # about as many log lines per run; runs of fewer than 200 steps log every step


class EpochOrder(Sampler[int]):
    """An order of rows that depends only on the seed and the epoch, so that a resumed run continues with the next row.

    Transformers' own length grouping uses the global generator, whose state at the start of an epoch is lost on a restart.
    """

    def __init__(self, rows: int, seed: int, epoch: Callable[[], int], lengths: list[int] | None, batch: int) -> None:
        self.rows = rows
        self.seed = seed
        self.epoch = epoch
        self.lengths = lengths
        self.batch = batch

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch())
        if self.lengths is not None:
            return iter(get_length_grouped_indices(self.lengths, self.batch, generator=generator))
        return iter(torch.randperm(self.rows, generator=generator).tolist())


class JobMethods(Trainer):
    """The methods that a job's trainers share. Use it alone, or before a library's trainer among the base classes."""

    def __init__(
        self,
        *args: Any,
        progress: ProgressLines,
        stop: StopRequest,
        identity: dict[str, Any],
        settings: TrainingSettings,
        group_lengths: bool,
        **rest: Any,
    ) -> None:
        early = [StopEarly(settings.best_by, settings.patience)] if settings.patience else []
        self.stops_early = early[0].is_due if early else lambda state: False
        super().__init__(*args, callbacks=[progress, StopAfterStep(stop), *early], **rest)
        self.remove_callback(PrinterCallback)
        self.progress = progress
        self.identity = identity
        self.group_lengths = group_lengths
        self.keep_best = settings.keep == "best"
        self.best_by = settings.best_by

    @property
    def folder(self) -> Path:
        """Where the checkpoints are."""
        return Path(self.args.output_dir)

    @property
    def rows_per_update(self) -> int:
        """Rows of one optimizer step, over all processes."""
        return int(self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size)

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        rows = train_dataset if train_dataset is not None else self.train_dataset
        lengths = [len(ids) for ids in rows["input_ids"]] if self.group_lengths else None
        return EpochOrder(len(rows), self.args.seed, lambda: int(self.state.epoch or 0), lengths, self.rows_per_update)

    def _get_output_dir(self, trial: Any) -> str:
        return str(self.folder / checkpoints.WRITING)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        with self._written_whole(checkpoints.STATE, KEPT_CHECKPOINTS):
            Trainer._save_checkpoint(self, model, trial)  # not TRL's, which writes a model card each time

    def was_over_at(self, checkpoint: Path) -> bool:
        """Whether the training had ended at `checkpoint`: at its last step, or early. The trainer then gets its state.

        Training on from there would take steps that a run without an interruption does not take.
        """
        state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        if state.global_step < self.args.max_steps and not self.stops_early(state):
            return False
        self.state = state
        self.progress.on_train_begin(self.args, state, self.control)
        return True

    def evaluate(self, *args: Any, **rest: Any) -> dict[str, float]:
        """Validation loss and scores. Keeps the weights when they are the best so far."""
        # A separate random state: one validation more or less must not change the trained weights.
        with torch.random.fork_rng(devices=[]):
            metrics: dict[str, float] = super().evaluate(*args, **rest)
        *before, newest = self._scores()
        if self.keep_best and newest >= max(before, default=newest):
            with self._written_whole(checkpoints.BEST, keep=1) as folder:
                self.save_model(str(folder), _internal_call=True)
        return metrics

    def _scores(self) -> list[float]:
        scores = (validation_score(entry, self.best_by) for entry in self.state.log_history)
        return [score for score in scores if score is not None]

    @contextmanager
    def _written_whole(self, kind: str, keep: int) -> Iterator[Path]:
        folder = self.folder / f"{kind}-{self.state.global_step}"
        with checkpoints.written_whole(folder, self.identity, self.args.should_save) as temporary:
            yield temporary
        if self.args.should_save:
            checkpoints.drop_old(self.folder, kind, keep)


def job_options(job: Job, stop: StopRequest) -> dict[str, Any]:
    """The arguments of JobMethods."""
    return {
        "progress": ProgressLines(),
        "stop": stop,
        "identity": job.identity,
        "settings": job.settings,
        "group_lengths": job.choices.batching.value == "length_grouping",
    }


def common_arguments(job: Job) -> dict[str, Any]:
    """The TrainingArguments that language models and classifiers share."""
    settings, choices, device = job.settings, job.choices, job.device
    constant = settings.schedule == "constant" and settings.warmup > 0
    return {
        "output_dir": str(job.folders.checkpoints),
        "per_device_train_batch_size": settings.batch_size,
        "per_device_eval_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "constant_with_warmup" if constant else settings.schedule,
        "warmup_steps": settings.warmup,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "seed": settings.seed,
        # TRL's default is bfloat16 autocast, on a CPU too, where it was measured to cost 57 % more CPU time.
        "bf16": choices.dtype.value == "bfloat16",
        "fp16": choices.dtype.value == "float16",
        "activation_checkpointing": choices.gradient_checkpointing.value,
        "use_cpu": device.kind == "cpu",
        "dataloader_pin_memory": device.kind == "cuda",
        "eval_strategy": "steps" if job.validation else "no",
        "save_steps": settings.checkpoint_every,
        "include_num_input_tokens_seen": "non_padding",
        # The filter would replace a loss that is not a number; ProgressLines ends the training at it instead.
        "logging_nan_inf_filter": False,
        "report_to": settings.report_to,
        # The carriage returns of progress bars would break the lines that the platform reads metrics from.
        "disable_tqdm": True,
        "ddp_find_unused_parameters": False,
        **_sharding(settings),
    }


def _sharding(settings: TrainingSettings) -> dict[str, Any]:
    """FSDP 2 spreads the weights of each layer over the processes. Checkpoints hold the complete weights.

    It has been tested with two processes on CPUs (tests/training/fsdp_worker.py), and not yet on GPUs.
    """
    if settings.sharding == "none":
        return {}
    return {"fsdp": True, "fsdp_config": {"version": 2, "state_dict_type": "FULL_STATE_DICT"}}


def set_steps(trainer: JobMethods, settings: TrainingSettings) -> None:
    """Set the number of steps, once the trainer has its rows. TRL packs rows, so it is not known before."""
    each_epoch = math.ceil(len(trainer.train_dataset) / trainer.rows_per_update)
    steps = math.ceil(settings.epochs * each_epoch)
    steps = min(steps, settings.max_steps) if settings.max_steps else steps
    trainer.args.max_steps = steps
    trainer.args.eval_steps = settings.validation_every or each_epoch
    trainer.args.logging_steps = max(1, steps // LOGGED_STEPS)
