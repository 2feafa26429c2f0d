"""Turns a trained classifier into one that can be served: merges it, saves it with labels and thresholds, checks the files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers import PreTrainedModel

from finetune_flows.training import portable
from finetune_flows.training.checks import PROBES, check_files
from finetune_flows.training.classifier_data import text_of
from finetune_flows.training.classifier_trainer import f1
from finetune_flows.training.clock import Clock
from finetune_flows.training.compilation import GRAPH, Validation, compile_classifier, graph_logits
from finetune_flows.training.finish import clear, keep_adapter
from finetune_flows.training.job import Job
from finetune_flows.training.merge import Source, merge
from finetune_flows.training.model import load_base, load_plain_tokenizer
from finetune_flows.training.portability import check_texts_elsewhere
from finetune_flows.training.problems import TrainingProblem

BATCH = 32
TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2, "float16": 5e-3}
"""Largest difference of a probability between the saved and the trained model that rounding explains."""
CLASSIFIER = "classifier.json"
"""File next to the weights with what the server needs to know about the task."""


def finish_classifier(job: Job, trained: Path, clock: Clock) -> dict[str, Any]:
    """Create the model from the checkpoint `trained`. Returns how it was merged and the results of the checks.

    Raises TrainingProblem when the saved model differs from the trained one.
    """
    clear(job)
    if job.has_adapter:
        keep_adapter(job, trained)
    rows = list(job.probed.tokens)
    with clock.phase("merge"):
        references, merged = _merge_and_save(job, trained, rows)
    with clock.phase("check"):
        model = _load(job, job.folders.merged, job.choices.dtype.value)
        agreement = _check_agreement(job, model, rows[:PROBES], references)
        thresholds = _thresholds(job, model, rows)
        _write_task(job, thresholds)
        compiled = _compile(job, model, rows, thresholds)
        _write_probes(job, model)
        readers = check_texts_elsewhere(job, [text_of(prompt) for prompt in job.probed.prompts[:PROBES]])
    checked = {
        "agreement": agreement,
        "files": check_files(job.folders.merged),
        "probes": PROBES,
        "readers": readers,
    }
    return {"merge": merged, "checks": checked, "thresholds": thresholds} | compiled


def _merge_and_save(job: Job, trained: Path, rows: Sequence[Any]) -> tuple[list[torch.Tensor], dict[str, Any]]:
    if job.has_adapter:
        source = Source(
            job.folders.base, job.folders.adapter, job.choices.dtype.value, job.four_bit, job.device.kind,
            job.choices.attention.value, job.settings.trust_remote_code, job.task,
        )  # fmt: skip

        def measure(model: PreTrainedModel, asked: Sequence[Any], keep: int) -> tuple[float, list[torch.Tensor]]:
            logits = logits_of(job, model, asked)
            return _loss(job, logits, asked), list(logits[:keep])

        merged = merge(source, job.settings.merge, rows, can_judge=job.validation is not None, measure=measure)
        _save(job, merged.model)
        return merged.references, {"way": merged.way, "because": merged.because, "validation_losses": merged.losses}
    model = _load(job, trained, job.training_dtype)
    references = list(logits_of(job, model, rows[:PROBES]))
    _save(job, model.to(getattr(torch, job.choices.dtype.value)))
    return references, {"way": "none", "because": "all weights were trained"}


def _load(job: Job, folder: Path, dtype: str) -> PreTrainedModel:
    return load_base(
        folder,
        dtype,
        attention=job.choices.attention.value,
        task=job.task,
        device_map={"": job.device.kind},
        trust_remote_code=job.settings.trust_remote_code,
    ).eval()


def _save(job: Job, model: PreTrainedModel) -> None:
    model.config.pad_token_id = job.tokenizer.pad_token_id
    portable.save(model, job.tokenizer, job.folders.merged)


@torch.inference_mode()
def logits_of(job: Job, model: PreTrainedModel, rows: Sequence[Any]) -> torch.Tensor:
    """Logits [rows, labels], float32 on the CPU."""
    found = []
    for start in range(0, len(rows), BATCH):
        ids = [row["input_ids"] for row in rows[start : start + BATCH]]
        padded = job.tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(model.device)
        found.append(model(**padded).logits.float().cpu())
    return torch.cat(found)


def _loss(job: Job, logits: torch.Tensor, rows: Sequence[Any]) -> float:
    labels = torch.tensor([row["labels"] for row in rows])
    loss = binary_cross_entropy_with_logits if job.task.multi_label else cross_entropy
    return float(loss(logits, labels))


def _probabilities(job: Job, logits: torch.Tensor) -> torch.Tensor:
    return logits.sigmoid() if job.task.multi_label else logits.softmax(-1)


def _check_agreement(
    job: Job, model: PreTrainedModel, rows: Sequence[Any], references: Sequence[torch.Tensor]
) -> dict[str, Any]:
    saved = _probabilities(job, logits_of(job, model, rows))
    trained = _probabilities(job, torch.stack(list(references)))
    apart, tolerance = float((saved - trained).abs().max()), TOLERANCE[job.choices.dtype.value]
    if not apart <= tolerance:
        raise TrainingProblem(
            f"The saved model does not answer as the trained one: a probability differs by {apart:.4g}, and rounding in "
            f"{job.choices.dtype.value} explains at most {tolerance:.4g}. Merging or saving damaged its weights."
        )
    return {"largest_difference": apart, "tolerance": tolerance}


def _thresholds(job: Job, model: PreTrainedModel, rows: Sequence[Any]) -> dict[str, float]:
    """The thresholds by label: a label is given from this probability on. They come from the validation rows.

    With several labels per row, every label has a threshold. With one label per row, out of two, only the second label
    (in the order of the task) has one. Out of more than two, the most probable label is given and there is no threshold.
    """
    if job.task.thresholds == "none" or job.validation is None:
        return {}
    probabilities = _probabilities(job, logits_of(job, model, rows)).numpy()
    labels = np.array([row["labels"] for row in rows])
    if job.task.multi_label:
        right = labels > 0.5
        return {
            label: best_threshold(probabilities[:, place], right[:, place])
            for place, label in enumerate(job.task.labels)
        }
    if len(job.task.labels) == 2:
        return {job.task.labels[1]: best_threshold(probabilities[:, 1], labels == 1)}
    return {}


def best_threshold(probabilities: NDArray[Any], right: NDArray[np.bool_]) -> float:
    """The threshold with the highest F1; among equals the one nearest to 0.5; 0.5 when no row has the label."""
    if not right.any():
        return 0.5
    values = np.unique(probabilities)
    # Midpoints between neighbouring probabilities: any other threshold gives the same labels as one of them.
    candidates = np.unique(np.concatenate([[0.5], (values[1:] + values[:-1]) / 2]))
    scores = f1(probabilities[:, None] >= candidates, np.repeat(right[:, None], len(candidates), axis=1))
    best = candidates[scores >= scores.max() - 1e-12]  # equal up to floating-point error
    return float(best[np.abs(best - 0.5).argmin()])


def _compile(job: Job, model: PreTrainedModel, rows: Sequence[Any], thresholds: dict[str, float]) -> dict[str, Any]:
    """Saves the ONNX graph if the settings ask for one. Returns what training.json says about it."""
    if job.settings.compile == "none":
        return {}
    labels = np.array([row["labels"] for row in rows])
    right = labels > 0.5 if job.task.multi_label else labels[:, None] == np.arange(len(job.task.labels))

    def predict(logits: torch.Tensor) -> NDArray[np.bool_]:
        return chosen(job, _probabilities(job, logits).numpy(), thresholds)

    validation = Validation(rows, logits_of(job, model, rows), right, predict)
    way, most = job.settings.compile, job.settings.compile_max_loss
    found = compile_classifier(model, job.tokenizer, job.folders.merged, way, validation, most)
    print(f"compiled {found['way']}: {found['because']}", flush=True)
    return {"compiled": found}


def chosen(job: Job, probabilities: NDArray[Any], thresholds: dict[str, float]) -> NDArray[np.bool_]:
    """The labels that the server gives, as [rows, labels]."""
    labels = job.task.labels
    if job.task.multi_label:
        return np.asarray(probabilities >= [thresholds.get(label, 0.5) for label in labels])
    best = probabilities.argmax(axis=1)
    if len(labels) == 2 and labels[1] in thresholds:
        best = (probabilities[:, 1] >= thresholds[labels[1]]).astype(int)
    return np.asarray(best[:, None] == np.arange(len(labels)))


def _write_task(job: Job, thresholds: dict[str, float]) -> None:
    task = job.task
    content = {
        "labels": task.labels,
        "multi_label": task.multi_label,
        "thresholds": thresholds,
        "cleaning": task.cleaning,
    }
    (job.folders.merged / CLASSIFIER).write_text(json.dumps(content, indent=2), encoding="utf-8")


def _write_probes(job: Job, model: PreTrainedModel) -> None:
    """Write texts with the scores that the server must return for them. If there is a graph, the scores are the graph's."""
    tokenizer = load_plain_tokenizer(job.folders.merged, job.settings.trust_remote_code)
    texts = [text_of(prompt) for prompt in job.probed.prompts[:PROBES]]
    ids = tokenizer(texts)["input_ids"]
    graph = job.folders.merged / GRAPH
    served = (
        graph_logits(graph, tokenizer, ids)
        if graph.exists()
        else logits_of(job, model, [{"input_ids": i} for i in ids])
    )
    records = [
        {"text": text, "scores": dict(zip(job.task.labels, row, strict=True))}
        for text, row in zip(texts, _probabilities(job, served).tolist(), strict=True)
    ]
    (job.folders.model / "probes.json").write_text(json.dumps(records, indent=2), encoding="utf-8")
