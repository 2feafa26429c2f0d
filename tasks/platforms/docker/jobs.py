"""Jobs as containers: found again by name; when one ends, its log and exit code are kept and the container is removed."""

import logging
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from docker.errors import NotFound
from docker.models.containers import Container

from finetune_flows.tasks.artifacts.remote import with_weights
from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.base.files import locked, read_model, write_json
from finetune_flows.tasks.base.paths import directly_in
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.platforms.contract import JobState, ReadLine, TrainingJob
from finetune_flows.tasks.platforms.docker.containers import Program, bind, create, labels_of, write_deadline
from finetune_flows.tasks.platforms.docker.engine import engine_errors
from finetune_flows.tasks.platforms.docker.images import find_image
from finetune_flows.tasks.platforms.docker.place import Place, remove, start
from finetune_flows.tasks.platforms.local.folders import ended_state, is_complete, lay_out

log = logging.getLogger("finetune.docker")

_GRACE = 120  # seconds between SIGTERM and SIGKILL, the same as SageMaker gives a job
_TIMED_OUT = 124  # exit code with which containers/deadline.py ends at the deadline


class _Ending(Frozen):
    """How a container ended, as exit.json keeps it."""

    exit_code: int
    reason: str | None
    error: str


class DockerJobs(Place):
    """The training and converting part of `contract.Platform`."""

    def convert_model(self, source: Path, output: Path, chat_template: str | None) -> None:
        """Runs the training image's `stage` in a container, and logs what it says."""
        command = ["stage", "--source", f"/source/{source.name}", "--output", "/output"]
        mounts = [bind(source, f"/source/{source.name}"), bind(output, "/output", writable=True)]
        if chat_template:
            command += ["--chat-template", chat_template if chat_template == "chatml" else "/template.jinja"]
        if chat_template not in (None, "chatml"):
            mounts.append(bind(Path(chat_template), "/template.jinja"))
        folder = self.folder("conversions", f"{output.name}")
        write_deadline(folder, time.time() + 3600)
        with engine_errors(f"converting {source.name}"):
            labels = {"finetune.home": str(self.root), "finetune.kind": "conversion"}
            container = self._create_training(
                command, self.container_name(output.name), folder, mounts=mounts, labels=labels
            )
            try:
                container.start()
                code = container.wait()["StatusCode"]
                said = container.logs(stderr=False).decode("utf-8", "replace").splitlines()
                words = container.logs().decode("utf-8", "replace").strip().splitlines()
            finally:
                remove(container)
                shutil.rmtree(folder)
        if code:
            raise EnvironmentProblem(f"{source} cannot be staged: {words[-1] if words else f'exit code {code}'}")
        for line in said:
            log.info("%s: %s", source.name, line)

    def start_job(self, job: TrainingJob) -> None:
        """Creates the contract's folders and starts the training image with them under /opt/ml."""
        with engine_errors(f"starting job {job.name}"):
            self._training_image()  # outside the lock, because a build may take minutes
            with locked(
                self.root / "jobs.lock"
            ):  # if two runs start the same job, one starts it and the other attaches
                if self._describe(job.name).status == "absent":
                    self._start(job)

    def _channel(self, name: str, folder: Path) -> Any:
        return bind(with_weights(folder, self.root / "fetched"), f"/opt/ml/input/data/{name}")

    def _start(self, job: TrainingJob) -> None:
        folder = self._job(job.name)
        shutil.rmtree(folder, ignore_errors=True)  # an earlier start that failed may have left files
        lay_out(folder / "opt-ml", job)
        checkpoints = self.folder("checkpoints", job.checkpoints)
        write_json(folder / "job.json", job.model_dump(mode="json"))
        write_deadline(self.folder("jobs", job.name, "at"), time.time() + job.max_runtime_seconds)
        root = folder / "opt-ml"
        mounts = [
            bind(root / "input/config", "/opt/ml/input/config"),
            *(self._channel(name, path) for name, path in job.channels.items()),
            bind(root / "model", "/opt/ml/model", writable=True),
            bind(root / "output", "/opt/ml/output", writable=True),
            bind(checkpoints, "/opt/ml/checkpoints", writable=True),
        ]
        container = self._create_training(
            ["train"],
            self.container_name(job.name),
            folder / "at",
            mounts=mounts,
            environment={"TRAINING_JOB_NAME": job.name},
            labels=labels_of(self.root, "job", job.name, job.labels),
        )
        start(container)

    def describe_job(self, name: str) -> JobState:
        """The job's state, from its container or, if it has ended, from what it left behind."""
        with engine_errors(f"asking for job {name}"), locked(self.root / "jobs.lock"):
            return self._describe(name)

    def _describe(self, name: str) -> JobState:
        folder = self._job(name)
        log = folder / "log.txt"
        ending = read_model(folder / "exit.json", _Ending)
        if ending is None:
            container = self.find(self.container_name(name))
            if container is not None and container.status not in ("exited", "dead", "created"):
                return JobState(status="running", log=f"docker logs {container.name}")
            # A container that failed to start, for instance for lack of a GPU, stays behind in the state `created`.
            if container is None or container.status == "created":
                remove(container)
                return JobState(status="completed" if is_complete(folder / "opt-ml") else "absent", log=str(log))
            ending = self._collect(container, folder)
        return ended_state(folder / "opt-ml", ending.exit_code, ending.reason, log)

    def _collect(self, container: Container, folder: Path) -> "_Ending":
        """Saves the container's log and how it ended, then removes the container."""
        with (folder / "log.txt").open("wb") as log:
            for part in container.logs(stream=True):
                log.write(part)
        state = container.attrs["State"]
        # OOMKilled, not exit code 137: if a child process was killed, the container ends with its own exit code.
        reason = (
            "deadline" if state["ExitCode"] == _TIMED_OUT else self._out_of_memory() if state["OOMKilled"] else None
        )
        # Before the container goes, so that a crash in between loses nothing.
        ending = _Ending(exit_code=state["ExitCode"], reason=reason, error=state["Error"])
        write_json(folder / "exit.json", ending.model_dump())
        remove(container)
        return ending

    def _out_of_memory(self) -> str:
        own = f"its {self.section.memory_gb:g} GB" if self.section.memory_gb else "the machine's memory"
        return (
            f"the container ran out of {own}: lower training.batch_size or training.max_length, "
            "or raise platform.memory_gb"
        )

    def follow_job(self, name: str, read_line: ReadLine) -> JobState:
        """Passes each line of the container's log to `read_line` as it comes, from the beginning."""
        with engine_errors(f"following job {name}"):
            container = self.find(self.container_name(name))
            if container is not None:
                with suppress(
                    NotFound
                ):  # another run that follows the job has saved its record and removed the container
                    _follow(container, read_line)
        return self.describe_job(name)

    def stop_job(self, name: str) -> None:
        """Sends SIGTERM, then SIGKILL after the same grace period as SageMaker's; saves what the container left."""
        with engine_errors(f"stopping job {name}"):
            container = self.find(self.container_name(name))
            if container is not None:
                container.stop(timeout=_GRACE)
        self.describe_job(name)

    def job_output(self, name: str) -> Path:
        """The job's /opt/ml/model."""
        return self._job(name) / "opt-ml" / "model"

    def remove_job(self, name: str) -> None:
        """Deletes the job's folders. Keeps log.txt, exit.json and job.json as a small record of what ran."""
        with engine_errors(f"removing job {name}"):
            remove(self.find(self.container_name(name)))
        job = read_model(self._job(name) / "job.json", TrainingJob)
        if job is not None:
            shutil.rmtree(self.root / "checkpoints" / job.checkpoints, ignore_errors=True)
        shutil.rmtree(self._job(name) / "opt-ml", ignore_errors=True)

    def _training_image(self) -> str:
        return find_image(self.client, "training", self.section.training_image, self.section.base_image)

    def _create_training(self, command: list[str], name: str, folder: Path, **options: Any) -> Container:
        return create(
            self.client,
            self.section,
            Program(self._training_image(), command, name, folder, _GRACE),
            network_mode="none",  # like SageMaker's network isolation: model and rows are already mounted
            **options,
        )

    def _job(self, name: str) -> Path:
        return directly_in(self.root / "jobs", name)


def _follow(container: Container, read_line: ReadLine) -> None:
    buffer = b""
    for part in container.logs(stream=True, follow=True):
        *lines, buffer = (buffer + part).split(b"\n")
        for line in lines:
            read_line(line.decode("utf-8", "replace"))
    if buffer:
        read_line(buffer.decode("utf-8", "replace"))
    container.wait()  # if the engine went away, the log just ends without an error, but this call raises
