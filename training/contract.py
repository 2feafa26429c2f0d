"""The container contract: the folders where a job finds its input and writes its output.

    input/config/hyperparameters.json   settings, every value a string
    input/config/resourceconfig.json    the machines that train together; optional
    input/data/settings/                a second hyperparameters.json for values that SageMaker refuses: long or multi-line
    input/data/dataset/                 train.parquet, and optionally validation.parquet
    input/data/model/                   the base model
    input/data/adapter/                 the LoRA adapter that training continues from; optional
    model/                              the result: model/, adapter/, probes.json, training.json, tensorboard/
    checkpoints/                        what a restart resumes from
    output/failure                      why the job failed

SageMaker itself sets no SM_* variables, but its toolkit does: SM_MODEL_DIR, SM_CHANNEL_DATASET, SM_CHANNEL_MODEL
and SM_CHANNEL_ADAPTER override the folders if they are set.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.settings import TrainingSettings


@dataclass(frozen=True)
class Folders:
    """The folders of one job."""

    dataset: Path
    base: Path
    model: Path
    checkpoints: Path
    output: Path
    start: Path | None = None
    """The adapter that training continues from; None: a new one."""

    @classmethod
    def of_job(cls, root: Path, environment: Mapping[str, str] = os.environ) -> Self:
        """Folders of a job whose root is `root` (/opt/ml in a container)."""
        data = root / "input" / "data"
        start = Path(environment.get("SM_CHANNEL_ADAPTER", data / "adapter"))
        return cls(
            dataset=Path(environment.get("SM_CHANNEL_DATASET", data / "dataset")),
            base=Path(environment.get("SM_CHANNEL_MODEL", data / "model")),
            model=Path(environment.get("SM_MODEL_DIR", root / "model")),
            checkpoints=root / "checkpoints",
            output=root / "output",
            start=start if start.is_dir() else None,
        )

    @classmethod
    def by_hand(cls, dataset: Path, base: Path, output: Path, start: Path | None = None) -> Self:
        """Folders of a run without a platform. Everything it writes goes into `output`."""
        return cls(dataset, base, output / "model", output / "checkpoints", output / "output", start)

    @property
    def merged(self) -> Path:
        """The folder of the model that is served."""
        return self.model / "model"

    @property
    def adapter(self) -> Path:
        """The folder of the LoRA adapter."""
        return self.model / "adapter"

    @property
    def curves(self) -> Path:
        """The folder of TensorBoard's files."""
        return self.model / "tensorboard"

    @property
    def report(self) -> Path:
        """training.json with all measurements. It is written last: a model without it is incomplete."""
        return self.model / "training.json"


@dataclass(frozen=True)
class Hosts:
    """The machines of one job, in an order that is the same on each of them."""

    names: tuple[str, ...] = ("localhost",)
    current: str = "localhost"

    @classmethod
    def of_job(cls, root: Path) -> Self:
        """The machines in resourceconfig.json. Without that file, the job has one machine."""
        path = root / "input" / "config" / "resourceconfig.json"
        if not path.exists():
            return cls()
        config = json.loads(path.read_text(encoding="utf-8"))
        # Every machine must find the same order, because the order gives the ranks.
        return cls(tuple(sorted(config["hosts"])), config["current_host"])

    @property
    def rank(self) -> int:
        """0 on the machine that writes the model."""
        return self.names.index(self.current)


def read_settings(hyperparameters: Path | None, overrides: list[str]) -> TrainingSettings:
    """Settings from input/config/hyperparameters.json (None: the defaults), with `name=value` overrides applied.

    Raises TrainingProblem that lists every wrong setting, or when the file is not a flat JSON object of strings.
    """
    values = _read_all(hyperparameters) if hyperparameters else {}
    for override in overrides:
        name, separator, value = override.partition("=")
        if not separator:
            raise TrainingProblem(f"--set {override}: write it as name=value")
        values[name.strip()] = value.strip()
    try:
        return TrainingSettings.from_hyperparameters(values)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg']}" for each in error.errors()]
        raise TrainingProblem("Wrong training settings:\n" + "\n".join(lines)) from error


def _read_all(hyperparameters: Path) -> dict[str, str]:
    """The hyperparameters in input/config, and those of the channel `settings` if it exists."""
    channel = hyperparameters.parents[1] / "data" / "settings" / hyperparameters.name
    return _read_flat(hyperparameters) | (_read_flat(channel) if channel.exists() else {})


def _read_flat(path: Path) -> dict[str, str]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainingProblem(f"{path} is missing. The platform should have written the settings there") from error
    except json.JSONDecodeError as error:
        raise TrainingProblem(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise TrainingProblem(f"{path} must hold one flat object, with strings as its values")
    return values
