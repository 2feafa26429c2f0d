"""Is the judge right? Pairs whose right verdict is known, judged and counted.

    python -m benchmarks.judge_pairs PAIRS.jsonl [--databases 5] [--workers 2] [--wrong] [--repeat 1]

Each line: `dialect`, `schema`, `gold`, `prediction`, `expected` (right, wrong, invalid or not evaluable) and `fault`, the kind
of the pair. `--wrong` lists the pairs that were judged otherwise; `--repeat` judges all of them several times, for the clock.
"""

import argparse
import json
import time
from collections import Counter, defaultdict
from pathlib import Path

from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair
from finetune_flows.tasks.sql.workers import SqlWorkers

Row = dict[str, str]


def verdict(outcome: SqlOutcome) -> str:
    """In the words of the file."""
    if outcome.obstacle:
        return "not evaluable"
    if not outcome.valid:
        return "invalid"
    return "right" if outcome.execution else "wrong"


def judge(rows: list[Row], databases: int, workers: int, repeat: int) -> tuple[list[SqlOutcome], dict[str, float]]:
    """The outcomes, and milliseconds a row by dialect."""
    outcomes: dict[int, SqlOutcome] = {}
    milliseconds = {}
    with SqlWorkers(workers) as pool:
        for dialect in sorted({row["dialect"] for row in rows}):
            chosen = [i for i, row in enumerate(rows) if row["dialect"] == dialect]
            pairs = [
                SqlPair(rows[i]["schema"], rows[i]["gold"], rows[i]["prediction"], dialect, databases) for i in chosen
            ]
            list(pool.judge_all(pairs[: 2 * workers]))  # the engines are up
            start = time.perf_counter()
            judged = list(pool.judge_all(pairs * repeat))
            milliseconds[dialect] = 1000 * (time.perf_counter() - start) / len(judged)
            outcomes.update(zip(chosen, judged, strict=False))
    return [outcomes[i] for i in range(len(rows))], milliseconds


def main() -> None:
    """Print a table of dialects and one of kinds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--databases", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--wrong", action="store_true")
    options = parser.parse_args()
    rows: list[Row] = [json.loads(line) for line in options.file.read_text(encoding="utf-8").splitlines()]
    outcomes, milliseconds = judge(rows, options.databases, options.workers, options.repeat)
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    engines: dict[str, Counter[str]] = defaultdict(Counter)
    for row, outcome in zip(rows, outcomes, strict=True):
        found = verdict(outcome)
        falsely = "ok" if found == row["expected"] else f"{row['expected']} judged {found}"
        counts[row["dialect"], "all"][falsely] += 1
        counts[row["dialect"], row["fault"] or "-"][falsely] += 1
        engines[row["dialect"]][str(outcome.engine)] += 1
        if options.wrong and falsely != "ok":
            print(f"\n{row['dialect']} [{row['fault']}] {falsely}: {outcome.error or ''} {outcome.detail or ''}")
            print(f"  gold       {row['gold']}\n  prediction {row['prediction']}\n  {outcome.telling or ''}")
    print(f"\n{'dialect':10}{'kind':28}{'pairs':>6}{'as expected':>13}  otherwise")
    for (dialect, kind), found in sorted(counts.items(), key=lambda item: (item[0][0], item[0][1] != "all", item[0])):
        wrong = ", ".join(f"{n} {what}" for what, n in sorted(found.items()) if what != "ok")
        print(f"{dialect:10}{kind:28}{found.total():6}{found['ok']:13}  {wrong}")
    for dialect, used in sorted(engines.items()):
        listed = ", ".join(f"{engine} {n}" for engine, n in used.most_common())
        print(f"{dialect}: {milliseconds[dialect]:.1f} ms a row; {listed}")


if __name__ == "__main__":
    main()
