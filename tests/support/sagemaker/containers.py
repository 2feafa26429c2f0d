"""Programs with an /opt/ml of their own: processes in a mount namespace, so that the paths are the true ones.

Needs Linux, and root or user namespaces. Nothing is left on the machine but the given folder.
"""

import contextlib
import functools
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

# Where /opt/ml is missing, a folder that shows all of /opt, and /opt/ml beside it, is laid over /opt.
_ENTER = """
set -e
root=$1; shift
if [ ! -d /opt/ml ]; then
  mount -t tmpfs none "$root/../opt"
  for each in /opt/*/; do
    [ -d "$each" ] || continue
    mkdir "$root/../opt/$(basename "$each")"
    mount --rbind "$each" "$root/../opt/$(basename "$each")"
  done
  mkdir "$root/../opt/ml"
  mount --rbind "$root/../opt" /opt
fi
mount --bind "$root" /opt/ml
[ ! -f "$root/../hosts" ] || mount --bind "$root/../hosts" /etc/hosts
cd /
exec "$@"
"""


@functools.cache
def can_run_processes() -> bool:
    """Whether this machine lets a process have mounts of its own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "ml"
        program = Process.start(["test", "-d", "/opt/ml"], root, {}, network=True)
        return program.wait() == 0


class Process:
    """One program that runs."""

    def __init__(self, popen: "subprocess.Popen[bytes]") -> None:
        self.popen = popen

    @classmethod
    def start(cls, command: Sequence[str], root: Path, environment: Mapping[str, str], network: bool) -> "Process":
        """Runs `command` with `root` as its /opt/ml and nothing but `environment` and a PATH.

        `network` False: not even the loopback interface is up, as with EnableNetworkIsolation.
        """
        root.mkdir(parents=True, exist_ok=True)
        (root.parent / "opt").mkdir(exist_ok=True)
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        isolated = [] if network else ["--net"]
        enter = ["unshare", "--mount", "--propagation", "private", *user, *isolated, "sh", "-c", _ENTER, "sh"]
        path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"])
        return cls(
            subprocess.Popen(
                [*enter, str(root), *command],
                env={"PATH": path, "HOME": "/tmp", "LANG": "C.UTF-8", **environment},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )

    def lines(self) -> Iterator[str]:
        """What it prints, until it ends."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            yield line.decode("utf-8", "replace").rstrip("\r\n")

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.popen.poll() is None

    def wait(self) -> int:
        """Its exit code; -N for signal N."""
        return self.popen.wait()

    def terminate(self) -> None:
        """SIGTERM to the program itself, as a container's first process gets it."""
        with contextlib.suppress(ProcessLookupError):
            self.popen.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to all of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)


class Program(Protocol):
    """A program that runs, wherever."""

    def lines(self) -> Iterator[str]:
        """What it prints, until it ends."""

    def is_running(self) -> bool:
        """Whether it has not ended."""

    def wait(self) -> int:
        """Its exit code."""

    def terminate(self) -> None:
        """SIGTERM to its first process."""

    def kill(self) -> None:
        """SIGKILL to all of it."""


def start_container(
    tag: str,
    command: Sequence[str],
    root: Path,
    environment: Mapping[str, str],
    network: bool,
    entrypoint: Sequence[str] = (),
    port: int | None = None,
) -> Program:
    """The same by a Docker engine; docker-py is not needed by those who do without."""
    from tests.support.sagemaker.docker_containers import Container

    return Container.start(tag, command, root, environment, network, entrypoint, port)
