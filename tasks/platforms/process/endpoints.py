"""Endpoints as detached processes: our own server on the loopback interface, which ends at its deadline."""

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from finetune_flows.tasks.artifacts.remote import with_weights
from finetune_flows.tasks.base.errors import EndpointFailed
from finetune_flows.tasks.base.files import locked, read_model, write_json
from finetune_flows.tasks.base.paths import directly_in
from finetune_flows.tasks.base.programs import program
from finetune_flows.tasks.platforms import engines
from finetune_flows.tasks.platforms.contract import Endpoint, EndpointSpec
from finetune_flows.tasks.platforms.local import detached
from finetune_flows.tasks.platforms.local.aliases import free_port
from finetune_flows.tasks.platforms.local.folders import last_line
from finetune_flows.tasks.platforms.local.health import wait_until_healthy
from finetune_flows.tasks.platforms.process.place import Place

_GRACE = 30.0  # seconds between SIGTERM and SIGKILL, the same as SageMaker gives a server


class ProcessEndpoints(Place):
    """The serving part of `contract.Platform`."""

    def start_endpoint(self, spec: EndpointSpec) -> Endpoint:
        """Starts our own server on a free port of the loopback interface."""
        folder = self._endpoint(spec.name)
        with self._endpoints_locked():
            endpoint = self._renewed(spec, folder) or self._started(spec, folder)
        return self._healthy(endpoint, folder, spec.startup_seconds)

    def _endpoints_locked(self) -> AbstractContextManager[None]:
        """One starts or sweeps at a time: what is being started must not look dead, or be started twice."""
        return locked(self.root / "endpoints.lock")

    def _renewed(self, spec: EndpointSpec, folder: Path) -> Endpoint | None:
        """The endpoint, with a later expiry, if it serves this model already."""
        running = self.read_endpoint(folder)
        if running is None or running.model_digest != spec.model_digest:
            return None
        labels = max(running.labels, spec.labels, key=lambda each: each.expires_at)  # never an earlier expiry
        renewed = running.model_copy(update={"labels": labels})
        detached.extend(folder, labels.expires_at.timestamp())
        write_json(folder / "endpoint.json", renewed.model_dump(mode="json"))
        return renewed

    def _started(self, spec: EndpointSpec, folder: Path) -> Endpoint:
        self.delete_endpoint(spec.name)
        (folder / "opt-ml").mkdir(parents=True)
        (folder / "opt-ml" / "model").symlink_to(with_weights(spec.model, self.root / "fetched").absolute())
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        endpoint = Endpoint(name=spec.name, url=url, model_digest=spec.model_digest, labels=spec.labels)
        write_json(folder / "endpoint.json", endpoint.model_dump(mode="json"))
        command = program("containers.serving", "serve", "--root", str(folder / "opt-ml"), python=self.serving_python)
        command += ["--host", "127.0.0.1", "--port", str(port)]
        detached.start(
            folder,
            command,
            engines.environment("finetune-flows", spec.serving),
            spec.labels.expires_at.timestamp(),
            _GRACE,
        )
        return endpoint

    def _healthy(self, endpoint: Endpoint, folder: Path, seconds: float) -> Endpoint:
        try:
            if wait_until_healthy(f"{endpoint.url}/ping", seconds, lambda: detached.is_running(folder)):
                return endpoint
        except BaseException:
            detached.stop(folder, _GRACE)
            raise
        ended = not detached.is_running(folder)
        detached.stop(folder, _GRACE)
        slow = f"was not healthy after {seconds:.0f} s (serving.startup_minutes)"
        log = folder / "log.txt"
        what = "ended while it was starting" if ended else slow
        raise EndpointFailed(f"endpoint {endpoint.name} {what}: {last_line(log)} (log: {log})")

    def endpoints(self) -> list[Endpoint]:
        """The endpoints whose process is running."""
        found = [self.read_endpoint(folder) for folder in sorted((self.root / "endpoints").glob("*"))]
        return [endpoint for endpoint in found if endpoint is not None]

    def endpoint_log(self, name: str) -> Path:
        """The log file that the supervisor writes."""
        return self._endpoint(name) / "log.txt"

    def delete_endpoint(self, name: str) -> bool:
        """Lets the server finish its answers, then removes its folder."""
        folder = self._endpoint(name)
        existed = detached.is_running(folder)
        detached.stop(folder, _GRACE)
        shutil.rmtree(folder, ignore_errors=True)
        return existed

    def read_endpoint(self, folder: Path) -> Endpoint | None:
        """The endpoint of a folder; None unless its process is running."""
        endpoint = read_model(folder / "endpoint.json", Endpoint)
        return endpoint if endpoint and detached.is_running(folder) else None

    def _endpoint(self, name: str) -> Path:
        return directly_in(self.root / "endpoints", name)
