"""Requests to a classifier, in Hugging Face's text-classification format, as SageMaker's containers and our server use it."""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.endpoints.asking import Reply, TestRow
from finetune_flows.tasks.sections.stages import EvaluationSection

ALL_LABELS = 100_000
MULTI_LABEL_THRESHOLD = 0.5


class Labelled(Frozen):
    """Scores and chosen labels of one text. An answer's text is this as JSON."""

    scores: dict[str, float]
    chosen: list[str]


@dataclass(frozen=True)
class LabelForm:
    """Posts `{"inputs": text}` to /invocations and reads a list of `{"label", "score"}`."""

    multi_label: bool
    name: ClassVar = "a list of labels and scores"
    protocol: ClassVar = "Hugging Face's text-classification form"
    route: ClassVar = "/invocations"

    def sample(self, model: str) -> dict[str, Any]:
        """An example of a request."""
        return {"inputs": "..."}

    def body(self, row: TestRow, section: EvaluationSection) -> dict[str, Any]:
        """The text, and a request for the scores of all labels."""
        return {"inputs": row.prompt[-1]["content"], "parameters": {"top_k": ALL_LABELS}}

    def read(self, body: Any) -> Reply:
        """Scores and labels of a reply. Our server marks the chosen labels; for other servers, `choose` decides."""
        items = body[0] if isinstance(body[0], list) else body
        scores = {str(item["label"]): float(item["score"]) for item in items}
        if "chosen" in items[0]:
            chosen = [str(item["label"]) for item in items if item["chosen"]]
        else:
            chosen = choose(scores, self.multi_label)
        return Reply(text=Labelled(scores=scores, chosen=chosen).model_dump_json())


def choose(scores: dict[str, float], multi_label: bool) -> list[str]:
    """The most probable label or, with multi_label, those from 0.5 on: for servers that send no choice."""
    if multi_label:
        return [label for label, score in scores.items() if score >= MULTI_LABEL_THRESHOLD]
    return [max(scores, key=lambda label: scores[label])]


def read_labelled(text: str) -> Labelled:
    """Parses the text of an answer. From an empty text nothing is chosen."""
    return Labelled.model_validate(json.loads(text)) if text else Labelled(scores={}, chosen=[])
