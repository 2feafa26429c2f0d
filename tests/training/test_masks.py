"""Which tokens of a conversation are learnt."""

from pathlib import Path
from typing import Any

import pytest

from finetune_flows.training.masks import IGNORED, answer_length, prompt_ids, tokenize
from finetune_flows.training.problems import TrainingProblem
from tests.support.tiny_model import CHATML, tiny_tokenizer

ASK = {"role": "user", "content": "Where?"}
FIRST = {"role": "assistant", "content": "In Peru.", "train": True}
LAST = {"role": "assistant", "content": "In Ecuador."}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
WITH_TOOLS = (
    "{% if tools %}{{ '<|im_start|>system\n' + (tools | tojson) + '<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content }}"
    "{% for c in m.tool_calls or [] %}{{ '<tool_call>' + (c.function | tojson) + '</tool_call>' }}{% endfor %}"
    "{{ eos_token + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def tokenizer_with(template: str) -> Any:
    from copy import deepcopy

    tokenizer = deepcopy(tiny_tokenizer())
    tokenizer.chat_template = template
    return tokenizer


def learnt(tokenizer: Any, ids: list[int], labels: list[int]) -> list[str]:
    """The stretches of text that are learnt."""
    stretches: list[list[int]] = [[]]
    for token, label in zip(ids, labels, strict=True):
        assert label in (token, IGNORED)
        if label == IGNORED:
            stretches.append([])
        else:
            stretches[-1].append(token)
    return [tokenizer.decode(stretch) for stretch in stretches if stretch]


def test_every_answer_with_the_flag_is_learnt_up_to_its_stop_token() -> None:
    tokenizer = tiny_tokenizer()
    [(ids, labels)] = tokenize(tokenizer, [[ASK, FIRST, ASK, {**FIRST, "train": False}, ASK]], [[LAST]])
    assert learnt(tokenizer, ids, labels) == ["In Peru.<|im_end|>", "In Ecuador.<|im_end|>\n"]
    assert tokenizer.decode(ids[len(ids) - answer_length(labels) :]) == "In Ecuador.<|im_end|>\n"


def test_the_flag_does_not_reach_the_template() -> None:
    tokenizer = tokenizer_with(CHATML.read_text().replace("message['role']", "message.keys() | join('-')"))
    [with_flag], [without] = (
        prompt_ids(tokenizer, [[ASK, turn, ASK]]) for turn in (FIRST, {**LAST, "content": "In Peru."})
    )
    assert with_flag == without


def test_tools_are_rendered_by_the_template_and_calls_are_learnt() -> None:
    tokenizer = tokenizer_with(WITH_TOOLS)
    call = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Lima"}}}
    calling = {"role": "assistant", "content": "", "tool_calls": [call], "train": True}
    prompt = [ASK, calling, {"role": "tool", "content": "mild"}]
    plain = [ASK]
    rows = tokenize(tokenizer, [prompt, plain], [[LAST], [LAST]], [TOOLS, None])
    assert '"name": "weather", "parameters"' in tokenizer.decode(rows[0][0])
    assert learnt(tokenizer, *rows[0])[0].startswith('<tool_call>{"name": "weather", "arguments": {"city": "Lima"}}')
    assert rows[1] == tokenize(tokenizer, [plain], [[LAST]])[0]


def test_an_empty_think_block_of_the_last_answer_only_is_learnt_there() -> None:
    """Qwen3's template renders it for the last answer, so an earlier answer is learnt as later turns read it."""
    think = "('<think>\n\n</think>\n\n' if loop.last and m.role == 'assistant' else '') + m.content"
    tokenizer = tokenizer_with(WITH_TOOLS.replace("m.content", think))
    [(ids, labels)] = tokenize(tokenizer, [[ASK, FIRST, ASK]], [[LAST]])
    answers = ["In Peru.<|im_end|>", "<think>\n\n</think>\n\nIn Ecuador.<|im_end|>\n"]
    assert learnt(tokenizer, ids, labels) == answers


@pytest.mark.parametrize(
    "template",
    [
        WITH_TOOLS.replace("{{ eos_token +", "{{ (eos_token if loop.last or m.role != 'assistant' else '') +"),
        WITH_TOOLS.replace(
            "'<|im_start|>' + m.role",
            "('~' if m.role == 'assistant' and not loop.last else '') + '<|im_start|>' + m.role",
        ),
    ],
    ids=["no stop token", "other opening"],
)
def test_a_template_that_spoils_earlier_answers_is_refused(template: str) -> None:
    tokenizer = tokenizer_with(template)
    with pytest.raises(TrainingProblem, match="renders an earlier answer differently"):
        tokenize(tokenizer, [[ASK, FIRST, ASK]], [[LAST]])
    tokenize(tokenizer, [[ASK, LAST, ASK]], [[LAST]])


def test_rows_with_a_chat_are_read_from_it(tmp_path: Path) -> None:
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    from finetune_flows.training.checks import probes
    from finetune_flows.training.data import read_rows

    chat = {"messages": [ASK, FIRST, ASK, {**LAST, "train": True}], "tools": TOOLS}
    row = {"id": "a", "prompt": [ASK], "completion": [LAST], "chat": json.dumps(chat)}
    pq.write_table(pa.Table.from_pylist([row, {**row, "id": "b", "chat": None}]), tmp_path / "train.parquet")
    tokenizer = tokenizer_with(WITH_TOOLS)
    rows = read_rows(tmp_path, "train", tokenizer, 512)
    assert rows is not None
    found = [learnt(tokenizer, row["input_ids"], row["labels"]) for row in rows.tokens]
    assert found == [["In Peru.<|im_end|>", "In Ecuador.<|im_end|>\n"], ["In Ecuador.<|im_end|>\n"]]
    probe, plain = probes(rows, 2)
    assert prompt_ids(tokenizer, [probe.messages], [probe.tools]) == [probe.prompt]
    assert (probe.tools, plain.tools) == (TOOLS, None)
