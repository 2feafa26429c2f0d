"""The lasting address of a recipe's champion on this machine: a forwarder on a port that never changes."""

import shutil
import socket
import time
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from finetune_flows.tasks.base.errors import EndpointFailed
from finetune_flows.tasks.base.files import home, locked, read_model, write_json
from finetune_flows.tasks.base.paths import directly_in
from finetune_flows.tasks.base.programs import script
from finetune_flows.tasks.base.values import now
from finetune_flows.tasks.platforms.contract import Alias, Endpoint, EndpointSpec
from finetune_flows.tasks.platforms.local import detached
from finetune_flows.tasks.platforms.local.folders import last_line
from finetune_flows.tasks.platforms.local.health import wait_until_healthy

_GRACE = 30.0  # seconds between SIGTERM and SIGKILL
_STARTUP_SECONDS = 120.0
_DRAIN_SECONDS = 600.0  # the longest time that a server lets one request take


class LocalAliases:
    """The part of `contract.Platform` that gives champions an address, for platforms with endpoints on this machine.

    Forwarders belong to the home, not to a platform: a recipe that moves from processes to containers keeps its address.
    """

    def point_alias(self, name: str, endpoint: Endpoint, spec: EndpointSpec) -> Alias:
        """Redirects the forwarder, or starts it on its earlier port; waits for the last requests to the earlier target."""
        folder = _folder(name)
        with _changing(name):
            url = _address(folder)
            alias = Alias(name=name, url=url, endpoint=endpoint.name, target=endpoint.url, labels=endpoint.labels)
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / "alias.json", alias.model_dump(mode="json"))
            detached.extend(folder, alias.labels.expires_at.timestamp())
            _drain(alias, folder)
            if not detached.is_running(folder):
                _start(alias, folder)
            return alias

    def aliases(self) -> list[Alias]:
        """The aliases whose forwarder is running."""
        folders = sorted((home() / "aliases").glob("*/alias.json"))
        found = [_read(file.parent) for file in folders if detached.is_running(file.parent)]
        return [alias for alias in found if alias is not None]

    def delete_alias(self, name: str) -> bool:
        """Lets the requests in progress end, then stops the forwarder and forgets the address."""
        folder = _folder(name)
        with _changing(name):
            existed = (folder / "alias.json").exists()
            detached.stop(folder, _GRACE)
            shutil.rmtree(folder, ignore_errors=True)
        return existed

    def sweep_aliases(self, now: datetime) -> list[str]:
        """Stops expired aliases. Their port stays on record, so that they return under the same address."""
        return [f"alias {alias.name} (expired)" for alias in self.aliases() if _stopped(alias.name, now)]


def expired() -> list[Alias]:
    """The addresses of this home whose time is over."""
    found = [_read(file.parent) for file in sorted((home() / "aliases").glob("*/alias.json"))]
    return [alias for alias in found if alias is not None and alias.labels.expires_at < now()]


def ended(alias: Alias) -> str:
    """When an expired alias stopped serving, and how to start it again."""
    until = alias.labels.expires_at.astimezone()
    return (
        f"{alias.name} served until {until:%Y-%m-%d %H:%M} and stopped by itself (serving.expires_after_hours). To start it "
        f"again at the same address, give finetune run with the recipe of {alias.name}: what is made is not made again"
    )


def free_port() -> int:
    """A port of the loopback interface on which nothing listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _changing(name: str) -> AbstractContextManager[None]:
    """One changes, deletes or sweeps an alias at a time."""
    return locked(home() / "aliases" / f".{name}.lock")


def _stopped(name: str, now: datetime) -> bool:
    """Stops the forwarder if the alias has expired. False if it has not: a promotion may just have renewed it."""
    with _changing(name):
        alias = _read(_folder(name))
        if alias is None or alias.labels.expires_at >= now:
            return False
        detached.stop(_folder(name), _GRACE)
        return True


def _start(alias: Alias, folder: Path) -> None:
    port = alias.url.rsplit(":", 1)[1]
    (folder / "exit.json").unlink(missing_ok=True)
    command = script(Path(__file__).with_name("forwarder.py"), str(folder), port)
    detached.start(folder, command, {}, alias.labels.expires_at.timestamp(), _GRACE)
    if not wait_until_healthy(f"{alias.url}/.alias", _STARTUP_SECONDS, lambda: detached.is_running(folder)):
        detached.stop(folder, _GRACE)
        log = folder / "log.txt"
        raise EndpointFailed(
            f"the address {alias.url} of {alias.name} did not come up: {last_line(log)} (log: {log}). If another program "
            f"uses that port, run `finetune endpoint delete {alias.name}`: the next promotion then takes a new address"
        )


def _drain(alias: Alias, folder: Path) -> None:
    """Waits until no request to another target is in progress. A forwarder that has ended has none."""
    give_up = time.monotonic() + _DRAIN_SECONDS
    while time.monotonic() < give_up and detached.is_running(folder):
        with suppress(httpx.HTTPError):  # it is busy, or it is ending
            state: dict[str, Any] = httpx.get(f"{alias.url}/.alias", timeout=10, trust_env=False).json()
            if not set(state["under_way"]) - {alias.target}:
                return
        time.sleep(0.05)


def _address(folder: Path) -> str:
    """The address on record. If the record is damaged, that of the running forwarder; else a new one."""
    before = _read(folder)
    if before is not None:
        return before.url
    *_, port = detached.command(folder) or [""]
    if not port:
        detached.stop(folder, _GRACE)
    return f"http://127.0.0.1:{port or free_port()}"


def _folder(name: str) -> Path:
    return directly_in(home() / "aliases", name)


def _read(folder: Path) -> Alias | None:
    return read_model(folder / "alias.json", Alias)
