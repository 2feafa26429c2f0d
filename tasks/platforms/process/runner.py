"""The embedded platform: jobs and endpoints are processes on this machine. Needs no Docker and no account."""

import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from finetune_flows.tasks.artifacts.remote import with_weights
from finetune_flows.tasks.base.errors import EndpointFailed, EnvironmentProblem
from finetune_flows.tasks.base.files import home, locked, write_json
from finetune_flows.tasks.base.programs import import_path, program
from finetune_flows.tasks.platforms.contract import Endpoint, EndpointSpec, JobState, JudgedModel, ReadLine, TrainingJob
from finetune_flows.tasks.platforms.local import detached
from finetune_flows.tasks.platforms.local.aliases import LocalAliases, free_port
from finetune_flows.tasks.platforms.local.folders import ended_state, last_line, lay_out
from finetune_flows.tasks.platforms.local.health import wait_until_healthy

_JOB_GRACE = 120.0  # seconds between SIGTERM and SIGKILL, as SageMaker gives a job
_ENDPOINT_GRACE = 30.0  # and a server


class ProcessRunner(LocalAliases):
    """Implements `contract.Platform` with detached processes below one folder."""

    def __init__(self, root: Path | None = None, python: str | None = None, serving_python: str | None = None) -> None:
        self.root = root or home()
        self.python = python or sys.executable
        self.serving_python = serving_python or self.python

    def convert_model(self, source: Path, output: Path, chat_template: str | None) -> None:
        """Runs `python -m finetune_flows.training stage` in a process of its own."""
        command = program("training", "stage", "--source", str(source), "--output", str(output), python=self.python)
        if chat_template:
            command += ["--chat-template", chat_template]
        environment = os.environ | {"PYTHONPATH": import_path()}
        result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if result.returncode:
            words = (result.stderr or result.stdout).strip().splitlines()
            raise EnvironmentProblem(f"cannot stage {source}: {words[-1] if words else 'no output'}")

    # jobs

    def start_job(self, job: TrainingJob) -> None:
        """Lays out the contract's folders and starts the training program."""
        with locked(self.root / "jobs.lock"):  # of two who start the same job, one wins and the other follows
            if not self._job(job.name).exists():
                self._start_job(job)

    def _start_job(self, job: TrainingJob) -> None:
        folder = self._job(job.name)
        root = self._lay_out(folder, job)
        write_json(folder / "job.json", job.model_dump(mode="json"))
        command = program("training", "train", "--root", str(root), python=self.python)
        deadline = time.time() + job.max_runtime_seconds
        detached.start(folder, command, {"TRAINING_JOB_NAME": job.name}, deadline, _JOB_GRACE)

    def _lay_out(self, folder: Path, job: TrainingJob) -> Path:
        root = folder / "opt-ml"
        lay_out(root, job)
        for channel, source in job.channels.items():
            (root / "input/data" / channel).symlink_to(with_weights(source, self.root / "fetched").absolute())
        checkpoints = self.root / "checkpoints" / job.checkpoints
        checkpoints.mkdir(parents=True, exist_ok=True)
        (root / "checkpoints").symlink_to(checkpoints)
        return root

    def describe_job(self, name: str) -> JobState:
        """Completed means that the program said so by leaving training.json, its last file."""
        with locked(self.root / "jobs.lock"):  # one that is just being started is not taken for a dead one
            return self._describe_job(name)

    def _describe_job(self, name: str) -> JobState:
        folder = self._job(name)
        if not folder.exists():
            return JobState(status="absent")
        log = str(folder / "log.txt")
        if detached.is_running(folder):
            return JobState(status="running", log=log)
        ending = detached.ending(folder) or {"exit_code": None, "reason": None}
        return ended_state(folder / "opt-ml", ending["exit_code"], ending["reason"], folder / "log.txt")

    def follow_job(self, name: str, read_line: ReadLine) -> JobState:
        """Reads the log until the job ends."""
        detached.follow(self._job(name), read_line)
        return self.describe_job(name)

    def stop_job(self, name: str) -> None:
        """SIGTERM, then SIGKILL after the grace that SageMaker gives."""
        detached.stop(self._job(name), _JOB_GRACE)

    def job_output(self, name: str) -> Path:
        """The program's /opt/ml/model."""
        return self._job(name) / "opt-ml" / "model"

    def remove_job(self, name: str) -> None:
        """Keeps log.txt, exit.json and job.json: a small record of what ran."""
        root = self._job(name) / "opt-ml"
        shutil.rmtree((root / "checkpoints").resolve(), ignore_errors=True)
        shutil.rmtree(root, ignore_errors=True)

    # endpoints

    def start_endpoint(self, spec: EndpointSpec) -> Endpoint:
        """Starts our own server on a free port of the loopback interface."""
        folder = self._endpoint(spec.name)
        running = self._read_endpoint(folder)
        if running is not None and running.model_digest == spec.model_digest:
            renewed = running.model_copy(update={"labels": spec.labels})
            detached.extend(folder, spec.labels.expires_at.timestamp())
            write_json(folder / "endpoint.json", renewed.model_dump(mode="json"))
            return self._healthy(renewed, folder, spec.startup_seconds)
        self.delete_endpoint(spec.name)
        (folder / "opt-ml").mkdir(parents=True)
        (folder / "opt-ml" / "model").symlink_to(with_weights(spec.model, self.root / "fetched").absolute())
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        endpoint = Endpoint(name=spec.name, url=url, model_digest=spec.model_digest, labels=spec.labels)
        write_json(folder / "endpoint.json", endpoint.model_dump(mode="json"))
        command = program("containers.serving", "serve", "--root", str(folder / "opt-ml"), python=self.serving_python)
        command += ["--host", "127.0.0.1", "--port", str(port)]
        detached.start(folder, command, spec.environment, spec.labels.expires_at.timestamp(), _ENDPOINT_GRACE)
        return self._healthy(endpoint, folder, spec.startup_seconds)

    def _healthy(self, endpoint: Endpoint, folder: Path, seconds: float) -> Endpoint:
        try:
            if wait_until_healthy(f"{endpoint.url}/ping", seconds, lambda: detached.is_running(folder)):
                return endpoint
        except BaseException:
            detached.stop(folder, _ENDPOINT_GRACE)
            raise
        ended = not detached.is_running(folder)
        detached.stop(folder, _ENDPOINT_GRACE)
        what = "ended while it was starting" if ended else f"was not healthy after {seconds:.0f} s"
        log = folder / "log.txt"
        raise EndpointFailed(f"endpoint {endpoint.name} {what}: {last_line(log)} (log: {log})")

    def endpoints(self) -> list[Endpoint]:
        """Those whose process lives."""
        found = [self._read_endpoint(folder) for folder in sorted((self.root / "endpoints").glob("*"))]
        return [endpoint for endpoint in found if endpoint is not None]

    def endpoint_log(self, name: str) -> Path:
        """The supervisor writes it."""
        return self._endpoint(name) / "log.txt"

    def delete_endpoint(self, name: str) -> bool:
        """Lets the server finish its answers, then removes its folder."""
        folder = self._endpoint(name)
        existed = detached.is_running(folder)
        detached.stop(folder, _ENDPOINT_GRACE)
        shutil.rmtree(folder, ignore_errors=True)
        return existed

    def enter_model(self, judged: JudgedModel) -> None:
        """Processes have no registry but our own."""

    def sweep(self, now: datetime) -> list[str]:
        """Stops endpoints and jobs past their expiry, and removes what dead ones left."""
        swept = self.sweep_aliases(now)
        for folder in sorted((self.root / "endpoints").glob("*")):
            endpoint = self._read_endpoint(folder)
            if endpoint is None or endpoint.labels.expires_at < now:
                self.delete_endpoint(folder.name)
                swept.append(f"endpoint {folder.name}" + (" (had ended)" if endpoint is None else " (expired)"))
        for folder in sorted((self.root / "jobs").glob("*")):
            if self._expired(folder, now) and (folder / "opt-ml").exists():
                self.stop_job(folder.name)
                self.remove_job(folder.name)
                swept.append(f"job {folder.name}")
        return swept

    def _expired(self, folder: Path, now: datetime) -> bool:
        try:
            job = TrainingJob.model_validate_json((folder / "job.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return datetime.fromtimestamp(folder.stat().st_mtime, UTC) < now and not detached.is_running(folder)
        return job.labels.expires_at < now

    def _job(self, name: str) -> Path:
        return self.root / "jobs" / name

    def _endpoint(self, name: str) -> Path:
        return self.root / "endpoints" / name

    def _read_endpoint(self, folder: Path) -> Endpoint | None:
        try:
            endpoint = Endpoint.model_validate_json((folder / "endpoint.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return endpoint if detached.is_running(folder) else None
