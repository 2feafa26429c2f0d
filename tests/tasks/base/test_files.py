"""Locks between processes and threads; files of ours that are damaged or cannot be written."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import BaseModel

from finetune_flows.tasks.base.errors import TryLater
from finetune_flows.tasks.base.files import Users, locked, read_model, write_json

HOLDER = """
import sys
from pathlib import Path
from finetune_flows.tasks.base.errors import TryLater
from finetune_flows.tasks.base.files import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_a_killed_process_is_free_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "locked\n"
        entered = threading.Event()

        def enter() -> None:
            with locked(path):
                entered.set()

        waiting = threading.Thread(target=enter)
        waiting.start()
        assert not entered.wait(0.3)
        holder.kill()
        assert entered.wait(30)
        waiting.join()


def test_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.write_text("0")

    def count() -> None:
        for _ in range(10):
            with locked(tmp_path / "lock"):
                file.write_text(str(int(file.read_text()) + 1))

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(count) for _ in range(8)]:
            done.result()
    assert file.read_text() == "80"


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    for _ in range(2):
        try:
            with locked(tmp_path / "lock"):
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass


class Thing(BaseModel):
    name: str


@pytest.mark.parametrize("content", ["", "{", "[]", '{"name": 1}', '{"other": "x"}', "\x00"])
def test_a_damaged_file_counts_as_absent_and_is_named(
    content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "thing.json"
    assert read_model(path, Thing) is None
    assert caplog.text == ""
    path.write_text(content)
    assert read_model(path, Thing) is None
    assert f"{path} is damaged" in caplog.text
    write_json(path, {"name": "x"})
    assert read_model(path, Thing) == Thing(name="x")


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "thing.json", {"name": object()})
    assert list(tmp_path.iterdir()) == []


def test_only_the_last_user_is_the_last(tmp_path: Path) -> None:
    first, second, third = (Users(tmp_path / "lock") for _ in range(3))
    assert not first.last()
    first.close()
    assert not second.last()
    second.close()
    assert third.last()
    third.close()


def test_a_lock_is_waited_for_only_so_long(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "lock"),
        pytest.raises(TryLater, match="another command has been busy"),
        locked(tmp_path / "lock", 0.1),
    ):
        pass
