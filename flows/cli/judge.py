"""`finetune judge`: the judge of SQL by itself, for people who fine-tune nothing."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from finetune_flows.flows.cli.common import Json, out
from finetune_flows.tasks.base.terminal import Table

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
        Literal["sqlite", "duckdb", "postgres", "mysql"], typer.Option(help="Dialect of rows that name none.")
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

    Exit codes: 0 all rows have a verdict, 2 the file or rows of it cannot be used, 130 interrupted.

    Example: finetune judge examples/judge/pairs.jsonl
    """
    from finetune_flows.tasks.evaluation.pairs import judge_pairs, read_pairs

    verdicts = judge_pairs(read_pairs(file, dialect), databases, password_variable)
    if as_json:
        print_verdicts(verdicts)
    else:
        show(list(verdicts))


def print_verdicts(verdicts: "Iterable[PairVerdict]") -> None:
    """One JSON object a line, each as soon as it is known."""
    for verdict in verdicts:
        sys.stdout.write(json.dumps(verdict.model_dump(mode="json"), ensure_ascii=False) + "\n")
        sys.stdout.flush()


def show(verdicts: "Sequence[PairVerdict]") -> None:
    """A table of the pairs that are not right, then the scores."""
    listed = [(number, each) for number, each in enumerate(verdicts, 1) if each.verdict != "right"]
    if listed:
        table = Table("row", "verdict", "kind", title="Pairs that are not right", title_justify="left")
        table.add_column("reason", overflow="fold")
        for number, each in listed:
            kind = each.kind.removeprefix("not evaluable: ")
            table.add_row(str(number), each.verdict.replace("_", " "), kind, each.reason)
        out.print(table)
    evaluable = [each for each in verdicts if each.verdict != "not_evaluable"]
    engines = Counter(each.engine for each in evaluable)
    out.print(f"execution      {_share([each.verdict == 'right' for each in evaluable])}")
    out.print(f"valid SQL      {_share([each.verdict != 'invalid' for each in evaluable])}")
    out.print(f"not evaluable  {len(verdicts) - len(evaluable)} of {len(verdicts)}")
    if evaluable:
        out.print(f"judged in      {', '.join(f'{name} ({count})' for name, count in engines.most_common())}")


def _share(outcomes: Sequence[bool]) -> str:
    from finetune_flows.tasks.base.statistics import Proportion
    from finetune_flows.tasks.reporting.words import with_interval

    if not outcomes:
        return "no pair could be judged"
    share = Proportion.among(outcomes)
    return f"{with_interval(share)}, n = {share.n}"
