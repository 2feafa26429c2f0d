"""Rows are looked at before anything is downloaded."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.dataset import first_look
from finetune_flows.tasks.dataset.first_look import look_at_rows
from finetune_flows.tasks.recipe import parse_recipe


def look(tmp_path: Path, rows: Iterable[dict[str, str]]) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe = parse_recipe(
        {
            "name": "looked-at",
            "problem": {"kind": "text-classification"},
            "dataset": {"source": str(file)},
            "model": {"source": "none"},
        },
        "looked-at",
    )
    look_at_rows(recipe.dataset, recipe.problem, tmp_path / "out")


def test_of_few_rows_each_bad_one_is_listed(tmp_path: Path) -> None:
    good = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(40)]
    look(tmp_path, good)
    with pytest.raises(DatasetError, match="10 of 50 rows are unusable"):
        look(tmp_path, [*good, *({"text": f"bad {n}", "label": ""} for n in range(10))])
    assert (tmp_path / "out" / "quarantine.jsonl").read_text().count("\n") == 10


def test_many_rows_are_refused_only_if_none_of_the_first_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_look, "ALL", 50)
    wrong = [{"body": f"text {n}", "queue": "a"} for n in range(60)]
    with pytest.raises(DatasetError, match="none of its first 60 rows can be used:\n  - missing column"):
        look(tmp_path, wrong)
    look(tmp_path, [{"text": "text", "label": "a"}, *wrong])
