"""Tool calls: found in any answer however its text is split, and written by any model that must call."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from tokenizers import AddedToken

from finetune_flows.containers.serving.grammar import Grammars
from finetune_flows.containers.serving.grammar_check import refuse_too_large
from finetune_flows.containers.serving.text import AnswerText, special_tokens
from finetune_flows.containers.serving.tools import (
    HERMES,
    LLAMA,
    MISTRAL,
    MISTRAL_NAMED,
    Call,
    ToolFormat,
    ToolReader,
    format_of,
)
from tests.support.tiny_model import tiny_tokenizer

FORMATS = {"hermes": HERMES, "llama": LLAMA, "mistral": MISTRAL, "mistral, named": MISTRAL_NAMED}
OSLO, LIMA = Call("weather", '{"city": "Oslo"}'), Call("time.now", '{"zone": "Peru", "at": [1, {"a": "}"}]}')
ANSWERS: list[tuple[ToolFormat, str, list[str | Call]]] = [
    (HERMES, 'Let me see.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>', ["Let me see.\n", OSLO]),
    (
        HERMES,
        '<tool_call>{"name": "weather", "arguments": {"city": "Oslo"}}</tool_call>\n'
        '<tool_call>{"name": "time.now", "arguments": {"zone": "Peru", "at": [1, {"a": "}"}]}}</tool_call>',
        [OSLO, LIMA],
    ),
    (HERMES, "No call: <tool and {braces}", ["No call: <tool and {braces}"]),
    (HERMES, "<tool_call>not JSON</tool_call>", ["<tool_call>not JSON</tool_call>"]),
    (HERMES, '<tool_call>{"name": "cut off', ['<tool_call>{"name": "cut off']),
    (HERMES, '<tool_call>{"name": "weather", "arguments": {"city": "Oslo"}}', [OSLO]),  # ended before its mark
    (LLAMA, '{"name": "weather", "parameters": {"city": "Oslo"}}', [OSLO]),
    (LLAMA, '<|python_tag|>{"name": "weather", "parameters": {"city": "Oslo"}}', [OSLO]),
    (
        LLAMA,
        '{"name": "weather", "parameters": {"city": "Oslo"}}; {"name": "time.now", "parameters": '
        '{"zone": "Peru", "at": [1, {"a": "}"}]}}',
        [OSLO, LIMA],
    ),
    (LLAMA, 'Oslo {"name": "weather", "parameters": {}}', ['Oslo {"name": "weather", "parameters": {}}']),
    (LLAMA, '{"answer": 5}', ['{"answer": 5}']),
    (MISTRAL, '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Oslo"}}]', [OSLO]),
    (MISTRAL, "[TOOL_CALLS] nothing", ["[TOOL_CALLS] nothing"]),
    (
        MISTRAL_NAMED,
        '[TOOL_CALLS]weather[ARGS]{"city": "Oslo"}[TOOL_CALLS]time.now[CALL_ID]a1[ARGS]'
        '{"zone": "Peru", "at": [1, {"a": "}"}]}',
        [OSLO, LIMA],
    ),
]  # fmt: skip


def read(form: ToolFormat, pieces: list[str]) -> list[str | Call]:
    """What is read, with the texts between two calls joined."""
    reader = ToolReader(form)
    found = [item for piece in pieces for item in reader.feed(piece)] + reader.flush()
    joined: list[str | Call] = []
    for item in found:
        if isinstance(item, str) and joined and isinstance(joined[-1], str):
            joined[-1] += item
        else:
            joined.append(item)
    return [item for item in joined if not isinstance(item, str) or item.strip()]


@pytest.mark.parametrize(("form", "text", "expected"), ANSWERS)
def test_calls_are_found_however_the_text_is_split(form: ToolFormat, text: str, expected: list[str | Call]) -> None:
    chance = random.Random(4)
    assert read(form, [text]) == expected
    assert read(form, list(text)) == expected
    for _ in range(50):
        cuts = sorted(chance.sample(range(len(text)), k=min(6, len(text) - 1)))
        assert read(form, [text[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]) == expected


FUNCTIONS: list[tuple[str, dict[str, Any]]] = [
    (
        "weather",
        {
            "type": "object",
            "properties": {"city": {"$ref": "#/$defs/city"}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
            "required": ["city"],
            "additionalProperties": False,
            "$defs": {"city": {"enum": ["Oslo", 'the "big" one']}},
        },
    ),
    ("time-now", {"type": "object", "properties": {}, "additionalProperties": False}),
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    tokenizer = copy.deepcopy(tiny_tokenizer())
    special = [AddedToken(text, special=True) for text in ("[TOOL_CALLS]", "[ARGS]")]
    tokenizer.add_tokens(
        [AddedToken("<tool_call>", special=False), AddedToken("</tool_call>", special=False), *special]
    )
    return tokenizer


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("several", [False, True])
def test_whatever_a_model_writes_that_must_call_is_a_call(
    tokenizer: Any, tmp_path: Path, name: str, several: bool
) -> None:
    form = FORMATS[name]
    tokenizer.save_pretrained(tmp_path)
    grammar = f"start: calls\n{form.rules(FUNCTIONS, several, tokenizer.get_added_vocab())}"
    refuse_too_large(grammar)
    eos = tokenizer.eos_token_id
    grammars = Grammars(tmp_path, len(tokenizer), frozenset([eos]))
    hidden = special_tokens(tokenizer.backend_tokenizer) - {
        tokenizer.convert_tokens_to_ids(text) for text in form.markers
    }
    chance, names, most = random.Random(2), set(), 0
    for _ in range(12):
        constraint, tokens = grammars.constraint(grammar), []
        while (token := _drawn(constraint, len(tokenizer), chance, eos)) != eos:
            tokens.append(token)
            constraint.accept(token)
        answer = AnswerText(tokenizer.backend_tokenizer, hidden=hidden)
        text = "".join([*map(answer.add, tokens), answer.finish()])
        calls = read(form, [text])
        assert calls
        for call in calls:
            assert isinstance(call, Call), text
            Draft202012Validator(dict(FUNCTIONS)[call.name]).validate(json.loads(call.arguments))
        names |= {call.name for call in calls if isinstance(call, Call)}
        most = max(most, len(calls))
    assert names == {"weather", "time-now"}
    assert (most > 1) == (several and form is not LLAMA)


def _drawn(constraint: Any, vocabulary: int, chance: random.Random, eos: int) -> int:
    """Any token that may follow. The end comes as soon as it may, half of the time."""
    allowed = constraint.rule_out(torch.zeros(vocabulary)).isfinite().nonzero()[:, 0].tolist()
    return eos if eos in allowed and chance.random() < 0.5 else chance.choice(allowed)


@pytest.mark.parametrize(
    ("template", "form"),
    [
        ("{% for m in messages %}{{ m.content }}{% endfor %}", None),
        ("{{ tools | tojson }} in <tool_call></tool_call>", HERMES),
        ("{{ tools | tojson }} in <tool_call><function=name>", None),
        ("{{ tools }} {{ '[TOOL_CALLS] ' }}", MISTRAL),
        ("{{ tools }} {{ '[TOOL_CALLS]' }} {{ '[ARGS]' }}", MISTRAL_NAMED),
        ('{{ tools }} {"name": function name, "parameters": dictionary}', LLAMA),
        ("{{ tools }} in some other way", None),
    ],
)
def test_the_template_tells_the_format(template: str, form: ToolFormat | None) -> None:
    assert format_of(template) == form
