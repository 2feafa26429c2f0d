"""What an interpreter of another environment gets of ours: the package, and nothing that lies beside it."""

import os
import subprocess
import sys
from pathlib import Path

from finetune_flows.tasks.base.files import PACKAGE
from finetune_flows.tasks.base.programs import program

# What a process finds that has our package from `site`, and what an interpreter finds that it starts.
PARENT = """
import os, subprocess, sys
sys.path.insert(0, sys.argv[1])
import beside
from finetune_flows.tasks.base.programs import import_path
assert beside.__file__.startswith(sys.argv[1])
environment = os.environ | {"PYTHONPATH": import_path()}
child = "import finetune_flows.training, importlib.util; print(importlib.util.find_spec('beside'))"
print(subprocess.run([sys.argv[2], "-P", "-c", child], env=environment, capture_output=True, text=True))
"""


def test_a_library_beside_our_package_does_not_reach_another_interpreter(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    site.mkdir()
    (site / "beside.py").write_text("")
    (site / "finetune_flows").symlink_to(PACKAGE)
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["FINETUNE_HOME"] = str(tmp_path / "home")
    command = [sys.executable, "-c", PARENT, str(site), str(bare / "bin" / "python")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "returncode=0, stdout='None\\n'" in done.stdout
    [folder] = (tmp_path / "home" / "code").iterdir()
    assert [entry.name for entry in folder.iterdir()] == ["finetune_flows"]


def test_the_working_directory_is_not_searched() -> None:
    assert "-P" in program("training")
