"""The load test in short. In full: `python -m benchmarks.serving_load`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiny_model import tiny_rows


@pytest.mark.slow
def test_under_load_no_answer_is_wrong_no_request_is_lost_and_memory_is_flat(root: Path, tmp_path: Path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(json.dumps(row) for row in tiny_rows(40)), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "benchmarks.serving_load",
        str(root / "model"),
        "--rows",
        str(rows),
        "--seconds",
        "30",
    ]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "'refused'" in result.stdout
    assert "'given up'" in result.stdout
    assert "; 0 wrong" in result.stdout
