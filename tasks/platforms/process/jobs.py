"""Jobs as detached processes: found again by their folder, and ended at their deadline."""

import shutil
import time
from pathlib import Path

from finetune_flows.tasks.artifacts.remote import with_weights
from finetune_flows.tasks.base.files import locked, write_json
from finetune_flows.tasks.base.paths import directly_in
from finetune_flows.tasks.base.programs import program
from finetune_flows.tasks.platforms.contract import JobState, ReadLine, TrainingJob
from finetune_flows.tasks.platforms.local import detached
from finetune_flows.tasks.platforms.local.folders import ended_state, lay_out
from finetune_flows.tasks.platforms.local.staging import stage
from finetune_flows.tasks.platforms.process.place import Place

_GRACE = 120.0  # seconds between SIGTERM and SIGKILL, the same as SageMaker gives a job


class ProcessJobs(Place):
    """The training and converting part of `contract.Platform`."""

    def convert_model(self, source: Path, output: Path, chat_template: str | None) -> None:
        """Runs the training program's `stage` in another process."""
        stage(source, output, chat_template, self.python)

    def start_job(self, job: TrainingJob) -> None:
        """Creates the contract's folders and starts the training program."""
        with locked(self.root / "jobs.lock"):  # if two runs start the same job, one starts it and the other attaches
            if not self._job(job.name).exists():
                self._start_job(job)

    def _start_job(self, job: TrainingJob) -> None:
        folder = self._job(job.name)
        root = self._lay_out(folder, job)
        write_json(folder / "job.json", job.model_dump(mode="json"))
        command = program("training", "train", "--root", str(root), python=self.python)
        deadline = time.time() + job.max_runtime_seconds
        detached.start(folder, command, {"TRAINING_JOB_NAME": job.name}, deadline, _GRACE)

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
        """The job's state. `completed` means that the program left training.json, the last file that it writes."""
        with locked(self.root / "jobs.lock"):  # a job that is just being started must not look dead
            return self._describe_job(name)

    def _describe_job(self, name: str) -> JobState:
        folder = self._job(name)
        if not folder.exists():
            return JobState(status="absent")
        log = str(folder / "log.txt")
        if detached.is_running(folder):
            return JobState(status="running", log=log)
        ending = detached.ending(folder)
        code, reason = (ending.exit_code, ending.reason) if ending else (None, None)
        return ended_state(folder / "opt-ml", code, reason, folder / "log.txt")

    def follow_job(self, name: str, read_line: ReadLine) -> JobState:
        """Reads the log to the job's end."""
        detached.follow(self._job(name), read_line)
        return self.describe_job(name)

    def stop_job(self, name: str) -> None:
        """Sends SIGTERM, then SIGKILL after the same grace period as SageMaker's."""
        detached.stop(self._job(name), _GRACE)

    def job_output(self, name: str) -> Path:
        """The job's /opt/ml/model."""
        return self._job(name) / "opt-ml" / "model"

    def remove_job(self, name: str) -> None:
        """Deletes the job's folders. Keeps log.txt, exit.json and job.json as a small record of what ran."""
        root = self._job(name) / "opt-ml"
        shutil.rmtree((root / "checkpoints").resolve(), ignore_errors=True)
        shutil.rmtree(root, ignore_errors=True)

    def _job(self, name: str) -> Path:
        return directly_in(self.root / "jobs", name)
