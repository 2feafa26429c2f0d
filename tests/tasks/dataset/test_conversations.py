"""Conversations with tools, reasoning and several answers on their way from rows to the training program."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.dataset.frozen import write_test_source
from finetune_flows.tasks.dataset.lengths import TokenCounter
from finetune_flows.tasks.dataset.show import tokens_of
from finetune_flows.tasks.endpoints.answers import read_test_rows
from finetune_flows.tasks.recipe import Chat, DatasetSection
from finetune_flows.training.data import read_rows
from finetune_flows.training.masks import IGNORED
from tests.tasks.dataset.conftest import CHATML, save_tokenizer
from tests.tasks.dataset.dataset_rows import read_all, write_jsonl

TEMPLATE = (
    "{% if tools %}{{ '<|im_start|>tools\n' + (tools | tojson) + '<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.reasoning_content %}{{ '(' + m.reasoning_content | trim + ')' }}{% endif %}{{ m.content }}"
    "{% for c in m.tool_calls or [] %}{{ c.function | tojson }}{% endfor %}{{ '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def rows(count: int = 30) -> list[dict[str, Any]]:
    """Every other row calls a tool in the middle."""
    found: list[dict[str, Any]] = []
    for n in range(count):
        ask = {"role": "user", "content": f"City {n}?"}
        call = {"type": "function", "function": {"name": "weather", "arguments": {"city": n}}}
        calling = [{"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "content": "mild"}]
        said = [
            ask,
            *(calling if n % 2 else []),
            {"role": "assistant", "content": f"Mild in {n}.", "reasoning": f" Hm {n}.\n"},
        ]
        found.append({"messages": said, "tools": [TOOL] if n % 2 else None})
    return found


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tokenizer(tmp_path_factory.mktemp("with-tools"), TEMPLATE)


def build(folder: Path, problem: Chat, tokenizer: Path, **section: Any) -> None:
    source = write_jsonl(folder / "rows.jsonl", rows())
    build_dataset(DatasetSection(source=str(source), **section), problem, tokenizer, folder / "out")


def test_the_training_program_learns_what_data_show_shows(tmp_path: Path, tokenizer: Path) -> None:
    from transformers import AutoTokenizer

    problem = Chat(train_on="all", reasoning="keep")
    build(tmp_path, problem, tokenizer)
    loaded = AutoTokenizer.from_pretrained(tokenizer)
    loaded.model_max_length = 4096
    read = read_rows(tmp_path / "out", "train", loaded, 4096)
    assert read is not None
    shown = {
        example.id: tokens_of(problem, example, tokenizer) for example in (problem.read_row(row) for row in rows())
    }
    for id_, row in zip(read.identities, read.tokens, strict=True):
        learnt = [label != IGNORED for label in row["labels"]]
        assert [token.id for token in shown[id_]] == row["input_ids"]
        assert [token.learnt for token in shown[id_]] == learnt
        text = loaded.decode([label for label in row["labels"] if label != IGNORED])
        n = int(text.rsplit("Mild in ", 1)[1].split(".")[0])
        call = f'{{"name": "weather", "arguments": {{"city": {n}}}}}<|im_end|>' if n % 2 else ""
        assert text == f"{call}(Hm {n}.)Mild in {n}.<|im_end|>\n"
    lengths = {row["id"]: row["tokens"] for split in read_all(tmp_path / "out").values() for row in split}
    assert lengths == {id_: len(tokens) for id_, tokens in shown.items()}


def test_test_rows_are_asked_with_their_tools_and_stay_the_same_when_frozen(tmp_path: Path, tokenizer: Path) -> None:
    problem = Chat(train_on="all")
    build(tmp_path, problem, tokenizer)
    tested = read_test_rows(tmp_path / "out" / "test.parquet", 100)
    assert {bool(json.loads(row.fields["more"] or "{}")) for row in tested} == {True, False}
    write_test_source(tmp_path / "out", problem.row_of, None, tmp_path / "frozen.jsonl")
    again = [problem.read_row(json.loads(line)) for line in (tmp_path / "frozen.jsonl").read_text().splitlines()]
    assert [example.id for example in again] == [row.id for row in tested]


def test_plain_rows_have_no_more_than_before(tmp_path: Path, tokenizer: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", [{"prompt": f"{n}?", "completion": "Yes."} for n in range(30)])
    build_dataset(DatasetSection(source=str(source)), Chat(), tokenizer, tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "train.parquet")
    assert set(table["chat"].to_pylist()) == {None}
    assert {fields["more"] for fields in table["fields"].to_pylist()} == {""}


@pytest.mark.parametrize(
    ("template", "problem", "missing"),
    [
        (CHATML, Chat(), "tools and tool calls"),
        (TEMPLATE.replace("m.tool_calls or []", "[]"), Chat(), "tool calls"),
        (TEMPLATE.replace("m.reasoning_content", "false", 1), Chat(reasoning="keep"), "reasoning"),
    ],
)
def test_a_template_that_leaves_something_out_is_refused(
    tmp_path: Path, template: str, problem: Chat, missing: str
) -> None:
    folder = save_tokenizer(tmp_path / "tokenizer", template)
    with pytest.raises(RecipeError, match=f"does not render {missing} of the rows"):
        build(tmp_path, problem, folder)


def test_a_template_may_quote_the_results_of_tools(tmp_path: Path) -> None:
    """As Llama 3.1's does."""
    quoting = TEMPLATE.replace("{{ m.content }}", "{{ m.content | tojson if m.role == 'tool' else m.content }}")
    folder = save_tokenizer(tmp_path / "tokenizer", quoting)
    said = [
        {"role": "user", "content": "Lima?"},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "weather", "arguments": {}}}]},
        {"role": "tool", "content": '{"sky": "grey"}'},
        {"role": "assistant", "content": "Grey."},
    ]
    example = Chat().read_row({"messages": said, "tools": [TOOL]})
    assert '{\\"sky\\"' in "".join(token.text for token in tokens_of(Chat(), example, folder))
    assert TokenCounter(folder).lengths([example]) == [len(tokens_of(Chat(), example, folder))]
