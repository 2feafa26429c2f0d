"""The task, from task.json in the dataset channel. Without that file, the job trains a language model.

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
    """The head of the model and its options. A language model uses only `head`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: Literal["language-model", "classifier"] = "language-model"
    labels: tuple[str, ...] = ()
    multi_label: bool = False
    class_weights: Literal["none", "balanced"] = "none"
    thresholds: Literal["none", "best_f1"] = "none"
    cleaning: tuple[str, ...] = ()
    """Cleaning steps that the rows have been through. They are passed on to the server, which must repeat them."""

    @property
    def is_classifier(self) -> bool:
        """Whether the model gives labels to a text."""
        return self.head == "classifier"


def read_task(folder: Path) -> Task:
    """The task of the dataset in `folder`. Raises TrainingProblem when task.json is invalid or a classifier lacks labels."""
    path = folder / "task.json"
    if not path.is_file():
        return Task()
    try:
        task = Task.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise TrainingProblem(f"{path} is not a valid task: {json.loads(error.json())[0]['msg']}") from error
    fewest = 1 if task.multi_label else 2
    if task.is_classifier and len(set(task.labels)) < fewest:
        raise TrainingProblem(f"{path} names {len(set(task.labels))} labels, but a classifier needs at least {fewest}")
    return task
