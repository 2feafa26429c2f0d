"""Servers that answer from an exported model, each in a process of its own."""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from finetune_flows.tasks.base.errors import EndpointFailed
from finetune_flows.tasks.base.programs import program
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.endpoints.connect import Connection, Http
from finetune_flows.tasks.exporting.tools import last_line

_READY = re.compile(r"^serving .* on (http://\S+)", re.MULTILINE)
_START_SECONDS = 900  # a model of several GB on a slow disk
_STOP_SECONDS = 30


@contextmanager
def started(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Connection]:
    """A program that serves until the end of the context. It prints `serving ... on ADDRESS` when it is ready.

    Raises:
        EndpointFailed: it ends before, or takes too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            yield Http(_address(process, log))
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    end = time.monotonic() + _START_SECONDS
    while (status := process.poll()) is None and time.monotonic() < end:
        if ready := _READY.search(log.read_text(encoding="utf-8", errors="replace")):
            return ready[1]
        time.sleep(0.1)
    if status is None:
        raise EndpointFailed(f"the server was not ready after {_START_SECONDS} s")
    raise EndpointFailed(f"the server ended: {last_line(log.read_text(encoding='utf-8', errors='replace'), status)}")


@contextmanager
def our_server(folder: Path, window: int, environment: Mapping[str, str]) -> Iterator[Connection]:
    """Our own server with the model in `folder`, on the CPU. `window`: room for prompt and answer, in tokens."""
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "model").symlink_to(folder.absolute())
        settings = {"SERVING_ENGINE": "transformers", "SERVING_MAX_MODEL_LENGTH": str(window)}
        own = {**environment, **settings, "CUDA_VISIBLE_DEVICES": ""}
        with started(program("containers.serving", "--root", root, "--port", "0"), own) as connection:
            yield connection


def prompt_ids(connection: Connection, rows: Sequence[TestRow]) -> list[list[int]]:
    """The token ids that a server with vLLM's route /tokenize makes of each row's prompt."""
    with connection.client(60) as client:
        return [post(client, "/tokenize", {"messages": row.prompt})["tokens"] for row in rows]


def post(client: httpx.Client, route: str, body: dict[str, Any]) -> Any:
    """The JSON that a route answers. Raises EndpointFailed."""
    try:
        return client.post(route, json=body).raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise EndpointFailed(f"{route} of the exported model's server: {error}") from error
