"""The docker platform as a whole."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from finetune_flows.tasks.base.files import locked, read_model
from finetune_flows.tasks.platforms.contract import Intent, TrainingJob
from finetune_flows.tasks.platforms.docker.endpoints import DockerEndpoints
from finetune_flows.tasks.platforms.docker.engine import connect, engine_errors
from finetune_flows.tasks.platforms.docker.jobs import DockerJobs
from finetune_flows.tasks.platforms.docker.place import remove
from finetune_flows.tasks.platforms.local.machine import ThisMachine
from finetune_flows.tasks.preflight.report import Report


class DockerRunner(DockerJobs, DockerEndpoints, ThisMachine):
    """Implements `contract.Platform` with containers of one engine and mounted folders below `root`."""

    def preflight(self, intent: Callable[[], Intent]) -> Report | None:
        """Checks that the engine answers, before a model is staged for it; a container that fails to start costs nothing.

        Raises:
            EnvironmentProblem: no engine answers, or this user may not use it.
        """
        connect()
        return None

    def sweep(self, now: datetime) -> list[str]:
        """Removes expired endpoints and jobs, and the containers of dead ones."""
        swept = []
        with engine_errors("sweeping"):
            for container in self.containers("endpoint"):
                endpoint = self.endpoint_of(container)
                if container.status != "running" or endpoint.labels.expires_at < now:
                    self.delete_endpoint(endpoint.name)
                    ended = " (had ended)" if container.status != "running" else " (expired)"
                    swept.append(f"container of endpoint {endpoint.name}{ended}")
            for container in self.containers("conversion"):
                if container.status != "running":
                    remove(container)
                    swept.append(f"container {container.name}")
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
            return self.find(self.container_name(folder.name)) is None
        return job.labels.expires_at < now
