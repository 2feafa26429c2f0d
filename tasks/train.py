"""Train: run one job on the recipe's platform, or attach to it if it runs already, and put its model into the store."""

import json
import logging
import math
import shutil
from datetime import UTC, datetime, timedelta

from prefect import task
from prefect.concurrency.sync import concurrency
from prefect.runtime import flow_run

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.artifacts.store import Store, parents_of, verify
from finetune_flows.tasks.base.errors import JobFailed, RecipeError
from finetune_flows.tasks.base.files import link_or_copy
from finetune_flows.tasks.base.values import step_key
from finetune_flows.tasks.caching import cached_by
from finetune_flows.tasks.platforms import platform_of
from finetune_flows.tasks.platforms.attempts import remove_attempts, run_job
from finetune_flows.tasks.platforms.contract import Labels, TrainingJob
from finetune_flows.tasks.progress import Update, log, progress
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.reporting.watching import tell_watchers
from finetune_flows.tasks.retrying import RETRIES

TRAINING_VERSION = 1
ADAPTER = "adapter"
"""Folder of the adapter inside a model, and the channel by which a job gets an adapter to continue from."""
TRAINING_LIMIT = "finetune-training"
"""Name of the Prefect concurrency limit on training jobs. It applies where `finetune setup prefect` created it."""
job_log = logging.getLogger("finetune.job")


def training_key(recipe: Recipe, base: Reference, dataset: Reference, start: Reference | None = None) -> str:
    """Key of the model. It leaves out the platform and the settings that do not change the model."""
    settings = recipe.training.model_dump(mode="json", exclude=set(recipe.training.WITHOUT_EFFECT))
    return step_key("train", TRAINING_VERSION, settings, _made_from(base, dataset, start))


def _made_from(base: Reference, dataset: Reference, start: Reference | None) -> list[str]:
    return [each.digest for each in (base, dataset, start) if each]


# Call it directly, never with .submit: a wait in a thread would not receive the signals that cancel it (Prefect 3.8).
@task(name="train-model", **cached_by(training_key), **RETRIES)
def train_model(recipe: Recipe, base: Reference, dataset: Reference, start: Reference | None = None) -> Reference:
    """The fine-tuned model: merged weights, adapter, training.json and probes.

    `start`: the model from whose adapter training continues; by default training creates a new adapter.

    Raises:
        JobFailed: the training program failed; the message holds its error.
    """
    store, key = Store(), training_key(recipe, base, dataset, start)
    found = store.find("model", key)
    if found is not None:
        return found
    platform = platform_of(recipe.platform)
    job = training_job(recipe, base, dataset, key)
    if start is not None:
        job.channels[ADAPTER] = start.path / ADAPTER
    # Not strict: on a server without this limit there is nothing to wait for.
    with concurrency(TRAINING_LIMIT), progress("train", "training-progress") as update:
        try:
            name = run_job(platform, job, lambda line: _read_line(line, update), log.info)
        except JobFailed:
            found = store.find("model", key)
            if found is None:
                raise
            return found  # another run of the recipe followed the same job, stored its model and removed the job
    with store.write("model", key) as draft:
        draft.parents += _made_from(base, dataset, start)
        # Linked, not moved: a run that is killed here leaves the job complete, and the next one uses its model.
        shutil.copytree(platform.job_output(name), draft.path, copy_function=link_or_copy, dirs_exist_ok=True)
    remove_attempts(platform, job.name)
    return store.require("model", key)


def check_start(recipe: Recipe, base: Reference, start: Reference) -> None:
    """Checks, before anything is paid for, that training can continue from a model's adapter.

    Raises:
        RecipeError: the model has no adapter, or one for another base model, or one of another shape than the recipe's.
        ArtifactDamaged: the model is gone or was changed.
    """
    verify(start)
    name, file = start.digest[:8], start.path / ADAPTER / "adapter_config.json"
    if recipe.training.method == "full":
        raise RecipeError("continue", ["training.method is full, but training can only continue from an adapter"])
    if not file.exists():
        raise RecipeError("continue", [f"model {name} has no adapter: it was trained with training.method: full"])
    if base.digest not in parents_of(start):
        raise RecipeError("continue", [f"the adapter of model {name} is for another base model than the recipe's"])
    differing = recipe.training.differing_from(json.loads(file.read_text(encoding="utf-8")))
    if differing:
        raise RecipeError("continue", [f"the adapter of model {name}: {words}" for words in differing])


def training_job(recipe: Recipe, base: Reference, dataset: Reference, key: str) -> TrainingJob:
    """The job for the platform. The platform adds the number of the attempt to its name."""
    seconds = recipe.platform.max_runtime_hours * 3600
    name = f"{recipe.name}-{key[:12]}"
    return TrainingJob(
        name=name,
        hyperparameters=recipe.training.to_hyperparameters(),
        channels={"model": base.path, "dataset": dataset.path},
        checkpoints=name,
        max_runtime_seconds=seconds,
        labels=labels(recipe, key, timedelta(seconds=seconds) + timedelta(days=7)),
    )


def labels(recipe: Recipe, key: str, lifetime: timedelta) -> Labels:
    """The labels of a job or endpoint of this flow run."""
    expires_at = (datetime.now(UTC) + lifetime).replace(microsecond=0)
    return Labels(recipe=recipe.name, step_key=key, flow_run=str(flow_run.get_id() or "none"), expires_at=expires_at)


def _read_line(line: str, update: Update) -> None:
    """Logs a line of the job; a progress line also moves the progress bar, and goes to those who watch the run."""
    if line.strip():
        job_log.info(line)
    step = parse_step(line)
    if step:
        left = float(step.get("seconds_left", 0))
        words = [f"step {step['step']}/{step['steps']}", f"loss {step['loss']}"]
        words.append(f"{step.get('tokens_per_second', '?')} tokens/s")
        if "gpu_memory_mib" in step:
            words.append(f"{float(step['gpu_memory_mib']) / 1024:.1f} GiB on the GPU")
        tell_watchers(step)
        update(float(step["step"]), float(step["steps"]), "  ".join([*words, f"{left / 60:.1f} min left"]))


def parse_step(line: str) -> dict[str, str] | None:
    """The fields of a progress line of the training program, `step=3 steps=40 loss=1.2 ...`; None for any other line."""
    if not line.startswith("step="):
        return None
    fields = dict(part.split("=", 1) for part in line.split() if "=" in part)
    numbers = [fields.get(name, "0") for name in ("seconds_left", "gpu_memory_mib")]
    complete = {"step", "steps", "loss"} <= fields.keys()
    return fields if complete and all(map(_is_number, [fields["step"], fields["steps"], *numbers])) else None


def _is_number(text: str) -> bool:
    """Whether a line was written as a whole: a program that is killed leaves half of one."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
