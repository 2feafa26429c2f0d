"""What is to be learnt, beside the rows: task.json in the dataset channel. Without that file it is a language model.

{"head": "language-model"}
{"head": "classifier", "labels": ["negative", "positive"], "multi_label": false, "class_weights": "balanced",
 "thresholds": "best_f1", "cleaning": ["whitespace", "lower_case"]}
"""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from finetune_flows.training.problems import TrainingProblem


class Task(BaseModel):
    """The head of the model and what belongs to it. Only `head` means anything to a language model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: Literal["language-model", "classifier"] = "language-model"
    labels: tuple[str, ...] = ()
    multi_label: bool = False
    class_weights: Literal["none", "balanced"] = "none"
    thresholds: Literal["none", "best_f1"] = "none"
    cleaning: tuple[str, ...] = ()
    """What was done to the texts of the rows, and must be done by the server: handed on as it is."""

    @property
    def is_classifier(self) -> bool:
        """Whether the model puts labels on a text."""
        return self.head == "classifier"


def read_task(folder: Path) -> Task:
    """The task of the dataset in `folder`. Raises TrainingProblem when task.json is none, or a classifier lacks labels."""
    path = folder / "task.json"
    if not path.is_file():
        return Task()
    try:
        task = Task.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise TrainingProblem(f"{path} is no task: {json.loads(error.json())[0]['msg']}") from error
    fewest = 1 if task.multi_label else 2
    if task.is_classifier and len(set(task.labels)) < fewest:
        raise TrainingProblem(f"{path} names {len(set(task.labels))} labels; a classifier needs {fewest} or more")
    return task
