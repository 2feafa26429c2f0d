"""Transformers' Trainer for classifiers, with a weighted loss, and accuracy and F1 of every validation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers import DataCollatorWithPadding, EvalPrediction, PreTrainedModel, TrainingArguments

from finetune_flows.training.adapter import classifier_adapter, load_adapter
from finetune_flows.training.job import Job
from finetune_flows.training.stopping import StopRequest
from finetune_flows.training.task import Task
from finetune_flows.training.trainer_base import JobMethods, common_arguments, job_options, set_steps

Loss = Callable[..., torch.Tensor]


class ClassifierTrainer(JobMethods):
    """Trainer with complete checkpoints that keeps the weights of the best validation."""


def build_classifier_trainer(job: Job, model: PreTrainedModel, stop: StopRequest) -> ClassifierTrainer:
    """A trainer that writes its checkpoints into the job's folder and prints one line per logged step."""
    if job.has_adapter:
        model = _with_adapter(job, model)
    trainer = ClassifierTrainer(
        model=model,
        args=TrainingArguments(**common_arguments(job), label_names=["labels"]),
        train_dataset=job.train.tokens,
        eval_dataset=job.validation.tokens if job.validation else None,
        processing_class=job.tokenizer,
        data_collator=DataCollatorWithPadding(job.tokenizer),
        compute_metrics=_metrics_of(job.task),
        compute_loss_func=_weighted_loss(job) if job.task.class_weights == "balanced" else None,
        **job_options(job, stop),
    )
    set_steps(trainer, job.settings)
    return trainer


def _with_adapter(job: Job, model: PreTrainedModel) -> Any:
    """The base model with a LoRA adapter. The head is trained in full and saved with the adapter."""
    from peft import get_peft_model, prepare_model_for_kbit_training

    if job.four_bit:
        model = prepare_model_for_kbit_training(
            model, use_gradient_checkpointing=job.choices.gradient_checkpointing.value
        )
    start = job.folders.start
    adapted = load_adapter(model, start) if start else get_peft_model(model, classifier_adapter(job.settings, model))
    for parameter in adapted.parameters():
        if parameter.requires_grad:  # in 16 bits, small updates would be lost to rounding
            parameter.data = parameter.data.float()
    return adapted


def class_weights(labels: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """The "balanced" weights of scikit-learn: rows / (classes * rows of the class). A class without rows gets 1."""
    counts = np.bincount(labels, minlength=classes)
    return np.where(counts > 0, len(labels) / (classes * np.maximum(counts, 1)), 1.0)


def positive_weights(labels: NDArray[Any]) -> NDArray[np.float64]:
    """For each label: rows without it / rows with it. Takes [rows, labels] of 0 and 1, returns [labels]."""
    positive = labels.sum(axis=0)
    return np.where(positive > 0, (len(labels) - positive) / np.maximum(positive, 1), 1.0)


def _weighted_loss(job: Job) -> Loss:
    """The mean loss with a higher weight for rare labels (`class_weights: balanced`)."""
    labels = np.array(job.train.tokens["labels"])
    if job.task.multi_label:
        weights = torch.tensor(positive_weights(labels), dtype=torch.float32)
        return lambda outputs, labels, num_items_in_batch=None: binary_cross_entropy_with_logits(
            outputs.logits.float(), labels.float(), pos_weight=weights.to(labels.device)
        )
    weights = torch.tensor(class_weights(labels, len(job.task.labels)), dtype=torch.float32)
    return lambda outputs, labels, num_items_in_batch=None: cross_entropy(
        outputs.logits.float(), labels, weight=weights.to(labels.device)
    )


def _metrics_of(task: Task) -> Callable[[EvalPrediction], dict[str, float]]:
    def metrics(prediction: EvalPrediction) -> dict[str, float]:
        logits, labels = np.asarray(prediction.predictions), np.asarray(prediction.label_ids)
        if task.multi_label:  # a logit above 0 is a probability above 0.5
            chosen, right = logits > 0, labels > 0.5
        else:
            every = np.arange(len(task.labels))
            chosen, right = logits.argmax(-1)[:, None] == every, labels[:, None] == every
        return {"accuracy": float((chosen == right).all(axis=1).mean()), "macro_f1": float(f1(chosen, right).mean())}

    return metrics


def f1(chosen: NDArray[np.bool_], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """2 TP / (2 TP + FP + FN) for each label; 0 when no row has the label or gets it. [rows, labels] in, [labels] out."""
    hits = (chosen & right).sum(axis=0)
    named = chosen.sum(axis=0) + right.sum(axis=0)
    scores: NDArray[np.float64] = 2 * hits / np.maximum(named, 1)
    return scores
