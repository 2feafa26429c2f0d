"""The faults: what is done, and at which moments of which commands."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.faults.world import Command, World

Moment = Callable[[World, Command], bool]
Strike = Callable[[World, Command, random.Random], bool]
"""Does the damage. False if there was nothing to damage."""


def _changed_since(pattern: str) -> Moment:
    return lambda world, command: any(_changed(path) >= command.begun for path in world.files(pattern))


def _changed(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.lstat().st_ctime
    return 0.0


MOMENTS: dict[str, Moment] = {
    "at its start": lambda world, command: True,
    "the job is made": _changed_since("jobs/*/job.json"),
    "in training": _changed_since("checkpoints/*/state.json"),
    "trained": _changed_since("jobs/*/opt-ml/model/training.json"),
    "the model is stored": _changed_since("artifacts/drafts/model-*"),
    "the server is started": _changed_since("endpoints/*/*.json"),
    "the server is up": _changed_since("endpoints/*/lock"),
    "asking": _changed_since("predictions/*/predictions.jsonl"),
    "the evaluation is stored": _changed_since("artifacts/drafts/evaluation-*"),
    "deciding": _changed_since("registry/tiny.json"),
    "switching": lambda world, command: bool(world.read("registry/tiny.json").get("switching")),
    "the address moves": _changed_since("aliases/tiny/alias.json"),
    "reporting": _changed_since("runs/*/evaluation.json"),
    "after its end": lambda world, command: command.poll(),
}
OF_RUN = tuple(MOMENTS)
OF_SWITCH = ("at its start", "the server is started", "the server is up", "deciding", "switching", "the address moves")
TRAINING = ("the job is made", "in training")
AFTER = ("after its end",)
CHANGES = ("run", "promote", "rollback")


@dataclass(frozen=True)
class Fault:
    """`commands`: what is going on. `outage`: requests may fail. `loses`: artefacts of this kind have to be made again."""

    name: str
    strike: Strike
    commands: tuple[str, ...] = CHANGES
    moments: tuple[str, ...] = OF_RUN
    outage: bool = False
    loses: str = ""
    heal: Callable[[World], None] = field(default=lambda world: None)
    forgets: bool = False
    """The registry begins anew."""
    environment: dict[str, str] = field(default_factory=dict)
    """Of the command that is struck."""

    def moments_of(self, command: str) -> list[str]:
        """The moments that this command has."""
        return [each for each in self.moments if command == "run" or each in OF_SWITCH or each in AFTER]

    def during(self, commands: Sequence[str]) -> "Fault | None":
        """The same fault during these commands only; None if it is for none of them."""
        kept = tuple(command for command in self.commands if command in commands)
        return replace(self, commands=kept) if kept else None


def signalled(role: str, number: signal.Signals) -> Strike:
    """Sends a signal to a process of this role, or to the command itself."""

    def strike(world: World, command: Command, draw: random.Random) -> bool:
        if role == "command":
            if command.poll():
                return False
            with suppress(ProcessLookupError):
                # Ctrl-C in a terminal goes to the whole group.
                os.killpg(command.pid, number) if number == signal.SIGINT else os.kill(command.pid, number)
            return True
        return world.place.send(role, number)

    return strike


def frozen(role: str) -> Strike:
    """Stops a process for a second or three and lets it go on."""

    def strike(world: World, command: Command, draw: random.Random) -> bool:
        for number in (signal.SIGSTOP, signal.SIGCONT):
            if not signalled(role, number)(world, command, draw):
                return False
            time.sleep(draw.uniform(1, 3) if number == signal.SIGSTOP else 0)
        return True

    return strike


def damaged(pattern: str, how: str) -> Strike:
    """Damages one file of the home: cut, flipped, deleted, emptied, an object without fields, or a neighbour added."""

    def strike(world: World, command: Command, draw: random.Random) -> bool:
        files = [path for path in world.files(pattern) if path.is_file() and path.stat().st_size]
        if not files:
            return False
        if pattern.startswith("artifacts/"):  # of the newest artefact: the run that is repeated needs it
            newest = max(files, key=_changed).parts[: len(world.home.parts) + 3]
            files = [path for path in files if path.parts[: len(newest)] == newest]
        damage(draw.choice(files), how, draw)
        return True

    return strike


def damage(path: Path, how: str, draw: random.Random) -> None:
    """One kind of damage to one file."""
    content = path.read_bytes()
    if how == "deleted":
        path.unlink()
    elif how == "added to":
        path.with_name("added.json").write_text("{}")
    else:
        changed = bytearray(content)
        changed[draw.randrange(len(content))] ^= 1 << draw.randrange(7)
        path.write_bytes(
            {"cut": content[: len(content) // 2], "flipped": bytes(changed), "emptied": b"", "without fields": b"{}"}[
                how
            ]
        )


def without_checkpoints(world: World, command: Command, draw: random.Random) -> bool:
    """The checkpoints go, and the trainer with its supervisor is killed."""
    for folder in world.files("checkpoints/*"):
        shutil.rmtree(folder, ignore_errors=True)
    own = [role for role in ("job supervisor", "trainer") if role in world.place.roles]
    return any([world.place.send(role, signal.SIGKILL) for role in own])


def machine_off(world: World, command: Command, draw: random.Random) -> bool:
    """Everything of the home is killed at once, as when a machine loses power."""
    world.place.send(None, signal.SIGKILL)
    signalled("command", signal.SIGKILL)(world, command, draw)
    return True


def lid_closed(world: World, command: Command, draw: random.Random) -> bool:
    """Everything of the home stops for some seconds and goes on, as when a laptop is closed."""
    for number in (signal.SIGSTOP, signal.SIGCONT):
        world.place.send(None, number)
        signalled("command", number)(world, command, draw)
        time.sleep(draw.uniform(3, 6) if number == signal.SIGSTOP else 0)
    return True


def disk_full(world: World, command: Command, draw: random.Random) -> bool:
    """Not a byte is left on the home's disk."""
    if world.mounted:
        with suppress(OSError), (world.disk / "filler").open("wb") as filler:
            while True:
                filler.write(bytes(1 << 16))
                filler.flush()
    return world.mounted


