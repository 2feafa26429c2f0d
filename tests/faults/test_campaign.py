"""Some faults of the campaign for every change of the code; `python -m tests.faults` strikes with as many as there is time for."""

import subprocess
import sys

import pytest

from tests import ROOT


def campaign(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.faults", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1500)


@pytest.mark.slow
def test_changes_of_the_champion_survive_faults() -> None:
    done = campaign("--faults", "4", "--seed", "1", "--during", "promote", "rollback")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "faults with seed 1" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1600)
def test_runs_and_changes_survive_faults() -> None:
    done = campaign("--faults", "30", "--seed", "7")
    assert done.returncode == 0, done.stdout + done.stderr
