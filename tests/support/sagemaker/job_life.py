"""The life of a training job: from the wait for a machine to the upload of what it made."""

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.support.sagemaker.account import Account
from tests.support.sagemaker.api_model import Payload
from tests.support.sagemaker.containers import Program
from tests.support.sagemaker.host import Host
from tests.support.sagemaker.logs import LogStream, Metrics
from tests.support.sagemaker.tables import Resource, now

GRACE_SECONDS = 120
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
STATUS_MESSAGES = {
    "Starting": "Launching requested ML instances",
    "Downloading": "Downloading the training image",
    "Training": "Training image download completed. Training in progress.",
    "Interrupted": "Training job interrupted: spot capacity is unavailable. Waiting for capacity.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Completed": "Training job completed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds",
}


class Failed(Exception):
    """The job cannot go on. The message becomes its FailureReason."""


@dataclass
class Job(Resource):
    """What DescribeTrainingJob tells, and what it takes to end it."""

    secondary: str = ""
    transitions: list[Payload] = field(default_factory=list)
    failure: str | None = None
    training_start: datetime | None = None
    training_end: datetime | None = None
    trained_seconds: float = 0.0
    artifacts: str | None = None
    metrics: list[Payload] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    processes: list[Program] = field(default_factory=list)

    def move(self, secondary: str, message: str | None = None) -> None:
        """Into the next secondary status."""
        moment = now()
        if self.transitions:
            self.transitions[-1]["EndTime"] = moment
        words = message or STATUS_MESSAGES.get(secondary, secondary)
        self.transitions.append({"Status": secondary, "StartTime": moment, "StatusMessage": words})
        self.secondary, self.modified = secondary, moment