def disk_freed(world: World) -> None:
    """There is room again."""
    (world.disk / "filler").unlink(missing_ok=True)


def read_only(world: World, command: Command, draw: random.Random) -> bool:
    """The home cannot be written: a second mount, read-only, over it. Files that are open stay writable."""
    if world.mounted:
        subprocess.run(["mount", "--bind", str(world.home), str(world.home)], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(world.home)], check=True)
    return world.mounted


def writable(world: World) -> None:
    """The home as it was. Lazily: whoever opened a file below the second mount may still read it."""
    subprocess.run(["umount", "-l", str(world.home)], check=True)


def expired(world: World, command: Command, draw: random.Random) -> bool:
    """The clock is past the deadline of everything that serves: its plans say so, and so do its labels."""
    plans = world.files("endpoints/*/process.json") + world.files("aliases/*/process.json")
    for path in plans:
        with suppress(OSError, ValueError):
            path.write_text(json.dumps(json.loads(path.read_text()) | {"deadline": 1}))
    return bool(plans)


def also(*words: str) -> Strike:
    """Starts another command at this moment."""

    def strike(world: World, command: Command, draw: random.Random) -> bool:
        world.start(*words) if words else world.start(*command.words)
        return True

    return strike


def another_clock(shift: str) -> dict[str, str]:
    """The environment of a command whose clock is wrong by `shift`, such as +7d."""
    return {"LD_PRELOAD": str(FAKETIME), "FAKETIME": shift}


FAKETIME = Path(os.environ.get("FAKETIME_LIBRARY", "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"))
_KILLS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_SERVING = ("server", "server supervisor", "forwarder", "forwarder supervisor")
_JSON = (
    "aliases/*/alias.json",
    "endpoints/*/endpoint.json",
    "*s/*/process.json",
    "jobs/*/exit.json",
    "jobs/*/job.json",
)
_NO_PART = ("runs/*/run.json", "prefect/*/server.json", "predictions/*/predictions.jsonl")


def faults(roles: Sequence[str]) -> list[Fault]:
    """All faults of a platform whose processes have these roles."""
    serving = [role for role in _SERVING if role in roles]
    made = [Fault(f"{number.name} to the command", signalled("command", number)) for number in _KILLS]
    for role in [role for role in ("trainer", "job supervisor") if role in roles]:
        made += [Fault(f"{n.name} to the {role}", signalled(role, n), ("run",), TRAINING) for n in _KILLS]
        made += [Fault(f"SIGSTOP, SIGCONT to the {role}", frozen(role), ("run",), TRAINING)]
    made += [Fault(f"{n.name} to the {role}", signalled(role, n), outage=True) for role in serving for n in _KILLS]
    for role in ("command", *serving, "Prefect server"):
        made.append(Fault(f"SIGSTOP, SIGCONT to the {role}", frozen(role)))
    made += [Fault(f"{n.name} to the Prefect server", signalled("Prefect server", n)) for n in _KILLS]
    for kind in ("base-model", "dataset", "model", "evaluation"):
        for how in ("cut", "flipped", "deleted", "added to"):
            strike = damaged(f"artifacts/{kind}/*/**/*", how)
            made.append(Fault(f"a {kind} {how}", strike, ("run",), AFTER, loses=kind))
    for pattern in _JSON:
        for how in ("cut", "flipped", "emptied", "without fields", "deleted"):
            made.append(Fault(f"{pattern} {how}", damaged(pattern, how), outage=True))
    for pattern in _NO_PART:
        made += [Fault(f"{pattern} {how}", damaged(pattern, how)) for how in ("cut", "flipped", "without fields")]
    for how in ("cut", "emptied", "without fields"):
        made.append(Fault(f"registry {how}", damaged("registry/tiny.json", how), ("run",), AFTER, forgets=True))
    made += [
        Fault("checkpoints gone, trainer killed", without_checkpoints, ("run",), TRAINING),
        Fault("everything killed", machine_off, outage=True),
        Fault("everything stopped for seconds", lid_closed),
        Fault("disk full", disk_full, heal=disk_freed),
        Fault("home read-only", read_only, heal=writable),
        Fault("all deadlines past", expired, outage=True),
        Fault("the same command at once", also(), ("run", "promote")),
        Fault("rollback at once", also("rollback", "tiny"), ("run", "promote", "rollback")),
        Fault("promote at once", also("promote", "tiny"), ("run", "rollback")),
        Fault("sweep at once", also("sweep")),
        Fault("the address deleted at once", also("endpoint", "delete", "tiny"), outage=True),
    ]
    if FAKETIME.exists():
        for shift in ("+7d", "-7d"):
            clock = another_clock(shift)
            made.append(Fault(f"clock {shift}", lambda *_: True, moments=AFTER, outage=True, environment=clock))
    return made
