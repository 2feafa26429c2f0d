"""vLLM behind our routes: the conformance suite, with a server that runs where vLLM is installed.

    VLLM_PYTHON=/path/to/its/venv/bin/python pytest -m slow tests/containers/serving/test_vllm_engine.py

vLLM pins other versions than we do, so it needs an environment of its own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.containers.serving.running_server import Server

PYTHON = os.environ.get("VLLM_PYTHON", "")


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON, reason="VLLM_PYTHON names no interpreter that has vllm")
def test_our_routes_on_vllm_conform(root: Path):
    server = Server(root, python=PYTHON, SERVING_ENGINE="vllm")
    url = server.wait_until_ready()
    try:
        assert any("(engine vllm, float32, cpu)" in line for line in server.lines)
        # Its prefix cache on a CPU works in blocks that are longer than the tiny model's prompts.
        suite = [sys.executable, "-m", "pytest", "tests/conformance", "--endpoint", url, "--lacks", "cached-tokens"]
        result = subprocess.run(suite, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout
    finally:
        assert server.stop() == 0
