"""Of every problem: the row that is written out again is read as the same example, or a frozen test would be another test."""

from typing import Any

import pytest

from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.recipe import Chat, TextClassification, TextToSql

SCHEMA = "CREATE TABLE ship (name TEXT, tonnes INTEGER)"
CASES: list[tuple[Problem, dict[str, Any]]] = [
    (TextToSql(question="asked", answer="sql"), {"asked": "How many?", "context": SCHEMA, "sql": "SELECT 1 FROM ship"}),
    (TextClassification(text="said"), {"said": "A joy.", "label": "positive"}),
    (TextClassification(label_names={"0": "negative", "1": "positive"}), {"text": "A joy.", "label": 1}),
    (TextClassification(multi_label=True), {"text": "Both.", "label": "b, a"}),
    (TextClassification(multi_label=True), {"text": "None.", "label": []}),
    (Chat(system="Be kind."), {"instruction": "Greet", "input": "", "output": "Hello!"}),
    (Chat(), {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]}),
]


@pytest.mark.parametrize(("problem", "row"), CASES)
def test_a_row_written_out_again_is_the_same_example(problem: Problem, row: dict[str, Any]) -> None:
    example = problem.read_row(row)
    assert problem.read_row(problem.row_of(example.fields)) == example
