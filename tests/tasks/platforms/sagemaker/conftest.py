"""One emulator for the session, an empty account for every test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sagemaker.containers import can_run_processes
from tests.support.sagemaker.emulator import Emulator


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    if not can_run_processes():
        reason = "the emulator runs programs in mount namespaces: it needs Linux, and root or user namespaces"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    emulator = Emulator(tmp_path_factory.mktemp("aws"))
    yield emulator
    emulator.stop()


@pytest.fixture
def emulator(aws: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Emulator]:
    """Every boto3 of the test and of the programs it starts talks to it, whatever the machine is set up for."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no credentials"))
    aws.reset()  # moto keeps its account in this process, where other tests may have emptied it
    yield aws
    broken = list(aws.cloud.own_faults)
    aws.reset()
    assert broken == [], "the emulator broke AWS's rules itself"
