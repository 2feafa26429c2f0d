"""How each of our containers is made: what it may do, what it may use, and when it ends whoever forgot it."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from docker.types import DeviceRequest, LogConfig, Mount

from finetune_flows.tasks.base.files import PACKAGE
from finetune_flows.tasks.platforms.contract import Labels
from finetune_flows.tasks.sections.platforms import DockerPlatform

DEADLINE_PROGRAM = PACKAGE / "containers" / "deadline.py"
_THREADS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")  # what makes runs alike and quick beside others
_GIB = 2**30


@dataclass(frozen=True)
class Program:
    """What a container runs, under a deadline that can be moved while it runs."""

    image: str
    command: Sequence[str]
    name: str
    folder: Path
    """Holds the file `deadline`."""
    grace: int
    """Seconds between SIGTERM and SIGKILL."""


def create(client: docker.DockerClient, section: DockerPlatform, program: Program, **options: Any) -> Container:
    """A container that is not started yet. `options` are those of docker-py.

    It runs as the calling user, so that what it writes belongs to them; without capabilities, on a read-only root with
    /tmp in memory, and under limits of memory and processes.
    """
    memory = _memory(client, section)
    own = client.images.get(program.image).attrs["Config"].get("Entrypoint") or []
    # Copied, because this program may itself be in a container, and the engine mounts by the machine's own paths.
    shutil.copyfile(DEADLINE_PROGRAM, program.folder / "deadline.py")
    threads = {name: os.environ[name] for name in _THREADS if name in os.environ}
    created: Container = client.containers.create(
        program.image,
        entrypoint=["python3", "/opt/deadline/deadline.py", "/opt/deadline/deadline", str(program.grace), *own],
        command=list(program.command),
        name=program.name,
        mounts=[bind(program.folder, "/opt/deadline"), *options.pop("mounts", [])],
        environment={"HOME": "/tmp", "USER": "finetune", "HF_HUB_OFFLINE": "1"}
        | threads
        | options.pop("environment", {}),
        user=f"{os.getuid()}:{os.getgid()}",
        init=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        read_only=True,
        tmpfs={"/tmp": "rw,exec,mode=1777"},
        pids_limit=4096,
        shm_size=_GIB,
        device_requests=_devices(section.gpus),
        log_config=LogConfig(type="json-file", config={"max-size": "50m", "max-file": "2"}),
        mem_limit=memory,
        memswap_limit=memory,  # alike: no swap, so that the end comes at once and is told
        **options,
    )
    return created


def bind(source: Path, target: str, *, writable: bool = False) -> Mount:
    """A folder or file of this machine inside the container. Fails when it is not there, instead of making it."""
    return Mount(target, str(source.absolute()), type="bind", read_only=not writable)


def labels_of(root: Path, kind: str, name: str, labels: Labels) -> dict[str, str]:
    """By these a container is found again. `root`: whose it is, for several homes may share one engine."""
    own = {"finetune.home": str(root), "finetune.kind": kind, "finetune.name": name}
    return own | {f"finetune.{key}": str(value) for key, value in labels.model_dump(mode="json").items()}


def write_deadline(folder: Path, seconds: float) -> None:
    """Sets the moment, in seconds since 1970, at which the container ends by itself."""
    (folder / "deadline.new").write_text(f"{seconds:.0f}", encoding="utf-8")
    os.replace(folder / "deadline.new", folder / "deadline")


def _memory(client: docker.DockerClient, section: DockerPlatform) -> int:
    """In bytes."""
    return int(section.memory_gb * _GIB) if section.memory_gb else int(client.info()["MemTotal"]) - _GIB


def _devices(gpus: str | None) -> list[DeviceRequest]:
    if gpus is None:
        return []
    if gpus.startswith("device="):
        return [DeviceRequest(device_ids=gpus.removeprefix("device=").split(","), capabilities=[["gpu"]])]
    return [DeviceRequest(count=-1 if gpus == "all" else int(gpus), capabilities=[["gpu"]])]
