"""How a classifier is asked: Hugging Face's text-classification form, which SageMaker's containers and our server speak."""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.endpoints.asking import Reply, TestRow
from finetune_flows.tasks.sections.stages import EvaluationSection

ALL_LABELS = 100_000
MULTI_LABEL_THRESHOLD = 0.5


class Labelled(Frozen):
    """What was said of one text; the text of an answer is this as JSON."""

    scores: dict[str, float]
    chosen: list[str]


@dataclass(frozen=True)
class LabelForm:
    """`{"inputs": text}` to /invocations; a list of `{"label", "score"}` comes back."""

    multi_label: bool
    name: ClassVar = "a list of labels and scores"
    protocol: ClassVar = "Hugging Face's text-classification form"
    route: ClassVar = "/invocations"

    def sample(self, model: str) -> dict[str, Any]:
        """A text."""
        return {"inputs": "..."}

    def body(self, row: TestRow, section: EvaluationSection) -> dict[str, Any]:
        """The text, and the wish for the scores of all labels."""
        return {"inputs": row.prompt[-1]["content"], "parameters": {"top_k": ALL_LABELS}}

    def read(self, body: Any) -> Reply:
        """Our server says which labels its thresholds choose; of others the most probable, or those from 0.5."""
        items = body[0] if isinstance(body[0], list) else body
        scores = {str(item["label"]): float(item["score"]) for item in items}
        if "chosen" in items[0]:
            chosen = [str(item["label"]) for item in items if item["chosen"]]
        else:
            chosen = choose(scores, self.multi_label)
        return Reply(text=Labelled(scores=scores, chosen=chosen).model_dump_json())


def choose(scores: dict[str, float], multi_label: bool) -> list[str]:
    """The labels that scores stand for, without thresholds of their own."""
    if multi_label:
        return [label for label, score in scores.items() if score >= MULTI_LABEL_THRESHOLD]
    return [max(scores, key=lambda label: scores[label])]


def read_labelled(text: str) -> Labelled:
    """An answer's text; nothing is chosen where there is none."""
    return Labelled.model_validate(json.loads(text)) if text else Labelled(scores={}, chosen=[])
