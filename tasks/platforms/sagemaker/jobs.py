"""Training jobs: found by name, followed through their log. Their weights stay in S3."""

import logging
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from finetune_flows.tasks.artifacts.remote import REMOTE, RemoteFiles, list_prefix
from finetune_flows.tasks.aws.errors import aws_errors, code_of, is_missing
from finetune_flows.tasks.base.files import PACKAGE, write_json
from finetune_flows.tasks.platforms.contract import JobState, ReadLine, Status, TrainingJob
from finetune_flows.tasks.platforms.local.staging import stage
from finetune_flows.tasks.platforms.sagemaker import data, images, requests
from finetune_flows.tasks.platforms.sagemaker.logs import JOBS, LogFollower
from finetune_flows.tasks.platforms.sagemaker.place import Place, polls

log = logging.getLogger("finetune.sagemaker")
ENTRY = PACKAGE / "containers" / "training" / "entry.py"
# Failures that are not the program's fault: another attempt may succeed.
_CAPACITY = re.compile(r"^CapacityError|InsufficientInstanceCapacity|insufficient capacity", re.IGNORECASE)
_FAULT_OF_AWS = re.compile(r"^Internal(Server)?Error")
_STATUS: dict[str, Status] = {"Completed": "completed", "Failed": "failed", "Stopped": "stopped", "Stopping": "running"}
_WEIGHTS = ".safetensors"


