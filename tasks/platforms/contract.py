"""What a platform must do, in the terms of SageMaker's container contract.

A job is one run of a program that reads /opt/ml/input and writes /opt/ml/model, /opt/ml/checkpoints and /opt/ml/output.
An endpoint is a named server that answers /ping and /v1/chat/completions. Jobs and endpoints are found by name, carry
labels, end by themselves at a deadline, and outlive the flow that started them, so that a later run can attach to them.
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
    """Labels of everything we create, so that it can be found again without a record elsewhere."""

    recipe: str
    step_key: str
    flow_run: str
    expires_at: datetime = Field(description="UTC. After this time, sweep deletes whatever is left.")


class TrainingJob(Frozen):
    """One run of the training program."""

    name: str = Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")
    hyperparameters: dict[str, str]
    channels: dict[str, Path] = Field(description="Folders that the program finds under /opt/ml/input/data/<channel>.")
    checkpoints: str = Field(
        description="Name of the checkpoint folder. All attempts at a job share it, so that the next one resumes."
    )
    max_runtime_seconds: float = Field(gt=0)
    labels: Labels


class JobState(Frozen):
    """The state of a job."""

    status: Status
    failure: str | None = Field(None, description="The program's own message, or what the platform observed.")
    passing: bool = Field(
        False, description="It failed for lack of capacity or through a fault of the platform: try again."
    )
    log: str | None = Field(None, description="Where to read its output.")


class EndpointSpec(Frozen):
    """A server to start."""

    name: str = Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")
    model: Path = Field(description="Folder of the model: safetensors, config, tokenizer with chat template.")
    model_digest: str
    serving: ServingSection = Field(description="The recipe's own settings. engines.py turns them into an engine's.")
    labels: Labels

    @property
    def startup_seconds(self) -> float:
        """Seconds within which the server must become healthy."""
        return self.serving.startup_minutes * 60


class Intent(Frozen):
    """What a run of a recipe will ask of its platform."""

    recipe: Recipe
    job: TrainingJob
    endpoints: list[EndpointSpec] = Field(description="In the order of their start: the base model's is first.")


class Endpoint(Frozen):
    """A running server."""

    name: str
    url: str
    model_digest: str
    labels: Labels


class JudgedModel(Frozen):
    """A candidate and the gate's decision, for a registry outside this project."""

    recipe: str
    endpoint: str = Field(description="The endpoint that was judged.")
    model_digest: str
    scores: Path = Field(description="scores.json of the evaluation.")
    lineage: dict[str, str] = Field(description="Where it comes from: digests, job, image.")
    passed: bool
    reasons: list[str]
    labels: Labels


class Alias(Frozen):
    """The lasting address for clients: it leads to the champion of a recipe, whichever model that is."""

    name: str = Field(description="The recipe's name.")
    url: str
    endpoint: str = Field(description="Name of the endpoint that it leads to.")
    target: str = Field(description="URL of that endpoint.")
    labels: Labels


class Platform(Protocol):
    """Where jobs and endpoints run. Repeating a call never does anything twice."""

    @property
    def section(self) -> PlatformSection:
        """The recipe's platform section. `platform_of` makes the same platform from it again."""

    def preflight(self, intent: Callable[[], Intent]) -> Report | None:
        """Checks what can be known before a run costs anything; None where a failed start costs nothing.

        `intent` reads the store, so a platform calls it only if it needs the answer.
        """

    def training_hours(self, recipe: Recipe) -> float | None:
        """Hours of training that the section's budget pays for; None without a budget."""

    def convert_model(self, source: Path, output: Path, chat_template: str | None) -> None:
        """Makes a model folder that jobs and servers can read at `output`, from a GGUF file or a folder.

        Raises:
            EnvironmentProblem: this platform cannot convert, or cannot convert this source.
        """

    def start_job(self, job: TrainingJob) -> None:
        """Starts the job, unless one of that name was ever started."""

    def describe_job(self, name: str) -> JobState:
        """The job's state; `absent` if there never was one."""

    def follow_job(self, name: str, read_line: ReadLine) -> JobState:
        """Passes each line that the job prints to `read_line` until the job ends; returns its last state."""

    def stop_job(self, name: str) -> None:
        """Asks the program to save a checkpoint and end, and makes sure that it does."""

    def job_output(self, name: str) -> Path:
        """The folder with the files that the program left in /opt/ml/model."""

    def remove_job(self, name: str) -> None:
        """Deletes what an ended job left behind, checkpoints included, but not its log."""

    def start_endpoint(self, spec: EndpointSpec) -> Endpoint:
        """Starts the endpoint and waits until it is healthy. A running one is kept, and expires no earlier than before.

        Raises:
            EndpointFailed: it did not become healthy in time. No part of it is left running.
        """

    def endpoints(self) -> list[Endpoint]:
        """All running endpoints."""

    def connection(self, endpoint: Endpoint) -> Connection:
        """How to reach an endpoint. Opens nothing yet."""

    def window(self, endpoint: Endpoint) -> Window:
        """What the endpoint did lately: since the last call, or in the last whole period that the platform measures.

        Raises:
            EnvironmentProblem: the platform's measurements may not be read.
            TryLater: they cannot be reached.
        """

    def put_alarms(self, endpoint: Endpoint, limits: MonitoringSection) -> list[str] | None:
        """Has the platform watch these limits all the time; returns the alarms' names, or None if it cannot."""

    def endpoint_log(self, name: str) -> Path:
        """A local file with the server's output so far; it may be absent if there is none."""

    def delete_endpoint(self, name: str) -> bool:
        """Stops an endpoint. False if there was none."""

    def enter_model(self, judged: JudgedModel) -> None:
        """Enters a model into the platform's own registry, if it has one. Repeating it changes nothing."""

    def point_alias(self, name: str, endpoint: Endpoint, spec: EndpointSpec) -> Alias:
        """Makes the address of `name` lead to the model that `endpoint`, started from `spec`, serves. No request is lost.

        On return, no request to the earlier target is in progress any more.

        Raises:
            EndpointFailed: the address did not come up.
        """

    def aliases(self) -> list[Alias]:
        """All aliases in service."""

    def delete_alias(self, name: str) -> bool:
        """Deletes an alias. False if there was none."""

    def sweep(self, now: datetime) -> list[str]:
        """Stops and deletes what has expired; returns a line for each thing."""
