"""How the program is started in a container that was not made for it."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

ENTRY = ROOT / "containers" / "training" / "entry.py"
PROGRAM = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getpid()]))"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """The channel, with a program that tells how it was started."""
    code = tmp_path / "opt-ml" / "input" / "data" / "code"
    (code / "finetune_flows" / "training").mkdir(parents=True)
    (code / "finetune_flows" / "__init__.py").touch()
    (code / "finetune_flows" / "training" / "__init__.py").touch()
    (code / "finetune_flows" / "training" / "__main__.py").write_text(PROGRAM)
    shutil.copy(ENTRY, code)
    return code


def start(code: Path, requirements: str, **environment: str) -> "subprocess.Popen[str]":
    (code / "requirements.txt").write_text(requirements)
    command = [sys.executable, "-u", str(code / "entry.py"), "train"]
    environment |= {"PATH": "/usr/bin:/bin"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_same_process_becomes_the_program_with_the_root_it_lies_in(code: Path) -> None:
    process = start(code, f"# a comment\npydantic=={importlib.metadata.version('pydantic')}\n")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    arguments, number = json.loads(out)
    assert arguments == ["train", "--root", str(code.parents[2])]
    assert number == process.pid, "SIGTERM reaches it"


def test_what_lacks_is_named_and_a_job_that_cannot_get_it_says_so(code: Path, tmp_path: Path) -> None:
    nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    process = start(code, "pydantic==0.0.1\nno-such-package==1\n", **nowhere)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "installing 2 packages: pydantic==0.0.1 no-such-package==1" in out
    failure = (code.parents[2] / "output" / "failure").read_text()
    assert "cannot be installed" in failure
    assert "containers/training" in failure
    assert failure in err
