"""What a platform must do, in the words of SageMaker's container contract.

A job is one run of a program that reads /opt/ml/input and writes /opt/ml/model, /opt/ml/checkpoints and /opt/ml/output.
An endpoint is a server behind a name that answers /ping and /v1/chat/completions. Both are found by name, carry labels,
end by themselves at a deadline, and outlive the flow that started them, so that a flow that died can take them up again.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.endpoints.connect import Connection
from finetune_flows.tasks.monitoring.window import Window
from finetune_flows.tasks.preflight.report import Report
from finetune_flows.tasks.recipe import Platform as PlatformSection
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.sections.stages import MonitoringSection, ServingSection

Status = Literal["absent", "running", "completed", "stopped", "failed"]
ReadLine = Callable[[str], None]


class Labels(Frozen):
    """What everything we create carries, so that it is found again without anybody's memory."""

    recipe: str
    step_key: str
    flow_run: str
    expires_at: datetime = Field(description="UTC. Whatever is left after it may be swept away.")


class TrainingJob(Frozen):
    """One run of the training program."""

    name: str = Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")
    hyperparameters: dict[str, str]
    channels: dict[str, Path] = Field(description="Folders that the program finds under /opt/ml/input/data/<channel>.")
    checkpoints: str = Field(
        description="Name of the checkpoint folder; attempts at one job share it, so that they resume."
    )
    max_runtime_seconds: float = Field(gt=0)
    labels: Labels


class JobState(Frozen):
    """Where a job stands."""

    status: Status
    failure: str | None = Field(None, description="The program's own words, or what the platform saw.")
    passing: bool = Field(False, description="It failed for want of capacity or by the platform's fault: try again.")
    log: str | None = Field(None, description="Where its output can be read.")


class EndpointSpec(Frozen):
    """A server to be started."""

    name: str = Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")
    model: Path = Field(description="Folder of the model: safetensors, config, tokenizer with chat template.")
    model_digest: str
    serving: ServingSection = Field(description="The recipe's own settings. What an engine gets of them: engines.py.")
    labels: Labels

    @property
    def startup_seconds(self) -> float:
        """The server must be healthy within these."""
        return self.serving.startup_minutes * 60


class Intent(Frozen):
    """What a run of a recipe is going to ask of its platform."""

    recipe: Recipe
    job: TrainingJob
    endpoints: list[EndpointSpec] = Field(description="In the order in which they are started: the base model's first.")


class Endpoint(Frozen):
    """A server that runs."""

    name: str
    url: str
    model_digest: str
    labels: Labels


class JudgedModel(Frozen):
    """A candidate and what the gate decided, for a registry outside of this project."""

    recipe: str
    endpoint: str = Field(description="The endpoint that was judged.")
    model_digest: str
    scores: Path = Field(description="scores.json of the evaluation.")
    lineage: dict[str, str] = Field(description="What it was made from: digests, job, image.")
    passed: bool
    reasons: list[str]
    labels: Labels


class Alias(Frozen):
    """The address that clients keep: it leads to the champion of a recipe, whichever model that is."""

    name: str = Field(description="The recipe's name.")
    url: str
    endpoint: str = Field(description="Name of the endpoint that it leads to.")
    target: str = Field(description="URL of that endpoint.")
    labels: Labels


class Platform(Protocol):
    """Where jobs and endpoints run. Every call may be repeated without doing anything twice."""

    @property
    def section(self) -> PlatformSection:
        """The recipe's section that it was made from: `platform_of` makes the same platform from it again."""

    def preflight(self, intent: Callable[[], Intent]) -> Report | None:
        """What is known to stand against a run, before anything is spent; None where that shows at no cost.

        `intent` reads the store, so it is called only where its answer is needed.
        """

    def training_hours(self, recipe: Recipe) -> float | None:
        """Hours of training that the section's budget pays for; None when there is no budget."""

    def convert_model(self, source: Path, output: Path, chat_template: str | None) -> None:
        """Makes `output` a model folder that jobs and servers read, from a GGUF file or a folder.

        Raises:
            EnvironmentProblem: it cannot be done here, or not with this source.
        """

    def start_job(self, job: TrainingJob) -> None:
        """Starts it, unless a job of that name was ever started."""

    def describe_job(self, name: str) -> JobState:
        """Where it stands; `absent` when there never was one."""

    def follow_job(self, name: str, read_line: ReadLine) -> JobState:
        """Hands over each line the job prints until it ends."""

    def stop_job(self, name: str) -> None:
        """Asks the program to checkpoint and end, and makes sure that it does."""

    def job_output(self, name: str) -> Path:
        """The folder with what the program left in /opt/ml/model."""

    def remove_job(self, name: str) -> None:
        """Deletes what an ended job left behind, its checkpoints too, but not its log."""

    def start_endpoint(self, spec: EndpointSpec) -> Endpoint:
        """Starts it and waits until it is healthy; one that already runs is taken as it is and expires no sooner.

        Raises:
            EndpointFailed: it did not become healthy in time. Nothing of it is left running.
        """

    def endpoints(self) -> list[Endpoint]:
        """All that run."""

    def connection(self, endpoint: Endpoint) -> Connection:
        """How it is asked. Nothing is opened yet."""

    def window(self, endpoint: Endpoint) -> Window:
        """What it did lately: since the last call, or in the last whole period that the platform measures.

        Raises:
            EnvironmentProblem, TryLater: what measures it refuses, or is not reached.
        """

    def put_alarms(self, endpoint: Endpoint, limits: MonitoringSection) -> list[str] | None:
        """Has the platform itself watch these limits all the time; the alarms' names. None where nobody could."""

    def endpoint_log(self, name: str) -> Path:
        """A file here with what the server has printed so far; it may be absent when that is nothing."""

    def delete_endpoint(self, name: str) -> bool:
        """Stops it. False when there was none."""

    def enter_model(self, judged: JudgedModel) -> None:
        """Enters it into the platform's own model registry, where it has one. Repeating it changes nothing."""

    def point_alias(self, name: str, endpoint: Endpoint, spec: EndpointSpec) -> Alias:
        """Makes the address of `name` lead to the model that `endpoint`, started by `spec`, serves; no request is lost.

        When it returns, nothing is under way any more to where the address led before.

        Raises:
            EndpointFailed: the address did not come up.
        """

    def aliases(self) -> list[Alias]:
        """All that run."""

    def delete_alias(self, name: str) -> bool:
        """Ends it. False when there was none."""

    def sweep(self, now: datetime) -> list[str]:
        """Stops and deletes what has outlived its expiry; says what, a line each."""
