"""The world of a campaign: a home on a small disk of its own, a recipe, and the command line, started by forking.

It knows the product from outside: its commands, the files in its home, its processes and its HTTP.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.faults.places import PLACES
from tests.support.tiny_model import build_tiny_model, tiny_recipe

STEPS = 8
LONGEST_SECONDS = 150.0  # no command may take longer, whatever happens to it


@dataclass
class Command:
    """A command that was started. `exit_code` is None while it runs, and negative if a signal ended it."""

    words: list[str]
    pid: int
    files: Path
    begun: float = field(default_factory=time.time)
    exit_code: int | None = None

    def poll(self) -> bool:
        """Whether it has ended."""
        if self.exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.exit_code = os.waitstatus_to_exitcode(status) if pid else None
        return self.exit_code is not None

    @property
    def out(self) -> str:
        return self.files.with_suffix(".out").read_text(errors="replace")

    @property
    def err(self) -> str:
        return self.files.with_suffix(".err").read_text(errors="replace")


class World:
    """`root` gets a disk of `megabytes` at root/disk (if this process may mount one) with the home on it."""

    def __init__(self, root: Path, platform: str = "process", megabytes: int = 256) -> None:
        self.root, self.disk = root, root / "disk"
        self.home, self.snapshot = self.disk / "home", root / "snapshot"
        self.disk.mkdir(parents=True)
        options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "faults", str(self.disk)]
        self.mounted = subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0
        self.commands: list[Command] = []
        self.client: subprocess.Popen[bytes] | None = None
        self.client_url = ""
        os.environ.update(self._environment())
        self.place = PLACES[platform](root, self.home)
        self.recipe = self._write_recipe()
        self._import()

    def _environment(self) -> dict[str, str]:
        for name in ("PREFECT_API_URL", "FINETUNE_DEBUG"):
            os.environ.pop(name, None)
        return {
            "FINETUNE_HOME": str(self.home),
            "PREFECT_HOME": str(self.root / "prefect"),
            "PREFECT_LOGGING_LEVEL": "CRITICAL",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
        }

    def _write_recipe(self) -> Path:
        content = tiny_recipe(self.root, build_tiny_model(self.root / "base"))
        content["training"] |= {"max_steps": STEPS, "checkpoint_every": 50}
        content["serving"]["expires_after_hours"] = 1
        content["platform"] = self.place.section()
        path = self.root / "tiny.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    @staticmethod
    def _import() -> None:
        """What every command would import: two seconds of each, which a fork need not spend."""
        from finetune_flows.flows import cli, evaluate, finetune, prefect_server, promote, sweep  # noqa: F401

    def start(self, *words: str, environment: dict[str, str] | None = None, anew: bool = False) -> Command:
        """Starts `finetune WORDS` in a session of its own. `anew`: with an interpreter of its own, imports included."""
        files = self.root / "commands" / f"{len(self.commands):04}-{words[0]}"
        files.parent.mkdir(exist_ok=True)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            self._run(list(words), files, environment or {}, anew or bool(environment))
        command = Command(list(words), pid, files)
        self.commands.append(command)
        return command

    @staticmethod
    def _run(words: list[str], files: Path, environment: dict[str, str], anew: bool) -> None:
        code = 70
        try:
            os.setsid()
            os.environ.update(environment)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            for target, name in enumerate((os.devnull, f"{files}.out", f"{files}.err")):
                os.dup2(os.open(name, os.O_RDWR | os.O_CREAT, 0o644), target)
            if anew:
                os.execv(sys.executable, [sys.executable, "-m", "finetune_flows.flows.cli", *words])
            code = _call(words)
        finally:
            os._exit(code)

    def finish(self, command: Command, seconds: float = LONGEST_SECONDS) -> Command:
        """Waits for its end. A command that does not end in time is killed; its exit code is then None."""
        limit = time.monotonic() + seconds
        while not command.poll():
            if time.monotonic() > limit:
                os.killpg(command.pid, signal.SIGABRT)
                time.sleep(1)
                os.killpg(command.pid, signal.SIGKILL)
                os.waitpid(command.pid, 0)
                return command
            time.sleep(0.02)
        return command

    def call(self, *words: str) -> Command:
        """Starts a command and waits for its end."""
        return self.finish(self.start(*words))

    def read(self, path: str) -> dict[str, Any]:
        """A JSON file of the home; empty if it is absent or damaged."""
        try:
            content = json.loads((self.home / path).read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def files(self, pattern: str) -> list[Path]:
        """Files of the home, by name. Those of jobs, servers and checkpoints are where the platform has them."""
        own = pattern.startswith(("jobs/", "endpoints/", "checkpoints/"))
        return sorted((self.home / self.place.folder if own else self.home).glob(pattern))

    def save(self) -> None:
        """Keeps the home, to return to it with `restore`."""
        shutil.rmtree(self.snapshot, ignore_errors=True)
        shutil.copytree(self.home, self.snapshot, symlinks=True, ignore=shutil.ignore_patterns("prefect", "*.lock"))

    def restore(self) -> None:
        """The home as it was saved, with nothing running but Prefect's server."""
        self.stop_client()
        self.end_processes()
        for path in self.home.iterdir():
            if path.name != "prefect":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        shutil.copytree(self.snapshot, self.home, symlinks=True, dirs_exist_ok=True)

    def end_processes(self, everything: bool = False) -> None:
        """Kills what runs in this home; Prefect's server only if `everything`."""
        for role in self.place.roles:
            if everything or role != "Prefect server":
                self.place.send(role, signal.SIGKILL)
        self.place.clear()

    def start_client(self) -> None:
        """Clients ask the lasting address from now on, unless they do so already."""
        url = str(self.read("aliases/tiny/alias.json").get("url", ""))
        if url == self.client_url and self.client is not None:
            return
        self.stop_client()
        self.client_url = url
        file = self.root / "requests.jsonl"
        file.unlink(missing_ok=True)
        script = str(Path(__file__).with_name("client.py"))
        self.client = subprocess.Popen([sys.executable, "-S", script, url, str(file)])

    def stop_client(self) -> None:
        """Nobody asks any more."""
        if self.client is not None:
            self.client.kill()
            self.client.wait(30)
            self.client = None

    def requests(self, since: float, until: float) -> Iterator[dict[str, Any]]:
        """The clients' requests that began in this time (seconds since 1970)."""
        for line in (self.root / "requests.jsonl").read_text().splitlines():
            with contextlib.suppress(ValueError):  # the line that is being written
                record = json.loads(line)
                if since <= record["begun"] <= until:
                    yield record

    def close(self) -> None:
        """Ends everything and removes the disk."""
        self.stop_client()
        for command in self.commands:
            if not command.poll():  # first, because it would start Prefect's server again
                os.killpg(command.pid, signal.SIGKILL)
        self.end_processes(everything=True)
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.disk)], check=False)
        shutil.rmtree(self.root, ignore_errors=True)


def _call(words: list[str]) -> int:
    """The command's exit code, after all that an interpreter does at its end."""
    import atexit
    import threading
    import traceback

    from finetune_flows.flows.cli import main

    sys.argv = ["finetune", *words]
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code