class Life:
    """Takes one job from Starting to its end; runs in a thread."""

    def __init__(self, account: Account, job: Job) -> None:
        self.account, self.job, self.request = account, job, job.request
        self.runs = 0
        self.ending = "exit"
        self.deadline = float("inf")
        self.metrics = Metrics(
            self.request["AlgorithmSpecification"].get("MetricDefinitions", []), account.cloudwatch, job.name
        )

    def run(self) -> None:
        """Whatever happens, the job ends in a state."""
        try:
            hosts = self._train()
            self._upload(hosts)
            self._end(*self._last_status())
        except Failed as failure:
            self.job.failure = str(failure)
            self._end("Failed", "Failed", str(failure))
        except Exception as error:
            self.job.failure = f"InternalServerError: We encountered an internal error. Please try again. ({error!r})"
            self._end("Failed", "Failed", self.job.failure)
            raise

    def _train(self) -> list[Host]:
        """Runs the program until it ends or is ended; on another machine again when a spot instance was taken away."""
        self._find_machines()
        while True:
            hosts = self._prepare()
            if self.job.stop.is_set():
                self.ending = "stopped"
                return hosts
            codes = self._run(hosts)
            if self.ending == "interrupted" and not self.job.stop.is_set():
                self._move("Interrupted")
                self.ending = "exit"
                continue
            if self.ending == "exit" and any(codes):
                raise Failed(_reason(hosts, codes))
            return hosts

    def _find_machines(self) -> None:
        self._move("Starting")
        if self.request["ResourceConfig"]["InstanceType"] in self.account.faults.no_capacity:
            raise Failed(
                "CapacityError: Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity "
                "error. Please retry using a different ML instance type or after some time."
            )

    def _prepare(self) -> list[Host]:
        self.runs += 1
        if self.runs > 1:
            self._move("Starting")
        self._move("Downloading")
        hosts = []
        for number in range(self.request["ResourceConfig"].get("InstanceCount", 1)):
            folder = self.account.folder / "jobs" / self.job.name / f"run-{self.runs}-algo-{number + 1}"
            hosts.append(Host(self.account, self.request, self.job.arn, folder, number + 1))
            hosts[-1].lay_out()
        return hosts

    def _run(self, hosts: list[Host]) -> list[int]:
        self._move("Training")
        self.job.training_start = self.job.training_start or now()
        started = time.monotonic()
        allowed = self.request["StoppingCondition"].get("MaxRuntimeInSeconds", 86400) - self.job.trained_seconds
        self.deadline = started + allowed
        ended = threading.Event()
        with ExitStack() as stack:
            for host in hosts:
                self.job.processes.append(process := host.start())
                for work in ((self._read, host, process), (host.keep_checkpoints, ended)):
                    thread = threading.Thread(target=work[0], args=work[1:], daemon=True)
                    thread.start()
                    stack.callback(thread.join)
            stack.callback(ended.set)
            running = self.job.processes[-len(hosts) :]
            self._watch(running)
            codes = [process.wait() for process in running]
        if self.ending != "vanished":
            for host in hosts:
                host.sync()
        self.ending = "interrupted" if self.ending == "vanished" else self.ending
        self.job.training_end = now()
        self.job.trained_seconds += time.monotonic() - started
        return codes

    def _read(self, host: Host, process: Program) -> None:
        """Each line to the log and the metrics; a step may be the one at which a spot instance is taken away."""
        stream = LogStream(self.account.logs, LOG_GROUP, f"{self.job.name}/{host.name}-{int(time.time())}")
        for line in process.lines():
            stream.write(line)
            stream.flush()
            self.metrics.read(line)
            if line.startswith("step=") and self.request.get("EnableManagedSpotTraining"):
                due = self.account.faults.interruption_at(int(line.split()[0].removeprefix("step=")))
                if due:
                    self.ending = "interrupted" if due.notice else "vanished"

    def _watch(self, processes: list[Program]) -> None:
        """Until all have ended, one has failed, or there is a reason to end them: then SIGTERM, grace, SIGKILL."""
        kill_at: float | None = None
        while any(process.is_running() for process in processes):
            if kill_at is None and self._must_end(processes):
                kill_at = time.monotonic() + (0 if self.ending == "vanished" else GRACE_SECONDS)
                for process in processes:
                    process.terminate() if self.ending != "vanished" else process.kill()
            if kill_at is not None and time.monotonic() > kill_at:
                for process in processes:
                    process.kill()
            time.sleep(0.02)

    def _must_end(self, processes: list[Program]) -> bool:
        if self.ending in ("interrupted", "vanished"):
            return True
        if self.job.stop.is_set():
            self.ending = "stopped"
            self.job.move("Stopping")
            return True
        if time.monotonic() > self.deadline:
            self.ending = "max-runtime"
            return True
        return any(not process.is_running() and process.wait() for process in processes)

    def _upload(self, hosts: list[Host]) -> None:
        self.job.metrics = self.metrics.publish()
        self._move("Uploading")
        output, first = self.request["OutputDataConfig"], hosts[0]
        place = f"{output['S3OutputPath'].rstrip('/')}/{self.job.name}/output"
        storage, scratch = self.account.storage, first.folder / "archive.tar.gz"
        plain = output.get("CompressionType", "GZIP") == "NONE"
        if plain:
            storage.upload(first.root / "model", f"{place}/model")
        else:
            storage.upload_archive(first.root / "model", f"{place}/model.tar.gz", scratch)
        if any((first.root / "output/data").iterdir()):
            if plain:
                storage.upload(first.root / "output/data", f"{place}/data")
            else:
                storage.upload_archive(first.root / "output/data", f"{place}/output.tar.gz", scratch)
        self.job.artifacts = f"{place}/model/" if plain else f"{place}/model.tar.gz"

    def _last_status(self) -> tuple[str, str]:
        return {"stopped": ("Stopped", "Stopped"), "max-runtime": ("Stopped", "MaxRuntimeExceeded")}.get(
            self.ending, ("Completed", "Completed")
        )

    def _move(self, secondary: str) -> None:
        self.job.move(secondary)
        self.account.pause()

    def _end(self, status: str, secondary: str, message: str | None = None) -> None:
        self.job.move(secondary, message)
        self.job.transitions[-1]["EndTime"] = now()
        self.job.status = status


def _reason(hosts: list[Host], codes: list[int]) -> str:
    """FailureReason of a program that failed, from the file it left."""
    host, code = next((host, code) for host, code in zip(hosts, codes, strict=True) if code)
    number = 128 - code if code < 0 else code  # as a container tells of a signal
    return f"AlgorithmError: {host.failure()}, exit code: {number}"


def seconds(value: float) -> int:
    """Whole seconds, at least one, as AWS bills."""
    return max(1, round(value))


def description(job: Job) -> dict[str, Any]:
    """Answer to DescribeTrainingJob."""
    request = {name: value for name, value in job.request.items() if name != "Tags"}
    times = {"TrainingStartTime": job.training_start, "TrainingEndTime": job.training_end}
    answer: dict[str, Any] = {
        **request,
        "TrainingJobArn": job.arn,
        "TrainingJobStatus": job.status,
        "SecondaryStatus": job.secondary,
        "SecondaryStatusTransitions": list(job.transitions),
        "ModelArtifacts": {"S3ModelArtifacts": job.artifacts} if job.artifacts else None,
        "CreationTime": job.created,
        "LastModifiedTime": job.modified,
        "FailureReason": job.failure[:1024] if job.failure else None,
        "FinalMetricDataList": job.metrics or None,
        **times,
    }
    if job.training_end and job.status != "InProgress":
        spent = seconds(job.trained_seconds)
        spot = job.request.get("EnableManagedSpotTraining")
        answer |= {"TrainingTimeInSeconds": spent, "BillableTimeInSeconds": seconds(spent * 0.3) if spot else spent}
    return {name: value for name, value in answer.items() if value is not None}
