"""Judges the answers that benchmarks.gpu.rows left, by running the SQL: how many are right, and each model against the base.

python -m benchmarks.gpu.score --questions test.jsonl --dialect mysql answers-base.jsonl answers-qlora.jsonl
"""

import argparse
import json
from pathlib import Path

from scipy.stats import binomtest

from finetune_flows.tasks.endpoints.answers import TestRow
from finetune_flows.tasks.problems.text_to_sql.settings import SqlJudging
from finetune_flows.tasks.problems.text_to_sql.verdicts import judge


def main() -> None:
    """Scores each file; the first is what the others are compared with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--dialect", default="mysql")
    parser.add_argument("answers", type=Path, nargs="+")
    options = parser.parse_args()
    with options.questions.open(encoding="utf-8") as lines:
        rows = [TestRow(id=str(number), prompt=[], fields=json.loads(line)) for number, line in enumerate(lines)]
    first: list[bool] = []
    for path in options.answers:
        right = _right(rows, path, options.dialect)
        first = first or right
        print(f"{path.stem}: {_words(right, first)}", flush=True)


def _right(rows: list[TestRow], path: Path, dialect: str) -> list[bool]:
    answers = {
        str(n): json.loads(line)["answer"] for n, line in enumerate(path.read_text(encoding="utf-8").splitlines())
    }
    judged = judge([row for row in rows if row.id in answers], answers, dialect, SqlJudging())
    return [verdict.outcomes["execution"] is True for verdict in judged.verdicts]


def _words(right: list[bool], first: list[bool]) -> str:
    total = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    gained = sum(mine and not theirs for mine, theirs in zip(right, first, strict=True))
    lost = sum(theirs and not mine for mine, theirs in zip(right, first, strict=True))
    paired = (
        f"; {gained} gained, {lost} lost, McNemar p = {binomtest(gained, gained + lost).pvalue:.1e}"
        if gained + lost
        else ""
    )
    return f"{sum(right)} of {len(right)} right ({sum(right) / len(right):.1%}, 95 % {total.low:.1%} to {total.high:.1%}){paired}"


if __name__ == "__main__":
    main()