class SageMakerJobs(Place):
    """The training and converting part of `contract.Platform`."""

    def convert_model(self, source: Path, output: Path, chat_template: str | None) -> None:
        """Converts on this machine, in another process; the result is uploaded once."""
        stage(source, output, chat_template)

    def start_job(self, job: TrainingJob) -> None:
        """Uploads what is not in S3 yet and creates the job. A job of that name that exists is left alone."""
        with aws_errors(f"starting job {job.name}"):
            if self._describe(job.name) is None:
                self.remember()
                instance = self._instance(job.name)
                image = images.training_image(self.clients, instance)
                request = requests.training_job(self.clients, job, self._channels(job), image, instance)
                self._create_job(request)

    def _create_job(self, request: requests.Request) -> None:
        """Creates the job, unless its name is taken."""
        # A taken name is our own job: its response was lost, and botocore repeated the request.
        from botocore.exceptions import ClientError

        try:
            self.sagemaker.create_training_job(**request)
        except ClientError as error:
            if code_of(error) != "ResourceInUse":
                raise

    def _channels(self, job: TrainingJob) -> dict[str, str]:
        """The s3:// prefix of each channel; uploads what is not in S3 yet."""
        kinds = {"model": "base-model"}
        channels = {name: data.place(self.clients, kinds.get(name, name), path) for name, path in job.channels.items()}
        if self.section.training_image is None:
            channels["code"] = data.place_files(self.clients, "code", code_files())
        long = requests.split_hyperparameters(job.hyperparameters)[1]
        if long:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "hyperparameters.json"
                write_json(file, long)
                channels["settings"] = data.place_files(self.clients, "settings", {file.name: file})
        return channels

    def _instance(self, name: str) -> str:
        """The instance type: the recipe's first, and one further for each earlier attempt that found no capacity."""
        base, _, attempt = name.rpartition("-")
        earlier = [self._describe(f"{base}-{number}") or {} for number in range(1, int(attempt))]
        found_none = sum(_CAPACITY.search(each.get("FailureReason", "")) is not None for each in earlier)
        types = self.section.training_instances
        return types[found_none % len(types)]

    def describe_job(self, name: str) -> JobState:
        """The job's state from DescribeTrainingJob; `absent` if AWS does not know the job."""
        with aws_errors(f"asking for job {name}"):
            return self._state(name, self._describe(name))

    def _describe(self, name: str) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        try:
            described: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return described

    def _state(self, name: str, described: dict[str, Any] | None) -> JobState:
        if described is None:
            return JobState(status="absent")
        # AWS may add statuses, so an unknown one counts as running.
        status = _STATUS.get(described["TrainingJobStatus"], "running")
        if status == "completed" and not self._has_model(described):
            return JobState(status="failed", failure="its model is no longer in S3")
        place = f"{self._log_file(name)}, CloudWatch {JOBS}/{name}"
        failure = described.get("FailureReason") or _why_stopped(described)
        passing = bool(failure and (_CAPACITY.search(failure) or _FAULT_OF_AWS.search(failure)))
        return JobState(
            status=status, failure=failure if status in ("failed", "stopped") else None, passing=passing, log=place
        )

    def _has_model(self, described: dict[str, Any]) -> bool:
        """Whether training.json, the last file that a job writes, is still in S3."""
        files = list_prefix(self.clients.client("s3"), _model_uri(described) + "training.json")
        return bool(files)

    def follow_job(self, name: str, read_line: ReadLine) -> JobState:
        """Passes each line of the job's log to `read_line` until the job ends, however long that takes."""
        lines = LogFollower(self.clients.client("logs"), JOBS, f"{name}/", self._log_file(name))
        shown = ""
        with aws_errors(f"following job {name}"):
            for _ in polls(self.sleep):
                described = self._describe(name)
                state = self._state(name, described)
                lines.read(read_line)
                secondary = (described or {}).get("SecondaryStatus", "")
                if secondary != shown:
                    shown = secondary
                    log.info("job %s: %s", name, secondary)
                if state.status != "running":
                    break
        if state.status == "failed":
            return state.model_copy(update={"failure": _with_last_lines(state.failure, lines.last_lines(10))})
        return state

    def stop_job(self, name: str) -> None:
        """Stops the job and waits for its end. SageMaker sends SIGTERM, and SIGKILL after 120 seconds."""
        from botocore.exceptions import ClientError

        with aws_errors(f"stopping job {name}"):
            try:
                self.sagemaker.stop_training_job(TrainingJobName=name)
            except ClientError as error:
                if code_of(error) != "ValidationException":  # it has ended, or there is none
                    raise
            for _ in polls(self.sleep):
                if self._state(name, self._describe(name)).status != "running":
                    return

    def job_output(self, name: str) -> Path:
        """A folder with the small files of the model, and remote.json in place of its weights, which stay in S3."""
        folder = self.root / "jobs" / name / "model"
        with aws_errors(f"reading the model of job {name}"):
            described = self._describe(name) or {}
            uri = _model_uri(described)
            files = list_prefix(self.clients.client("s3"), uri)
            small = [file for file in files if not file.endswith(_WEIGHTS)]
            data.download(self.clients, uri, small, folder)
        remote = RemoteFiles(
            uri=uri, region=self.clients.region, profile=self.section.profile, files=files, facts=self._facts(described)
        )
        write_json(folder / REMOTE, remote.model_dump(mode="json"))
        return folder

    def remove_job(self, name: str) -> None:
        """Deletes the job's checkpoints. The model stays in S3, because the artefact refers to it."""
        with aws_errors(f"removing job {name}"):
            described = self._describe(name) or {}
            checkpoints = described.get("CheckpointConfig", {}).get("S3Uri")
            if checkpoints:
                data.delete_prefix(self.clients, checkpoints)
        shutil.rmtree(self.root / "jobs" / name / "model", ignore_errors=True)

    def _facts(self, described: dict[str, Any]) -> dict[str, Any]:
        """The facts of DescribeTrainingJob to keep with the model, and the digest of the image behind the tag."""
        algorithm, resources = described["AlgorithmSpecification"], described["ResourceConfig"]
        wanted = ("TrainingTimeInSeconds", "BillableTimeInSeconds", "TrainingJobArn")
        facts = {name: described[name] for name in wanted if name in described}
        return facts | {
            "TrainingJobName": described["TrainingJobName"],
            "TrainingImage": algorithm["TrainingImage"],
            "TrainingImageDigest": self._digest(algorithm["TrainingImage"]),
            "InstanceType": resources.get("InstanceType"),
            "InstanceCount": resources.get("InstanceCount"),
            "SpotTraining": described.get("EnableManagedSpotTraining", False),
        }

    def _digest(self, image: str) -> str:
        from botocore.exceptions import ClientError

        try:
            return images.image_digest(self.clients, image) or "unknown"
        except ClientError as error:
            log.warning("the digest of image %s could not be read, so it is recorded as unknown: %s", image, error)
            return "unknown"

    def _log_file(self, name: str) -> Path:
        return self.root / "jobs" / name / "log.txt"


def code_files() -> dict[str, Path]:
    """The files of the channel `code`: the training program, and the script that starts it in AWS's container."""
    program = [path for path in (PACKAGE / "training").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    starting = {path.name: path for path in (ENTRY, ENTRY.with_name("requirements.txt"))}
    return {path.relative_to(PACKAGE.parent).as_posix(): path for path in program} | starting


def _model_uri(described: dict[str, Any]) -> str:
    # As AWS reports it, not built from the job's name: AWS decides the folders below our output prefix.
    return str(described["ModelArtifacts"]["S3ModelArtifacts"]).rstrip("/") + "/"


def _why_stopped(described: dict[str, Any]) -> str | None:
    if described["TrainingJobStatus"] != "Stopped":
        return None
    limits = {
        "MaxRuntimeExceeded": "it reached its longest running time; raise platform.max_runtime_hours",
        "MaxWaitTimeExceeded": "no spot capacity came in time; raise platform.max_wait_hours",
    }
    return limits.get(described.get("SecondaryStatus", ""), "it was stopped before its end")


def _with_last_lines(failure: str | None, lines: list[str]) -> str:
    """The reason, followed by the last lines of the log."""
    return "\n    ".join([failure or "no reason given", *lines])
