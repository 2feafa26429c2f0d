"""Commands that need AWS on a machine without the extra `sagemaker`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXTRA = ("boto3", "botocore", "regex", "sagemaker")
WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({EXTRA!r}))  # None: importing it fails, as when it is not installed
from finetune_flows.flows.cli import main
main()
"""
RECIPE = "recipes/text-to-sql-codellama-7b.yaml"


@pytest.mark.parametrize(
    "command",
    [
        ["setup", "aws", "--dry-run"],
        ["setup", "aws", "--cloudformation"],
        ["plan", RECIPE, "--platform", "sagemaker"],
    ],
    ids=" ".join,
)
def test_one_line_names_the_extra_to_install(command: list[str], tmp_path: Path) -> None:
    environment = os.environ | {"FINETUNE_HOME": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, *command], capture_output=True, text=True, check=False, env=environment
    )
    assert run.returncode == 1
    assert run.stderr == "finetune: platform sagemaker needs boto3: pip install 'finetune-flows[sagemaker]'\n"
