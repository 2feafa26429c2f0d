"""One Prefect server for all commands of a home, however they end, and none when nobody uses it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

START = """
import sys, time
from prefect.settings import PREFECT_API_URL
from finetune_flows.flows.prefect_server import use_prefect_server
from finetune_flows.tasks.base.errors import FinetuneError
try:
    use_prefect_server(idle_seconds=2)
except FinetuneError as error:
    sys.exit(str(error))
print(PREFECT_API_URL.value(), flush=True)
time.sleep(60)
"""


def command(home: Path, **environment: str) -> "subprocess.Popen[str]":
    kept = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    kept |= {"FINETUNE_HOME": str(home), "PREFECT_HOME": str(home.parent / "prefect")}
    return subprocess.Popen(
        [sys.executable, "-c", START],
        env=kept | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_commands_share_a_server_that_outlives_a_killed_one_and_ends_with_the_last(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with command(home) as first, command(home) as second:
        assert first.stdout
        assert second.stdout
        urls = {first.stdout.readline(), second.stdout.readline()}
        assert len(urls) == 1, "started at the same moment, they got one server"
        assert urls.pop().startswith("http://127.0.0.1:")
        (file,) = home.glob("prefect/*/server.json")
        server = psutil.Process(json.loads(file.read_text())["pid"])
        os.killpg(first.pid, signal.SIGINT)
        os.killpg(first.pid, signal.SIGKILL)
        time.sleep(4)
        assert server.is_running(), "the second command uses it still"
        os.killpg(second.pid, signal.SIGKILL)
    server.wait(60)
    assert not file.exists()


@pytest.mark.parametrize("broken", ["server", "home"])
def test_a_server_that_cannot_be_used_is_one_message(broken: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    if broken == "home":
        home.write_text("a file")
    with command(home, **({"PREFECT_API_URL": "http://127.0.0.1:9/api"} if broken == "server" else {})) as process:
        _, told = process.communicate(timeout=120)
    assert process.returncode == 1
    expected = {
        "server": "the Prefect server at http://127.0.0.1:9/api (PREFECT_API_URL) does not answer",
        "home": f"{home} (FINETUNE_HOME) cannot be written: Not a directory",
    }
    assert told.startswith(expected[broken])
    assert "Traceback" not in told


def test_a_server_that_is_killed_is_started_again_at_its_address_while_a_command_uses_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with command(home) as user:
        assert user.stdout
        url = user.stdout.readline().strip()
        (file,) = home.glob("prefect/*/server.json")
        killed = psutil.Process(json.loads(file.read_text())["pid"])
        killed.kill()
        limit = time.monotonic() + 120
        while not answers(url):
            assert time.monotonic() < limit
            time.sleep(0.2)
        server = psutil.Process(json.loads(file.read_text())["pid"])
        assert server.pid != killed.pid
        os.killpg(user.pid, signal.SIGKILL)
    server.wait(60)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False
