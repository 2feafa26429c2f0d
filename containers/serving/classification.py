"""Serves a classifier with the requests and replies of Hugging Face's text-classification pipeline.

    {"inputs": "a text", "parameters": {"top_k": 2}}      ->  [{"label", "score", "chosen"}, ...], the likeliest first
    {"inputs": ["a text", "another"]}                     ->  a list of such lists

`chosen` is an addition: whether the model's thresholds give the label. It may be the second likeliest label.
Importing this module does not import torch, so that the server answers /ping before torch is loaded.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from fastapi import Request
from pydantic import BaseModel, Field

from finetune_flows.containers.serving.bodies import Body, Text
from finetune_flows.containers.serving.cleaning import Step, clean
from finetune_flows.containers.serving.engine import GenerationFailed, QueueFull, Stopping
from finetune_flows.containers.serving.errors import ApiError, Kind, invalid
from finetune_flows.containers.serving.service import unless_disconnected
from finetune_flows.containers.serving.settings import ServingSettings

if TYPE_CHECKING:
    from finetune_flows.containers.serving.classifier_engine import ClassifierEngine

MULTI_LABEL_THRESHOLD = 0.5
MOST_TEXTS = 1024
LONGEST_TEXT = 200_000  # characters; a longer text would keep the tokenizer busy for seconds


class ClassifyParameters(Body):
    """How many labels to return, and whether to truncate a text that is too long."""

    unsupported: ClassVar[Mapping[str, tuple[Any, ...]]] = {"function_to_apply": (), "padding": (True,)}

    top_k: Annotated[int, Field(ge=1)] = 1
    truncation: bool = False


Input = Annotated[Text, Field(min_length=1, max_length=LONGEST_TEXT)]


class ClassifyBody(Body):
    """POST /invocations of a classifier."""

    inputs: Input | Annotated[list[Input], Field(min_length=1, max_length=MOST_TEXTS)]
    parameters: ClassifyParameters = ClassifyParameters()


class LabelScore(BaseModel):
    """One label of one text."""

    label: str
    score: float = Field(
        description="Probability: softmax over the labels, or a sigmoid of each label if a text may have several."
    )
    chosen: bool = Field(description="Whether the model gives the text this label.")


Classified = list[LabelScore] | list[list[LabelScore]]


def is_classifier(folder: Path) -> bool:
    """Whether the model of `folder` has a classification head."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return any(name.endswith("ForSequenceClassification") for name in config.get("architectures") or ())


@dataclass(frozen=True)
class Labels:
    """The labels and thresholds, from classifier.json next to the weights, or from config.json if there is no such file."""

    names: tuple[str, ...]
    multi_label: bool
    thresholds: Mapping[str, float]
    cleaning: tuple[Step, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The labels of the model in `folder`. Raises ValueError when config.json names none."""
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        names = config.get("id2label") or {}
        several = config.get("problem_type") == "multi_label_classification"
        ours = folder / "classifier.json"
        task = json.loads(ours.read_text(encoding="utf-8")) if ours.is_file() else {}
        ordered = tuple(names[key] for key in sorted(names, key=int)) or tuple(task.get("labels", ()))
        if not ordered:
            raise ValueError(f"{folder}/config.json names no labels (id2label)")
        return cls(ordered, several, task.get("thresholds", {}), tuple(task.get("cleaning", ())))

    def ranked(self, scores: list[float], top_k: int) -> list[LabelScore]:
        """The `top_k` likeliest labels, likeliest first. `scores` are in the order of the names."""
        chosen = self.chosen(scores)
        items = [
            LabelScore(label=name, score=score, chosen=name in chosen)
            for name, score in zip(self.names, scores, strict=True)
        ]
        return sorted(items, key=lambda item: -item.score)[:top_k]

    def chosen(self, scores: list[float]) -> set[str]:
        """The labels that the text gets."""
        if self.multi_label:
            limits = (self.thresholds.get(name, MULTI_LABEL_THRESHOLD) for name in self.names)
            return {name for name, score, limit in zip(self.names, scores, limits, strict=True) if score >= limit}
        if len(self.names) == 2 and self.names[1] in self.thresholds:
            return {self.names[1] if scores[1] >= self.thresholds[self.names[1]] else self.names[0]}
        return {self.names[max(range(len(scores)), key=scores.__getitem__)]}


@dataclass(frozen=True)
class Classification:
    """The loaded model."""

    name: str
    engine: "ClassifierEngine"
    labels: Labels
    settings: ServingSettings

    @classmethod
    def load(cls, folder: Path, settings: ServingSettings) -> Self:
        """Load tokenizer and model. A bad folder raises transformers' own error."""
        from finetune_flows.containers.serving.classifier_engine import ClassifierEngine

        labels = Labels.read(folder)
        return cls(folder.name, ClassifierEngine.load(folder, settings), labels, settings)

    async def answer(self, body: ClassifyBody, request: Request) -> Classified:
        """The labels of one text, or of each in a list. Raises ApiError."""
        texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
        cleaned = [clean(text, self.labels.cleaning) for text in texts]
        record = request.state.record
        record.capture(cleaned, self.settings.capture)
        ids = await asyncio.to_thread(self.engine.tokenize, cleaned, body.parameters.truncation)
        for place, row in enumerate(ids):
            if len(row) > self.engine.longest:
                where = "inputs" if isinstance(body.inputs, str) else f"inputs.{place}"
                problem = (
                    f"it has {len(row)} tokens, and the model reads at most {self.engine.longest}; shorten it, or set "
                    "parameters.truncation to cut it"
                )
                raise invalid(where, problem)
        record.prompt_tokens = sum(map(len, ids))
        try:
            async with asyncio.timeout(self.settings.request_seconds - record.age):
                scores = await unless_disconnected(request, self.engine.scores(ids))
        except TimeoutError as error:
            limit = f"the request was not finished after {self.settings.request_seconds:g} s (SERVING_REQUEST_SECONDS)"
            raise ApiError(Kind.TIMEOUT, limit) from error
        except QueueFull as error:
            raise ApiError(Kind.OVERLOADED, str(error), retry_after=1) from error
        except Stopping as error:
            raise ApiError(Kind.NOT_READY, str(error), retry_after=5) from error
        except GenerationFailed as error:
            raise ApiError(Kind.FAILED, str(error)) from error
        ranked = [self.labels.ranked(row, body.parameters.top_k) for row in scores]
        return ranked[0] if isinstance(body.inputs, str) else ranked
