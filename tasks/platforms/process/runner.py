"""The process platform as a whole."""

from datetime import datetime
from pathlib import Path

from finetune_flows.tasks.base.files import locked, read_model
from finetune_flows.tasks.platforms.contract import TrainingJob
from finetune_flows.tasks.platforms.local import detached
from finetune_flows.tasks.platforms.local.machine import ThisMachine
from finetune_flows.tasks.platforms.process.endpoints import ProcessEndpoints
from finetune_flows.tasks.platforms.process.jobs import ProcessJobs


class ProcessRunner(ProcessJobs, ProcessEndpoints, ThisMachine):
    """Implements `contract.Platform` with detached processes below one folder."""

    def sweep(self, now: datetime) -> list[str]:
        """Stops expired endpoints and jobs, and removes what dead ones left behind."""
        swept = self.sweep_aliases(now)
        with self._endpoints_locked():
            for folder in sorted((self.root / "endpoints").glob("*")):
                endpoint = self.read_endpoint(folder)
                if endpoint is None or endpoint.labels.expires_at < now:
                    self.delete_endpoint(folder.name)
                    swept.append(f"endpoint {folder.name}" + (" (had ended)" if endpoint is None else " (expired)"))
        with locked(self.root / "jobs.lock"):  # a job that is just being started has no record yet
            folders = sorted((self.root / "jobs").glob("*/opt-ml"))
            expired = [folder.parent for folder in folders if self._expired(folder.parent, now)]
        for folder in expired:
            self.stop_job(folder.name)
            self.remove_job(folder.name)
            swept.append(f"job {folder.name}")
        return swept

    def _expired(self, folder: Path, now: datetime) -> bool:
        job = read_model(folder / "job.json", TrainingJob)
        if job is None:
            return not detached.is_running(folder)
        return job.labels.expires_at < now
