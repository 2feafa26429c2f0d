"""Jobs and endpoints as containers: found again by name and label, collected when they end, never left behind."""

import hashlib
import json
import shutil
import time
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from tasks.artifacts.store import home, locked, write_json
from tasks.errors import EndpointFailed, EnvironmentProblem
from tasks.platforms.contract import Endpoint, EndpointSpec, JobState, Labels, ReadLine, TrainingJob
from tasks.platforms.docker import serving
from tasks.platforms.docker.containers import bind, create, labels_of, write_deadline
from tasks.platforms.docker.engine import connect, engine_errors
from tasks.platforms.docker.images import find_image
from tasks.platforms.folders import ended_state, is_complete, last_line, lay_out
from tasks.platforms.health import wait_until_healthy
from tasks.recipe.sections import DockerPlatform

_JOB_GRACE = 120  # seconds between SIGTERM and SIGKILL, as SageMaker gives a job
_ENDPOINT_GRACE = 30  # and a server
_TIMED_OUT = 124  # exit code of containers/deadline.py at the deadline


class DockerRunner:
    """Implements `contract.Platform` with containers of one engine, and folders below `root` that are mounted in them."""

    def __init__(self, section: DockerPlatform | None = None, root: Path | None = None) -> None:
        self.section = section or DockerPlatform()
        self.root = root or home() / "docker"

    @cached_property
    def client(self) -> docker.DockerClient:
        """Connected when it is first needed."""
        return connect()

    def convert_model(self, source: Path, output: Path, chat_template: str | None) -> None:
        """Runs the training image's `stage`."""
        command = ["stage", "--source", f"/source/{source.name}", "--output", "/output"]
        mounts = [bind(source, f"/source/{source.name}"), bind(output, "/output", writable=True)]
        if chat_template:
            command += ["--chat-template", chat_template if chat_template == "chatml" else "/template.jinja"]
        if chat_template not in (None, "chatml"):
            mounts.append(bind(Path(chat_template), "/template.jinja"))
        folder = self._folder("conversions", f"{output.name}")
        write_deadline(folder, time.time() + 3600)
        with engine_errors(f"converting {source.name}"):
            labels = {"finetune.home": str(self.root), "finetune.kind": "conversion"}
            container = self._create_training(command, self._name(output.name), folder, mounts=mounts, labels=labels)
            try:
                container.start()
                code = container.wait()["StatusCode"]
                words = container.logs().decode("utf-8", "replace").strip().splitlines()
            finally:
                _remove(container)
                shutil.rmtree(folder)
        if code:
            raise EnvironmentProblem(f"cannot stage {source}: {words[-1] if words else f'exit code {code}'}")

    # jobs

    def start_job(self, job: TrainingJob) -> None:
        """Lays out the contract's folders and starts the training image with them under /opt/ml."""
        with engine_errors(f"starting job {job.name}"):
            self._training_image()  # may take minutes: not under the lock
            with locked(self.root / "jobs.lock"):  # of two who start the same job, one wins and the other follows
                if self._describe(job.name).status == "absent":
                    self._start(job)

    def _start(self, job: TrainingJob) -> None:
        folder = self._job(job.name)
        shutil.rmtree(folder, ignore_errors=True)  # of a start that came to nothing
        lay_out(folder / "opt-ml", job)
        checkpoints = self._folder("checkpoints", job.checkpoints)
        write_json(folder / "job.json", job.model_dump(mode="json"))
        write_deadline(self._folder("jobs", job.name, "at"), time.time() + job.max_runtime_seconds)
        root = folder / "opt-ml"
        mounts = [
            bind(root / "input/config", "/opt/ml/input/config"),
            *(bind(path, f"/opt/ml/input/data/{channel}") for channel, path in job.channels.items()),
            bind(root / "model", "/opt/ml/model", writable=True),
            bind(root / "output", "/opt/ml/output", writable=True),
            bind(checkpoints, "/opt/ml/checkpoints", writable=True),
        ]
        container = self._create_training(
            ["train"],
            self._name(job.name),
            folder / "at",
            mounts=mounts,
            environment={"TRAINING_JOB_NAME": job.name},
            labels=labels_of(self.root, "job", job.name, job.labels),
        )
        _start(container)

    def describe_job(self, name: str) -> JobState:
        """From what the ended job left, or from its container."""
        with engine_errors(f"asking for job {name}"), locked(self.root / "jobs.lock"):
            return self._describe(name)

    def _describe(self, name: str) -> JobState:
        folder = self._job(name)
        log = folder / "log.txt"
        if not (folder / "exit.json").exists():
            container = self._find(self._name(name))
            if container is not None and container.status not in ("exited", "dead", "created"):
                return JobState(status="running", log=f"docker logs {container.name}")
            if container is None or container.status == "created":
                _remove(container)
                return JobState(status="completed" if is_complete(folder / "opt-ml") else "absent", log=str(log))
            self._collect(container, folder)
        ending = json.loads((folder / "exit.json").read_text(encoding="utf-8"))
        return ended_state(folder / "opt-ml", ending["exit_code"], ending["reason"], log)

    def _collect(self, container: Container, folder: Path) -> None:
        """What the container leaves: its log, how it ended; then the container itself goes."""
        with (folder / "log.txt").open("wb") as log:
            for part in container.logs(stream=True):
                log.write(part)
        state = container.attrs["State"]
        reason = (
            "deadline" if state["ExitCode"] == _TIMED_OUT else self._out_of_memory() if state["OOMKilled"] else None
        )
        write_json(folder / "exit.json", {"exit_code": state["ExitCode"], "reason": reason, "error": state["Error"]})
        _remove(container)

    def _out_of_memory(self) -> str:
        own = f"its {self.section.memory_gb:g} GB" if self.section.memory_gb else "the machine's memory"
        return (
            f"the container ran out of {own}: lower training.batch_size or training.max_length, "
            "or raise platform.memory_gb"
        )

    def follow_job(self, name: str, read_line: ReadLine) -> JobState:
        """Hands over the lines of the container's log, from its beginning, as they come."""
        with engine_errors(f"following job {name}"):
            container = self._find(self._name(name))
            if container is not None:
                _follow(container, read_line)
        return self.describe_job(name)

    def stop_job(self, name: str) -> None:
        """SIGTERM, then SIGKILL after the grace that SageMaker gives; what it left is collected."""
        with engine_errors(f"stopping job {name}"):
            container = self._find(self._name(name))
            if container is not None:
                container.stop(timeout=_JOB_GRACE)
        self.describe_job(name)

    def job_output(self, name: str) -> Path:
        """The program's /opt/ml/model."""
        return self._job(name) / "opt-ml" / "model"

    def remove_job(self, name: str) -> None:
        """Keeps log.txt, exit.json and job.json: a small record of what ran."""
        with engine_errors(f"removing job {name}"):
            _remove(self._find(self._name(name)))
        job = TrainingJob.model_validate_json((self._job(name) / "job.json").read_text(encoding="utf-8"))
        shutil.rmtree(self.root / "checkpoints" / job.checkpoints, ignore_errors=True)
        shutil.rmtree(self._job(name) / "opt-ml", ignore_errors=True)

    # endpoints

    def start_endpoint(self, spec: EndpointSpec) -> Endpoint:
        """Starts the serving image with a free port of the loopback interface."""
        with engine_errors(f"starting endpoint {spec.name}"):
            plan = serving.plan(self.section, spec)
            image = find_image(self.client, "serving", plan.image, self.section.base_image)
            with locked(self.root / "endpoints.lock"):
                container = self._find(self._name(spec.name))
                if container is None or not _serves(container, spec):
                    _remove(container)
                    container = self._start_endpoint(spec, plan, image)
                self._renew(spec)
            endpoint = self._endpoint(container)
            return self._healthy(endpoint, container, plan.health, spec.startup_seconds)

    def _start_endpoint(self, spec: EndpointSpec, plan: serving.Plan, image: str) -> Container:
        container = create(
            self.client,
            self.section,
            image,
            plan.command,
            self._name(spec.name),
            self._folder("endpoints", spec.name),
            _ENDPOINT_GRACE,
            mounts=[bind(spec.model, "/opt/ml/model")],
            environment=plan.environment,
            ports={"8080/tcp": ("127.0.0.1", None)},
            labels=labels_of(self.root, "endpoint", spec.name, spec.labels)
            | {"finetune.model_digest": spec.model_digest},
        )
        write_deadline(self._folder("endpoints", spec.name), spec.labels.expires_at.timestamp())
        _start(container)
        return container

    def _renew(self, spec: EndpointSpec) -> None:
        """A container's labels cannot change, so the ones that hold stand beside it. Never an earlier expiry."""
        folder = self._folder("endpoints", spec.name)
        before = _read_labels(folder)
        if before is None or before.expires_at < spec.labels.expires_at:
            write_json(folder / "labels.json", spec.labels.model_dump(mode="json"))
            write_deadline(folder, spec.labels.expires_at.timestamp())

    def _healthy(self, endpoint: Endpoint, container: Container, path: str, seconds: float) -> Endpoint:
        def runs() -> bool:
            container.reload()
            return bool(container.status == "running")

        try:
            if wait_until_healthy(endpoint.url + path, seconds, runs):
                return endpoint
            what = f"was not healthy after {seconds:.0f} s" if runs() else "ended while it was starting"
            log = self.root / "logs" / f"{endpoint.name}.txt"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_bytes(container.logs())
        except BaseException:
            self.delete_endpoint(endpoint.name)
            raise
        self.delete_endpoint(endpoint.name)
        raise EndpointFailed(f"endpoint {endpoint.name} {what}: {last_line(log)} (log: {log})")

    def endpoints(self) -> list[Endpoint]:
        """Those whose container runs."""
        with engine_errors("listing endpoints"):
            return [self._endpoint(each) for each in self._containers("endpoint") if each.status == "running"]

    def delete_endpoint(self, name: str) -> bool:
        """Lets the server finish its answers, then removes container and folder."""
        with engine_errors(f"deleting endpoint {name}"):
            container = self._find(self._name(name))
            existed = container is not None and container.status == "running"
            if container is not None and existed:
                container.stop(timeout=_ENDPOINT_GRACE)
            _remove(container)
        shutil.rmtree(self.root / "endpoints" / name, ignore_errors=True)
        return existed

    def sweep(self, now: datetime) -> list[str]:
        """Removes endpoints and jobs past their expiry, and the containers of dead ones."""
        swept = []
        with engine_errors("sweeping"):
            for container in self._containers("endpoint"):
                endpoint = self._endpoint(container)
                if container.status != "running" or endpoint.labels.expires_at < now:
                    self.delete_endpoint(endpoint.name)
                    ended = " (had ended)" if container.status != "running" else " (expired)"
                    swept.append(f"container of endpoint {endpoint.name}{ended}")
            for container in self._containers("conversion"):
                if container.status != "running":
                    _remove(container)
                    swept.append(f"container {container.name}")
        for folder in sorted((self.root / "jobs").glob("*")):
            job = TrainingJob.model_validate_json((folder / "job.json").read_text(encoding="utf-8"))
            if job.labels.expires_at < now and (folder / "opt-ml").exists():
                self.stop_job(folder.name)
                self.remove_job(folder.name)
                swept.append(f"job {folder.name}")
        return swept

    # containers

    def _training_image(self) -> str:
        return find_image(self.client, "training", self.section.training_image, self.section.base_image)

    def _create_training(self, command: list[str], name: str, folder: Path, **options: Any) -> Container:
        return create(
            self.client,
            self.section,
            self._training_image(),
            command,
            name,
            folder,
            _JOB_GRACE,
            network_mode="none",  # as SageMaker's network isolation: model and rows are there already
            **options,
        )

    def _name(self, name: str) -> str:
        """Of the container: two homes on one engine never meet."""
        return f"{name}.{hashlib.sha256(str(self.root).encode()).hexdigest()[:6]}"

    def _job(self, name: str) -> Path:
        return self.root / "jobs" / name

    def _folder(self, *parts: str) -> Path:
        folder = self.root.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _find(self, name: str) -> Container | None:
        try:
            container: Container = self.client.containers.get(name)
        except NotFound:
            return None
        return container

    def _containers(self, kind: str) -> list[Container]:
        labels = [f"finetune.home={self.root}", f"finetune.kind={kind}"]
        found: list[Container] = self.client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
        return found

    def _endpoint(self, container: Container) -> Endpoint:
        own = {key.removeprefix("finetune."): value for key, value in container.labels.items()}
        written = Labels.model_validate({key: own[key] for key in Labels.model_fields})
        bindings = container.ports.get("8080/tcp") or [{"HostPort": "0"}]
        return Endpoint(
            name=own["name"],
            url=f"http://127.0.0.1:{bindings[0]['HostPort']}",
            model_digest=own["model_digest"],
            labels=_read_labels(self.root / "endpoints" / own["name"]) or written,
        )


def _serves(container: Container, spec: EndpointSpec) -> bool:
    return container.status == "running" and container.labels.get("finetune.model_digest") == spec.model_digest


def _start(container: Container) -> None:
    try:
        container.start()
    except BaseException:
        _remove(container)  # a container that could not be started stays behind otherwise
        raise
    container.reload()


def _remove(container: Container | None) -> None:
    if container is None:
        return
    try:
        container.remove(force=True, v=True)
    except APIError as error:
        if error.status_code not in (404, 409):  # somebody else removes it, or has
            raise


def _follow(container: Container, read_line: ReadLine) -> None:
    buffer = b""
    for part in container.logs(stream=True, follow=True):
        *lines, buffer = (buffer + part).split(b"\n")
        for line in lines:
            read_line(line.decode("utf-8", "replace"))
    if buffer:
        read_line(buffer.decode("utf-8", "replace"))
    container.wait()  # the log of an engine that went away just ends; this does not


def _read_labels(folder: Path) -> Labels | None:
    try:
        return Labels.model_validate_json((folder / "labels.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
