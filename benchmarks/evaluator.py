"""The judge of SQL, judged: what it finds out, what it refuses, whom it agrees with, and how fast it is.

    python -m benchmarks.evaluator ROWS.jsonl --dialect mysql
    python -m benchmarks.evaluator examples/text-to-sql/rows.jsonl --rows 200
    python -m benchmarks.evaluator PAIRS.jsonl --only kill_rate

Rows have a `context` (or `schema`) and an `answer` (or `gold`). Prints one JSON object with, for each part of the rows (those
of each dialect, where they name one; the words before the colon in column `group` of NAME.provenance.tsv, where that lies
next to NAME.jsonl; else all of them):

    kill_rate   single wrong changes that are found out, harmless rewrites that are refused
    agreement   with Spider's test-suite rules on the same databases: as we judge, and by rules set like Spider's
    scoring     seconds for a mix of right, rewritten and wrong predictions, one a row

Takes minutes. `--only` chooses.
"""

import argparse
import csv
import json
import random
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.evaluator_agreement import LIKE_SPIDER, measure_agreement
from benchmarks.evaluator_kill_rate import measure, mutants_of
from benchmarks.sql_mutants import rewrites
from finetune_flows.tasks.endpoints.answers import TestRow
from finetune_flows.tasks.problems.text_to_sql.settings import SqlJudging
from finetune_flows.tasks.problems.text_to_sql.verdicts import judge
from finetune_flows.tasks.sql.judging import SqlPair
from finetune_flows.tasks.sql.query import parse_query
from finetune_flows.tasks.sql.workers import SqlWorkers

Rows = Sequence[Mapping[str, str]]


def read_parts(path: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of a file, by part."""
    with path.open(encoding="utf-8") as lines:
        rows = [_read(json.loads(line)) for line in lines]
    if all("dialect" in row for row in rows):
        return {
            dialect: list({tuple(row.items()): row for row in rows if row["dialect"] == dialect}.values())
            for dialect in sorted({row["dialect"] for row in rows})
        }
    provenance = path.with_name(f"{path.stem}.provenance.tsv")
    if not provenance.exists():
        return {"all": rows}
    with provenance.open(encoding="utf-8", newline="") as table:
        names = [record["group"].partition(":")[0] for record in csv.DictReader(table, delimiter="\t")]
    parts: dict[str, list[dict[str, str]]] = {}
    for name, row in zip(names, rows, strict=True):
        parts.setdefault(name, []).append(row)
    return parts


def _read(given: Mapping[str, str]) -> dict[str, str]:
    row = {"context": given.get("context") or given["schema"], "answer": given.get("answer") or given["gold"]}
    return row | ({"dialect": given["dialect"]} if "dialect" in given else {})


def measure_scoring(rows: Rows, dialect: str, databases: int, seed: int) -> dict[str, Any]:
    """Judges one prediction for each row, from raw answers to verdicts, the start of the workers included."""
    rng = random.Random(seed)
    asked = [TestRow(id=str(n), prompt=[], fields={"question": "", **row}) for n, row in enumerate(rows)]
    answers = {row.id: _prediction(row.fields, dialect, rng) for row in asked}
    before, start = _cpu_seconds(), time.perf_counter()
    judged = judge(asked, answers, dialect, SqlJudging(databases=databases))
    seconds = time.perf_counter() - start
    right = sum(verdict.outcomes["execution"] is True for verdict in judged.verdicts)
    return {
        "predictions": len(rows),
        "right": right,
        "workers": SqlWorkers().count,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(_cpu_seconds() - before, 1),
        "predictions_per_second": round(len(rows) / seconds, 1),
    }


def _prediction(fields: Mapping[str, str], dialect: str, rng: random.Random) -> str:
    """Half of them right, one in four of these rewritten; half of them wrong."""
    gold = SqlPair(fields["context"], fields["answer"], fields["answer"], dialect, 1)
    draw = rng.random()
    changes = mutants_of(gold, rng) if draw < 0.5 else []
    if draw > 0.875 and parse_query(gold.gold, dialect):
        changes = rewrites(gold.gold, dialect)
    return rng.choice(changes)[1] if changes else gold.gold


def _cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Reads the rows, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="JSON lines with context and answer, or schema and gold")
    parser.add_argument("--dialect", default="sqlite", help="of rows that name none")
    parser.add_argument("--rows", type=int, default=0, help="so many rows of each part, drawn by seed; 0: all")
    parser.add_argument("--agreement-rows", type=int, default=100, help="the same, for the agreement")
    parser.add_argument("--databases", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["kill_rate", "agreement", "scoring"], nargs="*")
    options = parser.parse_args()
    parts = {name: _sample(rows, options.rows, options.seed) for name, rows in read_parts(options.path).items()}
    few = {name: _sample(rows, options.agreement_rows, options.seed) for name, rows in parts.items()}
    dialects = {name: rows[0].get("dialect", options.dialect) for name, rows in parts.items()}
    settings = {"databases": options.databases, "seed": options.seed}
    measures: dict[str, Callable[[], Any]] = {
        "kill_rate": lambda: {name: asdict(measure(rows, dialects[name], **settings)) for name, rows in parts.items()},
        "agreement": lambda: {
            name: {
                "ours": asdict(measure_agreement(rows, dialects[name], **settings)),
                "set like Spider's": asdict(measure_agreement(rows, dialects[name], **settings, rules=LIKE_SPIDER)),
            }
            for name, rows in few.items()
        },
        "scoring": lambda: {
            dialect: measure_scoring(
                [row for name, rows in parts.items() for row in rows if dialects[name] == dialect], dialect, **settings
            )
            for dialect in sorted(set(dialects.values()))
        },
    }
    found = {name: run() for name, run in measures.items() if not options.only or name in options.only}
    print(json.dumps({"settings": settings, **found}, indent=2, ensure_ascii=False))


def _sample(rows: list[dict[str, str]], most: int, seed: int) -> list[dict[str, str]]:
    return random.Random(seed).sample(rows, min(most, len(rows))) if most else rows


if __name__ == "__main__":
    main()
