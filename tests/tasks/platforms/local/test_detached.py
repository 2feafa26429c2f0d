import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from finetune_flows.tasks.platforms.local import detached

FOREVER = [sys.executable, "-c", "import time\nwhile True: time.sleep(0.1)"]
STUBBORN = [
    sys.executable,
    "-uc",
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready')\nwhile True: time.sleep(0.1)",
]


def start(folder: Path, command: list[str], seconds: float = 60, grace: float = 5) -> None:
    detached.start(folder, command, {}, time.time() + seconds, grace)


def wait_until_ended(folder: Path, seconds: float = 20) -> None:
    limit = time.monotonic() + seconds
    while detached.is_running(folder):
        assert time.monotonic() < limit, "it still runs"
        time.sleep(0.05)


def group_members(folder: Path) -> list[int]:
    group = int((folder / "group").read_text())
    return [p.pid for p in psutil.process_iter() if _group_of(p.pid) == group and p.status() != psutil.STATUS_ZOMBIE]


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def test_output_and_exit_code_are_kept(tmp_path: Path) -> None:
    start(tmp_path, [sys.executable, "-c", "print('one'); print('two'); raise SystemExit(3)"])
    lines: list[str] = []
    detached.follow(tmp_path, lines.append)
    assert lines == ["one", "two"]
    ending = detached.ending(tmp_path)
    assert ending is not None
    assert (ending.exit_code, ending.reason) == (3, None)


def test_it_ends_at_its_deadline_with_nobody_watching(tmp_path: Path) -> None:
    start(tmp_path, FOREVER, seconds=1)
    wait_until_ended(tmp_path)
    assert detached.ending(tmp_path).reason == "deadline"  # type: ignore[union-attr]


def test_a_moved_deadline_is_obeyed_and_never_moves_back(tmp_path: Path) -> None:
    start(tmp_path, FOREVER, seconds=6)
    detached.extend(tmp_path, time.time() + 60)
    detached.extend(tmp_path, time.time() + 1)
    time.sleep(8)
    assert detached.is_running(tmp_path)
    detached.stop(tmp_path, grace=5)


def test_stop_ends_the_whole_group_even_one_that_ignores_sigterm(tmp_path: Path) -> None:
    start(tmp_path, STUBBORN, grace=60)
    while "ready" not in (tmp_path / "log.txt").read_text():
        time.sleep(0.05)
    detached.stop(tmp_path, grace=0.5)
    assert not detached.is_running(tmp_path)
    assert group_members(tmp_path) == []


def test_a_child_whose_supervisor_was_killed_still_counts_as_running_and_can_be_stopped(tmp_path: Path) -> None:
    start(tmp_path, FOREVER)
    while len(group_members(tmp_path)) < 2:
        time.sleep(0.05)
    os.kill(int((tmp_path / "group").read_text()), signal.SIGKILL)
    time.sleep(0.3)
    assert detached.is_running(tmp_path)
    detached.stop(tmp_path, grace=5)
    assert group_members(tmp_path) == []
    assert detached.ending(tmp_path) is None


def test_what_never_started_does_not_run(tmp_path: Path) -> None:
    assert not detached.is_running(tmp_path)
    detached.stop(tmp_path, grace=1)


def test_no_secret_of_ours_reaches_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "VLLM_API_KEY", "DB_PASSWORD", "aws_session_token")
    for name in (*secrets, "WAREHOUSE", "JUDGE", "FINETUNE_PW"):  # a recipe may name any variable
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    start(tmp_path, [sys.executable, "-c", "import os; print(dict(os.environ))"])
    lines: list[str] = []
    detached.follow(tmp_path, lines.append)
    assert lines
    assert "hunter2" not in "".join(lines)
    assert "'CUDA_VISIBLE_DEVICES': '1'" in "".join(lines)
    assert "hunter2" not in (tmp_path / "process.json").read_text()


def test_many_who_ask_at_once_do_not_see_each_other(tmp_path: Path) -> None:
    start(tmp_path, [sys.executable, "-c", ""])
    wait_until_ended(tmp_path)
    answers: list[bool] = []

    def ask() -> None:
        answers.extend(detached.is_running(tmp_path) for _ in range(300))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(answers)
