"""How we create each container: its rights, its limits, and a deadline that ends it even if everyone has forgotten it."""

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
_THREADS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")  # for equal results, and speed on a shared machine
_GIB = 2**30


@dataclass(frozen=True)
class Program:
    """What a container runs. Its deadline can be moved while it runs."""

    image: str
    command: Sequence[str]
    name: str
    folder: Path
    """The folder with the file `deadline`."""
    grace: int
    """Seconds between SIGTERM and SIGKILL."""


def create(client: docker.DockerClient, section: DockerPlatform, program: Program, **options: Any) -> Container:
    """Creates a container without starting it. `options` are docker-py's.

    It runs as the calling user, so that its files belong to them, without capabilities, on a read-only root with /tmp in
    memory, and with limits for memory and processes.
    """
    memory = _memory(client, section)
    own = client.images.get(program.image).attrs["Config"].get("Entrypoint") or []
    # Copied, because this code may itself run in a container, and the engine mounts by paths of the machine.
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
        init=True,  # Python as process 1 would ignore SIGTERM, and each stop would last the whole grace period
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        read_only=True,
        tmpfs={"/tmp": "rw,exec,mode=1777"},
        pids_limit=4096,
        shm_size=_GIB,  # Docker's default is 64 MB
        device_requests=_devices(section.gpus),
        log_config=LogConfig(type="json-file", config={"max-size": "50m", "max-file": "2"}),
        mem_limit=memory,
        memswap_limit=memory,  # equal, so without swap: a job that is too large ends at once with a clear reason
        **options,
    )
    return created


def bind(source: Path, target: str, *, writable: bool = False) -> Mount:
    """Mounts a folder or file of this machine in the container."""
    # A Mount, not `volumes`: the engine refuses a source that is absent, and does not create an empty folder for it.
    return Mount(target, str(source.absolute()), type="bind", read_only=not writable)


def labels_of(root: Path, kind: str, name: str, labels: Labels) -> dict[str, str]:
    """Labels to find a container by. `root` names the home that owns it, because several homes may share one engine."""
    own = {"finetune.home": str(root), "finetune.kind": kind, "finetune.name": name}
    return own | {f"finetune.{key}": str(value) for key, value in labels.model_dump(mode="json").items()}


def write_deadline(folder: Path, seconds: float) -> None:
    """Sets the time, in seconds since 1970, at which the container ends by itself."""
    (folder / "deadline.new").write_text(f"{seconds:.0f}", encoding="utf-8")
    os.replace(folder / "deadline.new", folder / "deadline")


def _memory(client: docker.DockerClient, section: DockerPlatform) -> int:
    """The memory limit in bytes; without a setting, all of the machine's memory but 1 GiB."""
    return int(section.memory_gb * _GIB) if section.memory_gb else int(client.info()["MemTotal"]) - _GIB


def _devices(gpus: str | None) -> list[DeviceRequest]:
    if gpus is None:
        return []
    if gpus.startswith("device="):
        return [DeviceRequest(device_ids=gpus.removeprefix("device=").split(","), capabilities=[["gpu"]])]
    return [DeviceRequest(count=-1 if gpus == "all" else int(gpus), capabilities=[["gpu"]])]
