"""Secrets in the environment of whoever starts a flow, and a search for them in all that leaves it."""

import logging
from pathlib import Path

import pytest

from tests.support.sagemaker.emulator import SECRET_KEY, Emulator

PLANTED = {
    "HF_TOKEN": "hf_planted0123456789",
    "WANDB_API_KEY": "wandb-planted-0123456789",
    "OPENAI_API_KEY": "sk-planted-0123456789",
    "DATABASE_PASSWORD": "pw-planted-0123456789",
    "MY_CREDENTIALS": "cr-planted-0123456789",
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
}


class Listener(logging.Handler):
    """Everything that any logger says, as it would stand in a file."""

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


def leaks(emulator: Emulator, said: list[str], home: Path) -> list[str]:
    """Where a planted value stands: in a request, an object, a log of AWS, a log of ours, a file of ours."""
    found = []
    for name, value in PLANTED.items():
        secret = value.encode()
        found += [f"{name} was sent to AWS" for text in emulator.record.texts() if secret in text]
        found += [f"{name} is in an object" for body in _objects(emulator) if secret in body]
        found += [f"{name} is in CloudWatch: {line}" for line in _cloudwatch(emulator) if value in line]
        found += [f"{name} was logged: {line}" for line in said if value in line]
        found += [f"{name} is in {path}" for path in home.rglob("*") if path.is_file() and secret in path.read_bytes()]
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
