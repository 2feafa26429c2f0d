"""How fast rows become a data set, and in how much memory.

    python -m benchmarks.prepare_rows --tokenizer DIR --rows 100000
    python -m benchmarks.prepare_rows --tokenizer DIR --rows 1000000

DIR is a folder with a tokenizer and its chat template; without it lengths are not measured. The rows are made up, with
about the lengths of sql-create-context, and one row in a hundred is broken, a duplicate or in conflict with another.
By default every row has a schema of its own, which is the hard case: one schema is parsed once however many rows ask
it (--rows-per-schema 100). Prints one JSON object; peak_mb is the most that this process and its workers held at once.
"""

import argparse
import json
import random
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.problems.text_to_sql.problem import TextToSql
from finetune_flows.tasks.sections.stages import DatasetSection

COLUMNS = ["name", "points", "town", "height", "season", "venue", "attendance", "opponent", "director", "rank_in_final"]
KINDS_OF_DAMAGE = 5


def main() -> None:
    """Makes the rows, prepares them, prints what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rows-per-schema", type=int, default=1)
    parser.add_argument("--tokenizer", type=Path, help="folder with a tokenizer and its chat template")
    parser.add_argument("--folder", type=Path, help="where the rows and the data set are written, and deleted")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        source = Path(folder) / "rows.jsonl"
        with source.open("w", encoding="utf-8") as file:
            file.writelines(make_lines(arguments.rows, arguments.rows_per_schema))
        section = DatasetSection(source=str(source))
        with Memory() as memory:
            started = time.perf_counter()
            audit = build_dataset(section, TextToSql(), arguments.tokenizer, Path(folder) / "dataset")
            seconds = time.perf_counter() - started
    figures = {
        "rows": audit.rows,
        "usable": audit.usable,
        "rows_per_schema": arguments.rows_per_schema,
        "lengths_measured": audit.lengths is not None,
        "seconds": round(seconds, 1),
        "rows_per_second": round(audit.rows / seconds),
        "cpu_seconds": round(_cpu_seconds()),
        "peak_mb": round(memory.peak / 1e6),
    }
    print(json.dumps(figures))


def make_lines(count: int, rows_per_schema: int) -> Iterator[str]:
    """JSON lines, the same ones each time."""
    rng = random.Random(1)
    line = ""
    for number in range(count):
        damage = rng.randrange(100 * KINDS_OF_DAMAGE)
        line = _damaged(line, damage) if line and damage < KINDS_OF_DAMAGE else _line(rng, number // rows_per_schema)
        yield line + "\n"


class Memory:
    """Highest resident memory of this process and its children together, looked at ten times a second, in bytes."""

    def __enter__(self) -> "Memory":
        self.peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            here = psutil.Process()
            self.peak = max(self.peak, sum(map(_resident, [here, *here.children(recursive=True)])))


def _cpu_seconds() -> float:
    """Of this process and its workers; unlike the time on the clock, hardly moved by what else the machine does."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _line(rng: random.Random, schema: int) -> str:
    table = f"table_{schema}"
    first, second, third = rng.sample(COLUMNS, 3)
    value, number = f"Player {rng.randrange(10**6)}", rng.randrange(10**4)
    row = {
        "question": f"What is the highest {first} when the {second} is {value} and the {third} is above {number}?",
        "context": f"CREATE TABLE {table} ({first} INTEGER, {second} VARCHAR, {third} INTEGER)",
        "answer": f"SELECT MAX({first}) FROM {table} WHERE {second} = '{value}' AND {third} > {number}",
    }
    return json.dumps(row)


def _damaged(line: str, damage: int) -> str:
    return (
        line,  # an exact duplicate
        line.replace("What is", "what  is"),  # a duplicate but for case and white space
        line.replace("MAX(", "MIN("),  # in conflict with its neighbour
        line[:-20],  # broken JSON
        line.replace("SELECT", "SELECT FROM"),  # broken SQL
    )[damage]


if __name__ == "__main__":
    main()
