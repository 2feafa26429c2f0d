"""The key of a data set: what it is made from, and nothing that a later version of the recipe added and this one leaves alone."""

from pathlib import Path

import pytest

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.base.values import step_key
from finetune_flows.tasks.prepare import DATASET_VERSION, dataset_key
from finetune_flows.tasks.problems.text_to_sql.problem import TextToSql
from finetune_flows.tasks.recipe import DatasetSection, parse_recipe

BASE = Reference(kind="base-model", uri="base", digest="b" * 64, size=1, step_key="k")


def test_fields_of_the_split_at_their_defaults_leave_the_key_as_it_was(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text("{}\n")
    section, problem = DatasetSection(source=str(source)), TextToSql()
    before = {
        "dataset": section.model_dump(
            mode="json",
            exclude={"source", "test_source", "revision", "max_quarantined", "split_by", "split_column", "mix_with"},
        ),
        "problem": problem.model_dump(mode="json", exclude={"judging"}),
        "content": [{"rows.jsonl": "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356"}],
    }
    assert dataset_key(section, problem, BASE) == step_key("dataset", DATASET_VERSION, before, [BASE.digest])
    by_query = DatasetSection(source=str(source), split_by="query")
    assert dataset_key(by_query, problem, BASE) != dataset_key(section, problem, BASE)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"split_by": "query"}, "dataset.split_by: text-classification has no query; use auto, question or column"),
        ({"split_by": "schema"}, "dataset.split_by: text-classification has no schema"),
        ({"split_by": "column"}, "set split_by: column and split_column, the name of that column, together"),
        ({"split_column": "db"}, "set split_by: column and split_column, the name of that column, together"),
    ],
)
def test_a_split_that_cannot_be_is_refused(changes: dict[str, str], told: str) -> None:
    content = {
        "name": "labels",
        "problem": {"kind": "text-classification"},
        "dataset": {"source": "rows.jsonl", **changes},
        "model": {"source": "base"},
    }
    with pytest.raises(RecipeError, match=told):
        parse_recipe(content, "labels.yaml")
