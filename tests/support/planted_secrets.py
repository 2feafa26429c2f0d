"""Secrets in the environment of whoever starts a flow, and a search for them in all that a flow leaves or starts."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL

from tests.support.sagemaker.emulator import SECRET_KEY, Emulator

PLANTED = {
    "HF_TOKEN": "hf_planted0123456789",
    "WANDB_API_KEY": "wandb-planted-0123456789",
    "OPENAI_API_KEY": "sk-planted-0123456789",
    "DATABASE_PASSWORD": "pw-planted-0123456789",
    "MY_CREDENTIALS": "cr-planted-0123456789",
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    # A recipe names the variables of its secrets itself, and no pattern finds these.
    "WAREHOUSE": "wh-planted-0123456789",
    "THE_JUDGE": "ju-planted-0123456789",
    "GATED": "ga-planted-0123456789",
}


class Listener(logging.Handler):
    """Everything that any logger says, as a file would hold it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Formats at once: later the arguments may be others."""
        self.lines.append(f"{record.name} {record.getMessage()} {record.exc_text or ''}")


def plant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Into the environment."""
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)


@contextmanager
def watched(home: Path) -> Iterator[set[str]]:
    """The planted values in environments and command lines of the processes that the block starts; complete at its end.

    A process counts that comes from this one, or whose FINETUNE_HOME is `home`, such as a server that outlives its flow.
    """
    found: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            found.update(_in_processes(home))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield found
        found.update(_in_processes(home))
    finally:
        ended.set()
        watcher.join()


def _in_processes(home: Path) -> Iterator[str]:
    below = {process.pid for process in psutil.Process().children(recursive=True)}
    for process in psutil.process_iter():
        try:
            environment, command = process.environ(), process.cmdline()
        except (psutil.Error, OSError):  # it has ended, or belongs to somebody else
            continue
        if process.pid == os.getpid() or not (process.pid in below or environment.get("FINETUNE_HOME") == str(home)):
            continue
        for name, value in PLANTED.items():
            what = " ".join(command)[:200]
            if any(value in each for each in environment.values()):
                yield f"{name} is in the environment of {what}"
            if any(value in word for word in command):
                yield f"{name} is in the command line of {what}"


def in_files(*folders: Path) -> list[str]:
    """The files that hold a planted value, every byte of them read."""
    return [
        f"{name} is in {path}"
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
        for content in [path.read_bytes()]
        for name, value in PLANTED.items()
        if value.encode() in content
    ]


def prefect_database() -> Path:
    """The folder of the file in which the session's Prefect server keeps runs, parameters and logs."""
    path = Path(urlsplit(str(PREFECT_SERVER_DATABASE_CONNECTION_URL.value())).path)
    assert path.is_file()
    return path.parent


def in_aws(emulator: Emulator, said: list[str], home: Path) -> list[str]:
    """Where a planted value is: in a request, an object, a log of AWS, a log of ours, a file of ours."""
    found = in_files(home)
    for name, value in PLANTED.items():
        secret = value.encode()
        found += [f"{name} was sent to AWS" for text in emulator.record.texts() if secret in text]
        found += [f"{name} is in an object" for body in _objects(emulator) if secret in body]
        found += [f"{name} is in CloudWatch: {line}" for line in _cloudwatch(emulator) if value in line]
        found += [f"{name} was logged: {line}" for line in said if value in line]
    return found


def _objects(emulator: Emulator) -> list[bytes]:
    s3 = emulator.account.s3
    return [
        s3.get_object(Bucket=bucket["Name"], Key=each["Key"])["Body"].read()
        for bucket in s3.list_buckets()["Buckets"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"])
        for each in page.get("Contents", [])
    ]


def _cloudwatch(emulator: Emulator) -> list[str]:
    groups = emulator.account.logs.describe_log_groups()["logGroups"]
    return [line for group in groups for line in emulator.log(group["logGroupName"])]
