"""What a person sees while the work goes on, in a terminal and in a file."""

import os
import pty
import subprocess
import sys

WORK = """
import logging
from finetune_flows.flows.cli.common import set_up_logging
set_up_logging(False)
from finetune_flows.tasks.progress import PROGRESS_LOG, log, progress
with progress("train", "training-progress") as update:
    update(1, 4, "step 1/4  loss 0.5")
    log.info("kept in /" + "long/" * 30)
    PROGRESS_LOG.info("train: 25 % step 1/4")
"""
ADDRESS = "/" + "long/" * 30


def test_in_a_terminal_one_live_area_is_below_the_lines_and_goes_at_the_end() -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": "80", "TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen([sys.executable, "-c", WORK], stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    while part := _read(ours):
        seen += part
    assert process.wait(60) == 0
    text = seen.decode()
    before, after = text.split("kept in " + ADDRESS)
    assert before.endswith("\r\x1b[2K" + before[-9:]), "the bar was erased before the line was written"
    assert "step 1/4  loss 0.5" in text
    assert "train: 25 %" not in text, "the area shows it already"
    last = after.split("\x1b[2K")[-1]
    assert "━" not in last
    assert "train: done in 0 s" in after


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 10_000)
    except OSError:  # Linux's way to say that the other end was closed
        return b""


def test_in_a_file_there_are_only_plain_lines() -> None:
    done = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, check=True)
    lines = [line[9:] for line in done.stderr.splitlines()]
    assert lines == ["kept in " + ADDRESS, "train: 25 % step 1/4", "train: done in 0 s"]
