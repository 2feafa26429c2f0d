"""A server for tests: a process of its own, on a free port."""

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests import ROOT

START_SECONDS = 240  # a busy machine takes 15, vLLM on one 120


class Server:
    """A running `python -m finetune_flows.containers.serving` and what it printed."""

    def __init__(self, root: Path, *arguments: str, python: str = sys.executable, **environment: str) -> None:
        quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
        self.process = subprocess.Popen(
            [python, "-m", "finetune_flows.containers.serving", "--root", str(root), "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **quiet, **environment},
            cwd=ROOT,
        )
        self.lines: list[str] = []
        self._new: queue.Queue[str | None] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            self._new.put(line)
        self._new.put(None)

    def wait_until_ready(self) -> str:
        """The server's address, from the line it prints."""
        while (line := self._new.get(timeout=START_SECONDS)) is not None:
            if line.startswith("serving "):
                return line.split(" on ")[1].split(" ")[0]
        raise AssertionError("the server ended: " + "\n".join(self.lines))

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)
