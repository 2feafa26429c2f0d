"""Large sources are checked in processes, with the same outcome; a card sums the audit up."""

import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import psutil
import pytest

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.dataset.check import BATCH, SERIAL_BATCHES, check_batch, check_rows
from finetune_flows.tasks.dataset.readers import SourceRow
from finetune_flows.tasks.reporting.dataset_card import dataset_card
from tests.tasks.dataset.dataset_rows import SQLITE, build, row, sound_rows, write_jsonl

MANY = BATCH * (SERIAL_BATCHES + 3) + 7


def source_rows() -> Iterator[SourceRow]:
    for number in range(MANY):
        yield SourceRow("rows", number, row("t", number) if number % 10 == 0 else {"question": f"bad {number}"})


def test_workers_give_what_one_process_gives_in_the_same_order() -> None:
    found = [each for batch in check_rows(source_rows(), SQLITE, None, ()) for each in batch]
    assert found == check_batch(list(source_rows()), SQLITE, None, ())


def test_the_source_is_read_as_it_is_needed() -> None:
    taken = 0

    def endless() -> Iterator[SourceRow]:
        nonlocal taken
        while True:
            taken += 1
            yield SourceRow("rows", taken, {})

    batches = check_rows(endless(), SQLITE, None, ())
    assert sum(len(next(batches)) for _ in range(20)) == 20 * BATCH
    batches.close()  # type: ignore[attr-defined]
    assert taken <= (20 + SERIAL_BATCHES + 2 * 8 + 2) * BATCH


@pytest.mark.parametrize("wait", [0.01, 0.02, 0.03, 0.04, 0.05])
def test_a_killed_worker_is_told_and_does_not_hang(wait: float) -> None:
    # What workers answer is long, so that a worker is often killed amid its answer.
    endless = (SourceRow("rows", number, {"question": "long " * 400}) for number in count())
    batches = check_rows(endless, SQLITE, None, ())
    for _ in range(10):
        next(batches)
    time.sleep(wait)
    for child in psutil.Process().children():
        # Zombies of other tests have no command line.
        with suppress(psutil.ZombieProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()
    with pytest.raises(EnvironmentProblem, match="ran out of memory"):
        deque(batches, maxlen=0)


def test_nothing_here_imports_torch_or_prefect() -> None:
    modules = "finetune_flows.tasks.dataset.build, finetune_flows.tasks.reporting.dataset_card"
    check = f"import sys, {modules}; print([m for m in ('torch', 'transformers', 'datasets', 'prefect') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_progress_is_told_by_stage(tmp_path: Path) -> None:
    from finetune_flows.tasks.dataset.build import build_dataset
    from finetune_flows.tasks.sections.stages import DatasetSection

    told: list[tuple[str, int]] = []
    source = write_jsonl(tmp_path / "rows.jsonl", sound_rows())
    build_dataset(DatasetSection(source=str(source)), SQLITE, None, tmp_path / "out", lambda *news: told.append(news))
    assert told == [("read", 100), ("split", 100), ("write", 75), ("write", 80), ("write", 100)]


def test_the_card_tells_what_was_left_out(tmp_path: Path, tokenizer_folder: Path) -> None:
    rows = [*sound_rows(), *sound_rows()[:3], row("t", answer="SELECT FROM"), row("t", question="")]
    audit = build(write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "out", tokenizer=tokenizer_folder)
    card = dataset_card(audit)
    for line in (
        "| read | 105 |",
        "| usable | 100 |",
        "| test | 20 |",
        "| quarantined (1.90%) | 2 |",
        "| ... answer does not parse | 1 |",
        "| ... empty | 1 |",
        "| exact duplicates | 3 |",
        "- Groups shared by training and test: 0. Kept apart: tables.",
        f"- rows.jsonl: `{audit.sources['rows.jsonl']}`",
        "Seed of the sample and the split: 42.",
    ):
        assert line in card.splitlines()
    assert "not drawn" not in card
