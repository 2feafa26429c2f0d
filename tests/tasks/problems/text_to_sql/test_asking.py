"""What helps SQL answers without training: examples of similar schemas, a second try for what does not run."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.problems.text_to_sql.asking import GrammarForm, to_repair, with_examples
from finetune_flows.tasks.sections.stages import EvaluationSection

SHIPS = "CREATE TABLE ship (name TEXT, tonnes INTEGER)"


def row(question: str, context: str = SHIPS) -> TestRow:
    prompt = [{"role": "system", "content": f"Answer.\n{context}"}, {"role": "user", "content": question}]
    return TestRow(id=question, prompt=prompt, fields={"question": question, "context": context, "answer": "SELECT 1"})


@pytest.fixture
def train(tmp_path: Path) -> Path:
    schemas = [f"CREATE TABLE table_{n} (column_{n} TEXT)" for n in range(5000)]
    schemas[4500] = "CREATE TABLE ship (name TEXT, flag TEXT)"
    schemas[17] = "CREATE TABLE ship (captain TEXT)"
    fields = [{"question": f"question {n}", "context": c, "answer": f"SELECT {n}"} for n, c in enumerate(schemas)]
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"fields": fields}), path)
    return path


def test_the_most_similar_schemas_stand_before_the_rows_own(train):
    (asked,) = with_examples([row("Which ship is heaviest?")], train, 2)
    system, user = asked.prompt
    assert user == {"role": "user", "content": "Which ship is heaviest?"}
    first, second = (system["content"].index(answer) for answer in ("SELECT 17\n", "SELECT 4500\n"))
    assert first < second < system["content"].index(SHIPS)  # the most similar is nearest to the question
    assert system["content"].count("CREATE TABLE") == 3


def test_rows_are_told_apart_and_need_no_more_examples_than_there_are(train):
    rows = [row("Which ship?"), row("How many?", "CREATE TABLE table_4711 (column_4711 TEXT)")]
    ships, table = with_examples(rows, train, 1)
    assert "SELECT 4500" in ships.prompt[0]["content"]
    assert "SELECT 4711" in table.prompt[0]["content"]
    assert rows[0].prompt[0]["content"] == f"Answer.\n{SHIPS}"


def test_only_what_does_not_run_is_asked_again_with_the_databases_words():
    rows = [row("good"), row("unknown column"), row("no query"), row("in prose")]
    answers = {
        "good": "SELECT name FROM ship",
        "unknown column": "SELECT colour FROM ship",
        "no query": "I cannot tell.",
        "in prose": "Sure: SELECT tonnes FROM ship;",
    }
    again = to_repair(rows, answers, "sqlite")
    assert [each.id for each in again] == ["unknown column", "no query"]
    *_, said, told = again[0].prompt
    assert said == {"role": "assistant", "content": "SELECT colour FROM ship"}
    assert "no such column: colour" in told["content"]


def test_the_grammar_goes_with_the_request_where_there_is_a_schema():
    body = GrammarForm("sqlite").body(row("Which?"), EvaluationSection(max_new_tokens=9))
    assert "tonnes" in body["structured_outputs"]["grammar"]
    assert body["max_tokens"] == 9
    assert "structured_outputs" not in GrammarForm("sqlite").body(row("Which?", "?"), EvaluationSection())
