"""`finetune judge`: the judge of SQL by itself, for people who fine-tune nothing."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from finetune_flows.flows.cli.common import Json, out

if TYPE_CHECKING:
    from finetune_flows.tasks.evaluation.pairs import PairVerdict


def judge(
    file: Annotated[
        Path,
        typer.Argument(
            help="JSON lines, JSON, CSV or Parquet. Columns: schema (or context) or db, gold (or answer), prediction; "
            "optional: dialect."
        ),
    ],
    dialect: Annotated[
        str, typer.Option(help="Dialect of rows that name none: sqlite, duckdb, postgres or mysql.")
    ] = "sqlite",
    databases: Annotated[int, typer.Option(min=1, max=50, help="Databases to make up for each pair.")] = 5,
    password_variable: Annotated[
        str | None, typer.Option(help="Environment variable with the password for the URLs in column db.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge SQL queries against right ones, by running both. Needs no model and no recipe.

    A pair is judged in its dialect's own engine, on databases made up from its schema, or on the database in column db.
    With --json, one JSON object a line for each row, in order.

    Exit codes: 0 all rows have a verdict, 2 rows of the file cannot be used.

    Example: finetune judge examples/judge/pairs.jsonl --dialect postgres
    """
    from finetune_flows.tasks.evaluation.pairs import judge_pairs, read_pairs

    verdicts = judge_pairs(read_pairs(file, dialect), databases, password_variable)
    if as_json:
        for verdict in verdicts:
            sys.stdout.write(json.dumps(verdict.model_dump(mode="json"), ensure_ascii=False) + "\n")
            sys.stdout.flush()
        return
    show(list(verdicts))


def show(verdicts: "Sequence[PairVerdict]") -> None:
    """A table of the pairs that are not right, then the scores."""
    from finetune_flows.tasks.base.statistics import Proportion
    from finetune_flows.tasks.reporting.words import with_interval

    listed = [(number, each) for number, each in enumerate(verdicts, 1) if each.verdict != "right"]
    if listed:
        table = Table("row", "verdict", "kind", "reason", title="Pairs that are not right", title_justify="left")
        for number, each in listed:
            table.add_row(str(number), each.verdict.replace("_", " "), each.kind, each.reason)
        out.print(table)
    evaluable = [each for each in verdicts if each.verdict != "not_evaluable"]
    right = Proportion.among(each.verdict == "right" for each in evaluable)
    valid = Proportion.among(each.verdict != "invalid" for each in evaluable)
    engines = Counter(each.engine for each in evaluable)
    out.print(f"execution      {with_interval(right)}, n = {right.n}")
    out.print(f"valid SQL      {with_interval(valid)}, n = {valid.n}")
    out.print(f"not evaluable  {len(verdicts) - len(evaluable)} of {len(verdicts)}")
    out.print(
        f"judged in      {', '.join(f'{name} ({count})' for name, count in engines.most_common()) or 'no engine'}"
    )
