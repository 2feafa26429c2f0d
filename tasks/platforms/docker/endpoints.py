"""Endpoints as containers: on the loopback interface only, found again by label, ended at their deadline."""

import shutil
from pathlib import Path

from docker.models.containers import Container

from finetune_flows.tasks.artifacts.remote import with_weights
from finetune_flows.tasks.base.errors import EndpointFailed
from finetune_flows.tasks.base.files import locked, read_model, write_json
from finetune_flows.tasks.base.paths import directly_in
from finetune_flows.tasks.platforms import engines
from finetune_flows.tasks.platforms.contract import Endpoint, EndpointSpec, Labels
from finetune_flows.tasks.platforms.docker import serving
from finetune_flows.tasks.platforms.docker.containers import Program, bind, create, labels_of, write_deadline
from finetune_flows.tasks.platforms.docker.engine import engine_errors
from finetune_flows.tasks.platforms.docker.images import find_image
from finetune_flows.tasks.platforms.docker.place import Place, remove, start
from finetune_flows.tasks.platforms.local.folders import last_line
from finetune_flows.tasks.platforms.local.health import wait_until_healthy

_GRACE = 30  # seconds between SIGTERM and SIGKILL, the same as SageMaker gives a server
_PORT = f"{engines.PORT}/tcp"


class DockerEndpoints(Place):
    """The serving part of `contract.Platform`."""

    def start_endpoint(self, spec: EndpointSpec) -> Endpoint:
        """Starts the serving image on a free port of the loopback interface."""
        with engine_errors(f"starting endpoint {spec.name}"):
            plan = serving.plan(self.section, spec)
            image = find_image(self.client, "serving", plan.image, self.section.base_image)
            with locked(self.root / "endpoints.lock"):
                container = self.find(self.container_name(spec.name))
                if container is None or not _serves(container, spec):
                    remove(container)
                    container = self._start_endpoint(spec, plan, image)
                self._renew(spec)
            endpoint = self.endpoint_of(container)
            return self._healthy(endpoint, container, plan.health, spec.startup_seconds)

    def _start_endpoint(self, spec: EndpointSpec, plan: serving.Plan, image: str) -> Container:
        folder = self.folder("endpoints", spec.name)
        container = create(
            self.client,
            self.section,
            Program(image, plan.command, self.container_name(spec.name), folder, _GRACE),
            mounts=[bind(with_weights(spec.model, self.root / "fetched"), engines.MODEL)],
            environment=plan.environment,
            ports={_PORT: ("127.0.0.1", None)},
            labels=labels_of(self.root, "endpoint", spec.name, spec.labels)
            | {"finetune.model_digest": spec.model_digest},
        )
        write_deadline(folder, spec.labels.expires_at.timestamp())
        start(container)
        return container

    def _renew(self, spec: EndpointSpec) -> None:
        """Sets labels and deadline of a running endpoint, but never to an earlier expiry."""
        # Docker cannot change the labels of a container: the valid ones are in a file in the endpoint's folder.
        folder = self.folder("endpoints", spec.name)
        before = read_model(folder / "labels.json", Labels)
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
            slow = f"was not healthy after {seconds:.0f} s (serving.startup_minutes)"
            what = slow if runs() else "ended while it was starting"
            log = _copy_log(container, self.root / "logs" / f"{endpoint.name}.txt")
        except BaseException:
            self.delete_endpoint(endpoint.name)
            raise
        self.delete_endpoint(endpoint.name)
        raise EndpointFailed(f"endpoint {endpoint.name} {what}: {last_line(log)} (log: {log})")

    def endpoints(self) -> list[Endpoint]:
        """The endpoints whose container is running."""
        with engine_errors("listing endpoints"):
            return [self.endpoint_of(each) for each in self.containers("endpoint") if each.status == "running"]

    def endpoint_log(self, name: str) -> Path:
        """A copy of the log, which the engine keeps as long as the container. It is deleted with the endpoint."""
        log = directly_in(self.root / "endpoints", name) / "log.txt"
        with engine_errors(f"reading the log of endpoint {name}"):
            container = self.find(self.container_name(name))
            return _copy_log(container, log) if container else log

    def delete_endpoint(self, name: str) -> bool:
        """Lets the server finish its answers, then removes its container and folder."""
        folder = directly_in(self.root / "endpoints", name)
        with engine_errors(f"deleting endpoint {name}"):
            container = self.find(self.container_name(name))
            existed = container is not None and container.status == "running"
            if container is not None and existed:
                container.stop(timeout=_GRACE)
            remove(container)
        shutil.rmtree(folder, ignore_errors=True)
        return existed

    def endpoint_of(self, container: Container) -> Endpoint:
        """The endpoint of a container, from its labels, its ports and the file with the labels valid now."""
        own = {key.removeprefix("finetune."): value for key, value in container.labels.items()}
        written = Labels.model_validate({key: own[key] for key in Labels.model_fields})
        bindings = container.ports.get(_PORT) or [{"HostPort": "0"}]
        return Endpoint(
            name=own["name"],
            url=f"http://127.0.0.1:{bindings[0]['HostPort']}",
            model_digest=own["model_digest"],
            labels=read_model(self.root / "endpoints" / own["name"] / "labels.json", Labels) or written,
        )


def _serves(container: Container, spec: EndpointSpec) -> bool:
    return container.status == "running" and container.labels.get("finetune.model_digest") == spec.model_digest


def _copy_log(container: Container, log: Path) -> Path:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        file.writelines(container.logs(stream=True, follow=False))  # otherwise docker-py follows a stream without end
    return log
